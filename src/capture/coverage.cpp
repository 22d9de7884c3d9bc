// SPDX-License-Identifier: Apache-2.0
#include "capture/coverage.h"

#include <fmt/format.h>

#include <array>
#include <string>

namespace cowtrace::capture {
namespace {

using enum model::Mechanism;

constexpr std::array kOfAnonymous = {Copy, Reuse};
constexpr std::array kOfZeroPage = {ZeroFill};
constexpr std::array kOfHugeZeroPage = {ZeroFill, HugeSplit, HugeZeroFill};
constexpr std::array kOfFile = {FileCopy};
constexpr std::array kOfHuge = {HugeSplit, Copy, Reuse};
constexpr std::array kOfHugetlb = {HugetlbCopy, Reuse};
constexpr std::array kOfMerged = {KsmCopy};
constexpr std::array kOfOthers = {Copy, Reuse};
constexpr std::array kOfPins = {Unshare};
constexpr std::array kOfCollapsed = {Copy};
constexpr std::array kOfSwapped = {Copy};
constexpr std::array kOfFork = {ForkCopy};
constexpr std::array kOfNew = {FirstWrite};

constexpr std::array kTable = std::to_array<Coverage>({
    {"writes to anonymous pages that fork shared", kOfAnonymous, Need::Nothing, Need::Nothing},
    {"writes to the zero page", kOfZeroPage, Need::PageTables, Need::Nothing},
    {"writes to the huge zero page", kOfHugeZeroPage, Need::PageTables, Need::Nothing},
    {"writes to pages of private file mappings that were read before", kOfFile, Need::PageTables,
     Need::Nothing},
    {"first writes to absent pages of private file mappings", kOfFile, Need::FindVma,
     Need::Nothing},
    {"writes to transparent huge pages", kOfHuge, Need::PageTables, Need::Nothing},
    {"writes to hugetlb pages", kOfHugetlb, Need::PageTables, Need::Nothing},
    {"writes to pages that KSM has merged", kOfMerged, Need::PageTables, Need::Nothing},
    {"writes that take no page fault (/proc/PID/mem, process_vm_writev, ptrace, io_uring, "
     "O_DIRECT)",
     kOfOthers, Need::Never, Need::Nothing},
    {"read pins that copy a shared page (process_vm_readv, O_DIRECT)", kOfPins, Need::Never,
     Need::Nothing},
    {"shared pages that mlock and madvise(MADV_POPULATE_WRITE) copy", kOfOthers, Need::Never,
     Need::Nothing},
    {"shared pages that madvise(MADV_COLLAPSE) and khugepaged copy into a huge page", kOfCollapsed,
     Need::Never, Need::Never},
    {"writes to pages that are swapped out", kOfSwapped, Need::Never, Need::WriteHook},
    {"pinned pages that fork copies", kOfFork, Need::Never, Need::ForkHooks},
    {"pinned hugetlb pages that fork copies", kOfFork, Need::Never, Need::Never},
    {"first writes to new anonymous memory, with `--allocators`", kOfNew, Need::Nothing,
     Need::Nothing},
});

}  // namespace

std::string_view describe(Need need) {
  switch (need) {
    case Need::Nothing:
      return "yes";
    case Need::PageTables:
      return "with page tables that can be read";
    case Need::FindVma:
      return "from 5.17, without PREEMPT_RT";
    case Need::WriteHook:
      return "where `do_wp_page` can be hooked";
    case Need::ForkHooks:
      return "where `copy_page_range` and the reverse mapping can be hooked";
    case Need::Never:
      return "no";
  }
  return "no";
}

std::span<const Coverage> coverage() {
  return kTable;
}

std::string coverage_table() {
  std::string text =
      "| what | reported as | `static` | `fentry`, `kprobe` |\n| --- | --- | --- | --- |\n";
  for (const Coverage& row : kTable) {
    std::string as;
    for (const model::Mechanism mechanism : row.as)
      as += fmt::format("{}`{}`", as.empty() ? "" : ", ", model::info(mechanism).name);
    text += fmt::format("| {} | {} | {} | {} |\n", row.what, as, describe(row.by_static),
                        describe(row.by_path));
  }
  return text;
}

}  // namespace cowtrace::capture
