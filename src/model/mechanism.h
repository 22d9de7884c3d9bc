// SPDX-License-Identifier: Apache-2.0
// What the kernel did (Mechanism) and what kind of write made it do so (Cause), with the names that
// reports use. The order is append-only: recorded traces hold the numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cowtrace::model {

enum class Mechanism : std::uint8_t {
  Copy,          // an anonymous page that others still map: copied, 4 KiB
  Reuse,         // nobody else maps it any more: made writable in place, no memory
  ZeroFill,      // the zero page: a new frame, nothing shared is lost
  FileCopy,      // a page-cache page of a private file mapping
  HugeSplit,     // a huge mapping split into base pages so that one of them can be copied
  HugetlbCopy,   // a whole hugetlb page
  HugeZeroFill,  // the huge zero page replaced by a whole huge page
  KsmCopy,       // a page that KSM had merged
  Unshare,     // a read pin gave this address space its own copy (FAULT_FLAG_UNSHARE, kernel 5.19)
  ForkCopy,    // copied inside fork because it is pinned for DMA
  FirstWrite,  // an absent page of anonymous memory was filled for a write: told with --allocators
               // only
};
inline constexpr std::size_t kMechanisms = 11;  // that this program knows
// Numbers that a trace may hold. One of a newer program may have others than this one knows: they
// are shown as such.
inline constexpr std::size_t kMechanismNumbers = 16;

struct MechanismInfo {
  Mechanism mechanism;
  std::string_view name;
  bool is_break;           // costs memory that was shared in the family
  std::string_view about;  // one line for people
};
inline constexpr std::array<MechanismInfo, kMechanismNumbers> kMechanismTable = {{
    {Mechanism::Copy, "copy", true, "a shared page was copied"},
    {Mechanism::Reuse, "reuse", false, "the last owner wrote: no copy"},
    {Mechanism::ZeroFill, "zero-fill", false, "the zero page was replaced"},
    {Mechanism::FileCopy, "file-copy", false, "a private file page was copied"},
    {Mechanism::HugeSplit, "huge-split", false, "a huge mapping was split"},
    {Mechanism::HugetlbCopy, "hugetlb-copy", true, "a shared hugetlb page was copied"},
    {Mechanism::HugeZeroFill, "huge-zero-fill", false, "the huge zero page was replaced"},
    {Mechanism::KsmCopy, "ksm-copy", false, "a page merged by KSM was copied"},
    {Mechanism::Unshare, "unshare", true, "a read pin copied a shared page"},
    {Mechanism::ForkCopy, "fork-copy", true, "a pinned page was copied by fork"},
    {Mechanism::FirstWrite, "first-write", false, "new memory was written for the first time"},
    {Mechanism{11}, "unknown (11)", false, "known to newer versions of cowtrace"},
    {Mechanism{12}, "unknown (12)", false, "known to newer versions of cowtrace"},
    {Mechanism{13}, "unknown (13)", false, "known to newer versions of cowtrace"},
    {Mechanism{14}, "unknown (14)", false, "known to newer versions of cowtrace"},
    {Mechanism{15}, "unknown (15)", false, "known to newer versions of cowtrace"},
}};
constexpr const MechanismInfo& info(Mechanism mechanism) {
  return kMechanismTable[static_cast<std::size_t>(mechanism)];
}
constexpr bool is_break(Mechanism mechanism) {
  return info(mechanism).is_break;
}

enum class Cause : std::uint8_t {
  Unknown,
  Refcount,
  GcHeader,
  Container,
  Value,
  Allocator,
  Native,
  Syscall,
  Remote
};
inline constexpr std::size_t kCauses = 9;  // that this program knows
// By number, as with mechanisms.
inline constexpr std::array<std::string_view, 16> kCauseNames = {
    "unknown",      "refcount",     "gc-header",    "container",   "value",        "allocator",
    "native",       "syscall",      "remote",       "unknown (9)", "unknown (10)", "unknown (11)",
    "unknown (12)", "unknown (13)", "unknown (14)", "unknown (15)"};
constexpr std::string_view name(Cause cause) {
  return kCauseNames[static_cast<std::size_t>(cause)];
}

}  // namespace cowtrace::model
