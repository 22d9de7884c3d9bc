// SPDX-License-Identifier: Apache-2.0
#include "scenario/truth.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

namespace scenario {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

void print_pages(const std::vector<std::uint64_t>& pages, std::FILE* file) {
  fmt::print(file, "[");
  const char* comma = "";
  for (const std::uint64_t page : pages) {
    fmt::print(file, "{}\"{:#x}\"", comma, page);
    comma = ", ";
  }
  fmt::print(file, "]");
}

void print_breaks(const Breaks& breaks, std::FILE* file) {
  fmt::print(file, ",\n     \"breaks\": {{");
  const char* comma = "";
  for (const auto& [mechanism, pages] : breaks) {
    fmt::print(file, "{}\"{}\": ", comma, name(mechanism));
    print_pages(pages, file);
    comma = ", ";
  }
  fmt::print(file, "}}");
}

void print_json(const Truth& truth, std::FILE* file) {
  std::uint64_t written = 0;
  std::uint64_t expected = 0;
  for (const ProcessTruth& process : truth.processes) {
    written += process.wrote;
    expected += process.expected_copies;
  }
  fmt::print(file, "{{\n  \"scenario\": \"{}\",\n  \"page_size\": {},\n", truth.scenario,
             kPageSize);
  fmt::print(file, "  \"written_pages_expected\": {},\n  \"copied_pages_expected\": {},\n", written,
             expected);
  if (truth.no_exception) fmt::print(file, "  \"no_exception\": true,\n");
  if (truth.from_swap) fmt::print(file, "  \"from_swap\": true,\n");
  fmt::print(file, "  \"regions\": [");
  const char* separator = "\n";
  for (const Region& region : truth.regions) {
    fmt::print(file, "{}    {{\"start\": \"{:#x}\", \"size\": {}}}", separator, region.start,
               region.size);
    separator = ",\n";
  }
  fmt::print(file, "\n  ],\n  \"processes\": [");
  separator = "\n";
  for (const ProcessTruth& process : truth.processes) {
    fmt::print(file, "{}    {{\"pid\": {}, \"role\": \"{}\", \"copied\": ", separator, process.pid,
               name(process.role));
    separator = ",\n";
    print_pages(process.copied, file);
    fmt::print(file, ",\n     \"faults\": {}", process.cost.faults);
    if (process.breaks) print_breaks(*process.breaks, file);
    if (!process.first_writes.empty()) {
      fmt::print(file, ",\n     \"first_writes\": ");
      print_pages(process.first_writes, file);
    }
    if (process.actor)
      fmt::print(file, ",\n     \"actor\": {{\"pid\": {}, \"command\": \"{}\"}}",
                 process.actor->pid, process.actor->command);
    fmt::print(file, "}}");
  }
  fmt::print(file, "\n  ]\n}}\n");
}

}  // namespace

std::string_view name(Role role) {
  switch (role) {
    case Role::Parent:
      return "parent";
    case Role::Child:
      return "child";
    case Role::Grandchild:
      return "grandchild";
  }
  return "unknown";
}

std::string_view name(Mechanism mechanism) {
  switch (mechanism) {
    case Mechanism::Copy:
      return "copy";
    case Mechanism::Reuse:
      return "reuse";
    case Mechanism::ZeroFill:
      return "zero-fill";
    case Mechanism::FileCopy:
      return "file-copy";
    case Mechanism::HugeSplit:
      return "huge-split";
    case Mechanism::HugetlbCopy:
      return "hugetlb-copy";
    case Mechanism::HugeZeroFill:
      return "huge-zero-fill";
    case Mechanism::KsmCopy:
      return "ksm-copy";
    case Mechanism::Unshare:
      return "unshare";
    case Mechanism::ForkCopy:
      return "fork-copy";
  }
  return "unknown";
}

Result<void> check(const Truth& truth) {
  if (!truth.measured) return {};
  std::uint64_t pages = 0;
  for (const Region& region : truth.regions) pages += region.size / kPageSize;
  for (const ProcessTruth& process : truth.processes) {
    if (process.copied.size() == process.expected_copies) continue;
    return failed(
        truth.scenario,
        fmt::format("{} {} copied {} of {} pages where {} copies were expected", name(process.role),
                    process.pid, process.copied.size(), pages, process.expected_copies),
        "run it again; if it stays, the kernel moved or merged frames (compaction, KSM, swap) "
        "or answers writes in another way");
  }
  return {};
}

Result<void> write_json(const Truth& truth, const std::string& path) {
  struct stat status {};
  const bool in_place = ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
  const std::string written = in_place ? path : fmt::format("{}.{}.tmp", path, ::getpid());
  const auto fail = [&](int number) {
    if (!in_place) ::unlink(written.c_str());
    return failed(fmt::format("cannot write {}", path), std::strerror(number),
                  "give --truth a writable file");
  };
  File file{std::fopen(written.c_str(), "we")};
  if (!file) return fail(errno);
  try {
    print_json(truth, file.get());
  } catch (const std::system_error& error) {  // fmt's way to say that fwrite failed
    return fail(error.code().value());
  }
  if (std::fclose(file.release()) != 0) return fail(errno);
  if (!in_place && std::rename(written.c_str(), path.c_str()) != 0) return fail(errno);
  return {};
}

std::string describe(const Truth& truth) {
  std::uint64_t pages = 0;
  for (const Region& region : truth.regions) pages += region.size / kPageSize;
  std::string text = fmt::format("{}: {} pages in {} regions, {} processes\n", truth.scenario,
                                 pages, truth.regions.size(), truth.processes.size());
  for (const ProcessTruth& process : truth.processes) {
    text += fmt::format("{} {} wrote {} pages", name(process.role), process.pid, process.wrote);
    if (process.wrote != 0)
      text += fmt::format(" in {:.1f} ms", static_cast<double>(process.cost.elapsed_ns) / 1e6);
    if (truth.measured && !process.breaks)
      text += fmt::format(", copied {}", process.copied.size());
    if (process.breaks) {
      for (const auto& [mechanism, broken] : *process.breaks)
        text += fmt::format(", {} {}", name(mechanism), broken.size());
    }
    if (process.actor)
      text += fmt::format(", by {} {}", process.actor->command, process.actor->pid);
    text += '\n';
  }
  return text;
}

}  // namespace scenario
