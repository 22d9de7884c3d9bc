// SPDX-License-Identifier: Apache-2.0
#include "capture/self_check.h"

#include <fmt/format.h>

#include <fstream>
#include <variant>

#include "base/units.h"

namespace cowtrace::capture {
namespace {

constexpr int kProcesses = 2;

bool is_zero(const char* path) {
  std::ifstream file(path);
  return file.peek() == '0';
}

}  // namespace

SelfCheck::SelfCheck(const TestFamily& family)
    : first_(family.first()),
      page_of_first_(family.page_of_first()),
      page_of_second_(family.page_of_second()),
      absent_page_(family.absent_page()) {}

void SelfCheck::take(const model::Event& event) {
  if (const auto* fork = std::get_if<model::Fork>(&event)) saw_fork_ |= fork->parent_pid == first_;
  if (const auto* exit = std::get_if<model::Exit>(&event)) ended_ += exit->process_ended ? 1 : 0;
  if (const auto* broken = std::get_if<model::Resolution>(&event))
    take(broken->address, broken->mechanism);
}

void SelfCheck::take(const PageCountRow& row) {
  take(row.row.page, row.row.mechanism);
}

void SelfCheck::take(std::uint64_t address, model::Mechanism mechanism) {
  const std::uint64_t page = address / kPageSize * kPageSize;
  saw_first_ |= page == page_of_first_ && mechanism == model::Mechanism::Copy;
  saw_second_ |= page == page_of_second_ && mechanism == model::Mechanism::Copy;
  saw_absent_page_ |= page == absent_page_ && mechanism == model::Mechanism::FileCopy;
}

Status SelfCheck::result(const std::string& backend) const {
  const std::string what = fmt::format("cannot use the {} backend", backend);
  if (!saw_fork_ || ended_ < kProcesses)
    return fail(what,
                "the kernel attached hooks to fork and exit and did not call them when a process "
                "was forked to test them");
  if (saw_first_ && saw_second_) return {};
  const std::string off = switched_off(backend);
  return fail(
      what,
      "the kernel attached its hooks and did not call them when a page was copied to test them",
      !off.empty()          ? off
      : backend == "static" ? "see 'cowtrace doctor'"
                            : "use --backend static (or auto)");
}

std::string switched_off(const std::string& backend) {
  if (backend == "kprobe" && is_zero("/sys/kernel/debug/kprobes/enabled"))
    return "kprobes are switched off: write 1 to /sys/kernel/debug/kprobes/enabled, or use "
           "--backend static (or auto)";
  if (backend != "static" && is_zero("/proc/sys/kernel/ftrace_enabled"))
    return "ftrace is switched off: set sysctl kernel.ftrace_enabled=1, or use --backend static "
           "(or auto)";
  return {};
}

}  // namespace cowtrace::capture
