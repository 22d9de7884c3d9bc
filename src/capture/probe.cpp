// SPDX-License-Identifier: Apache-2.0
#include "capture/probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

#include "base/privilege.h"
#include "base/units.h"
#include "capture/bpf_log.h"
#include "capture/calibrate.h"
#include "capture/capture.h"
#include "capture/load_error.h"
#include "capture/preemption.h"

namespace cowtrace::capture {
namespace {

using State = Check::State;

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return printable(line);
}

Check check_kernel() {
  utsname system{};
  uname(&system);
  return {"kernel", State::Good, fmt::format("{} {}", system.release, system.machine), ""};
}

Check check_btf() {
  if (kernel_has_types()) return {"BTF", State::Good, "/sys/kernel/btf/vmlinux", ""};
  return {"BTF", State::Bad, "the kernel describes no types",
          "use a kernel built with CONFIG_DEBUG_INFO_BTF"};
}

// "none [integrity] confidentiality": the mode in force is in brackets.
Check check_lockdown() {
  const std::string modes = first_line("/sys/kernel/security/lockdown");
  if (locked_down())
    return {"lockdown", State::Bad, "confidentiality: BPF may not read kernel memory",
            "boot with lockdown=integrity or none"};
  if (modes.find("[integrity]") != std::string::npos)
    return {"lockdown", State::Good, "integrity", ""};
  return {"lockdown", State::Good, "none", ""};
}

Check check_capabilities() {
  static constexpr std::array<std::pair<int, const char*>, 4> kNeeded = {
      {{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
       {CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
       {CAP_PERFMON, "CAP_PERFMON"},
       {CAP_BPF, "CAP_BPF"}}};
  std::string missing;
  for (const auto& [number, name] : kNeeded)
    if (!has_capability(number)) missing += (missing.empty() ? "" : ", ") + std::string(name);
  const auto lack = powerless();
  if (!missing.empty())
    return {"capabilities", State::Bad, "missing " + missing,
            lack ? "run as root (sudo)" : "give them to this root"};
  // Capabilities of a user namespace look like any, and count in it alone.
  if (lack && geteuid() == 0) return {"capabilities", State::Bad, lack->why, lack->remedy};
  return {"capabilities", State::Good, "all that are needed", ""};
}

Check check_memlock() {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  const std::string size =
      limit.rlim_cur == RLIM_INFINITY ? "unlimited" : human_bytes(limit.rlim_cur);
  return {"memlock limit", State::Good,
          size + "; not needed where BPF memory is charged to control groups (5.11)", ""};
}

Check check_ptrace() {
  const std::string scope = first_line("/proc/sys/kernel/yama/ptrace_scope");
  if (scope == "3")
    return {"ptrace", State::Limited, "forbidden for everybody (yama ptrace_scope 3)",
            "use --snapshot passive, or reboot to change it"};
  return {"ptrace", State::Good, scope.empty() ? "no restriction" : "yama ptrace_scope " + scope,
          ""};
}

Check check_preemption() {
  if (!kernel_preempts()) return {"preemption", State::Good, "none inside the kernel", ""};
  return {"preemption", State::Good,
          "a preemptible kernel, or it does not say: hooks are attached several times", ""};
}

Check check_page_tables(const std::optional<Calibration>& calibration) {
  if (!calibration)
    return {"page tables", State::Bad, "no backend works that could look for them", ""};
  if (calibration->direct_map == 0)
    return {"page tables", State::Limited, calibration->problem,
            "faults are paired with allocations instead: see blind spots"};
  if (calibration->vmemmap == 0)
    return {"page tables", State::Limited, calibration->problem,
            "file-copy and ksm-copy will show as copy"};
  return {"page tables", State::Good,
          fmt::format("{} levels, read and verified", calibration->levels), ""};
}

// The static backend asks the kernel for it at the fault; the others are given it.
Check check_find_vma(const std::vector<BackendCheck>& backends) {
  const BpfLog silent;
  const auto fails = [](const BackendCheck& one) { return one.usable && !one.reads_mappings; };
  if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_find_vma, nullptr) != 1)
    return {"mapping of a break", State::Limited, "taken from /proc/PID/maps",
            "kernel 5.17 reads it at the fault"};
  if (std::any_of(backends.begin(), backends.end(), fails))
    return {"mapping of a break", State::Limited,
            "the static backend takes it from /proc/PID/maps: this kernel does not tell it at the "
            "fault (PREEMPT_RT)",
            "use --backend kprobe or fentry"};
  return {"mapping of a break", State::Good, "read at the fault", ""};
}

BackendCheck try_backend(const Backend& backend, std::optional<Calibration>& calibration) {
  BackendCheck check{std::string(backend.name), false, "", {}, false};
  CaptureOptions options;
  options.buffer_bytes = kPageSize;
  auto capture = backend.open(options);
  check.usable = capture.has_value();
  check.why_not = capture ? "" : capture.error().message();
  if (!capture) return check;
  check.blind_spots = (*capture)->blind_spots();
  check.reads_mappings = (*capture)->reads_mappings();
  calibration = (*capture)->calibration();
  return check;
}

}  // namespace

bool Probe::any_backend() const {
  return std::any_of(backends.begin(), backends.end(),
                     [](const BackendCheck& one) { return one.usable; });
}

Probe probe() {
  Probe result;
  result.checks = {check_kernel(),  check_btf(),    check_lockdown(),  check_capabilities(),
                   check_memlock(), check_ptrace(), check_preemption()};
  std::optional<Calibration> calibration;
  for (const Backend& backend : backends())
    result.backends.push_back(try_backend(backend, calibration));
  result.checks.push_back(check_page_tables(calibration));
  result.checks.push_back(check_find_vma(result.backends));
  return result;
}

}  // namespace cowtrace::capture
