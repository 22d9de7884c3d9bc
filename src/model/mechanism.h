// SPDX-License-Identifier: Apache-2.0
// What the kernel did (Mechanism) and what kind of write made it do so (Cause), with the names that
// reports use. The order is append-only: recorded traces hold the numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/number_names.h"

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
struct MechanismInfo {
  Mechanism mechanism;
  std::string_view name;
  bool is_break;           // costs memory that was shared in the family
  std::string_view about;  // one line for people
};
inline constexpr auto kKnownMechanisms = std::to_array<MechanismInfo>({
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
});
inline constexpr std::size_t kMechanisms = kKnownMechanisms.size();
// Numbers that a trace may hold.
inline constexpr std::size_t kMechanismNumbers = kUnknownNumbers.size();

// By number: those that this program knows, and those that it does not.
inline constexpr std::array<MechanismInfo, kMechanismNumbers> kMechanismTable = [] {
  std::array<MechanismInfo, kMechanismNumbers> table{};
  for (std::size_t i = 0; i < table.size(); ++i)
    table[i] = i < kMechanisms ? kKnownMechanisms[i]
                               : MechanismInfo{static_cast<Mechanism>(i), kUnknownNumbers[i], false,
                                               "a newer cowtrace knows it"};
  return table;
}();
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
inline constexpr auto kKnownCauses =
    std::to_array<std::string_view>({"unknown", "refcount", "gc-header", "container", "value",
                                     "allocator", "native", "syscall", "remote"});
inline constexpr std::size_t kCauses = kKnownCauses.size();
inline constexpr NumberNames kCauseNames = names_of_numbers(kKnownCauses);
constexpr std::string_view name(Cause cause) {
  return kCauseNames[static_cast<std::size_t>(cause)];
}

}  // namespace cowtrace::model
