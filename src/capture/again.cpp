// SPDX-License-Identifier: Apache-2.0
#include "capture/again.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <map>
#include <string>

namespace cowtrace::capture {
namespace {

constexpr std::string_view kMark = "_again";

std::string_view name_of(const bpf_program* program) {
  return bpf_program__name(program);
}

std::uint64_t missed_by(const bpf_program* program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0 ? info.recursion_misses
                                                                             : 0;
}

}  // namespace

std::string_view hook_of(std::string_view program) {
  return program.substr(0, program.find(kMark));
}

void choose_agains(bpf_object* object, bool trampolines, bool tracepoints) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const std::string hook(hook_of(name_of(program)));
    if (hook == name_of(program)) continue;
    const bool wanted = std::string_view(bpf_program__section_name(program)).starts_with("tp_btf/")
                            ? tracepoints
                            : trampolines;
    bpf_program__set_autoload(
        program,
        wanted && bpf_program__autoload(bpf_object__find_program_by_name(object, hook.c_str())));
  }
}

std::vector<bpf_program*> agains_of(bpf_object* object, const bpf_program* hook) {
  std::vector<bpf_program*> agains;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(
      program, object) if (program != hook && bpf_program__autoload(program) &&
                           hook_of(name_of(program)) == name_of(hook)) agains.push_back(program);
  return agains;
}

std::uint64_t skipped_runs(std::span<const std::pair<std::string_view, std::uint64_t>> missed) {
  std::map<std::string_view, std::uint64_t> least;
  for (const auto& [program, runs] : missed) {
    const auto [found, fresh] = least.emplace(hook_of(program), runs);
    if (!fresh) found->second = std::min(found->second, runs);
  }
  std::uint64_t sum = 0;
  for (const auto& [hook, runs] : least) sum += runs;
  return sum;
}

std::uint64_t skipped_runs(const bpf_object* object) {
  std::vector<std::pair<std::string_view, std::uint64_t>> missed;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) if (bpf_program__fd(program) >= 0)
      missed.emplace_back(name_of(program), missed_by(program));
  return skipped_runs(missed);
}

}  // namespace cowtrace::capture
