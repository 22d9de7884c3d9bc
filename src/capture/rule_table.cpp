// SPDX-License-Identifier: Apache-2.0
#include "capture/rule_table.h"

#include <utility>

namespace cowtrace::capture {
namespace {

// Of all places: with five in a bucket, hardly one is full before.
constexpr std::size_t kMostUsed = COWTRACE_UNWIND_BUCKETS * COWTRACE_UNWIND_WAYS / 4;

static_assert(static_cast<int>(UnwindRule::Kind::Caller) == COWTRACE_UNWIND_CALLER);
static_assert(static_cast<int>(UnwindRule::Kind::Outermost) == COWTRACE_UNWIND_OUTERMOST);
static_assert(static_cast<int>(UnwindRule::Kind::Unknown) == COWTRACE_UNWIND_UNKNOWN);
static_assert(static_cast<int>(UnwindRule::Kind::NoCode) == COWTRACE_UNWIND_NO_CODE);
static_assert(static_cast<int>(UnwindRule::Register::Bp) == COWTRACE_UNWIND_BP);
static_assert(static_cast<int>(UnwindRule::Register::Bx) == COWTRACE_UNWIND_BX);
static_assert(static_cast<int>(UnwindRule::From::Cfa) == COWTRACE_UNWIND_AT_CFA);
static_assert(static_cast<int>(UnwindRule::From::Bp) == COWTRACE_UNWIND_AT_BP);
static_assert(static_cast<int>(UnwindRule::From::Sp) == COWTRACE_UNWIND_AT_SP);

std::uint64_t byte(std::int8_t words) {
  return static_cast<std::uint8_t>(words);
}

template <typename Enum>
std::uint64_t number(Enum value) {
  return static_cast<std::uint64_t>(value);
}

}  // namespace

std::uint64_t encode(const UnwindRule& rule) {
  return number(rule.kind) | (rule.signal ? COWTRACE_UNWIND_SIGNAL : 0) |
         (rule.loaded ? COWTRACE_UNWIND_LOADED : 0) | number(rule.base) << 5 |
         number(rule.bp.from) << 8 | number(rule.bx.from) << 10 | number(rule.ip.from) << 12 |
         byte(rule.bp.words) << 16 | byte(rule.bx.words) << 24 | byte(rule.ip.words) << 32 |
         static_cast<std::uint64_t>(static_cast<std::int64_t>(rule.offset)) << 40;
}

Result<RuleTable> RuleTable::map(int fd, std::size_t count) {
  RuleTable table;
  if (count < COWTRACE_UNWIND_BUCKETS) return table;
  auto mapped =
      MappedArray<cowtrace_unwind_bucket>::map(fd, COWTRACE_UNWIND_BUCKETS, "the rules for stacks");
  if (!mapped) return tl::unexpected(mapped.error());
  table.buckets_ = std::move(*mapped);
  return table;
}

void RuleTable::clear() {
  for (cowtrace_unwind_bucket& bucket : buckets_.all())
    for (cowtrace_unwind_entry& entry : bucket.entries)
      __atomic_store_n(&entry.rule, 0, __ATOMIC_RELEASE);
  used_ = 0;
}

void RuleTable::add(std::uint64_t scope, std::uint64_t address, bool exact,
                    const UnwindRule& rule) {
  if (buckets_.all().empty()) return;
  if (exact) address |= COWTRACE_UNWIND_EXACT;
  cowtrace_unwind_bucket& bucket = buckets_.all()[cowtrace_unwind_bucket_of(scope, address)];
  cowtrace_unwind_entry* free = nullptr;
  for (cowtrace_unwind_entry& entry : bucket.entries) {
    if (entry.rule == 0) {
      if (free == nullptr) free = &entry;
    } else if (entry.address == address && entry.scope == scope) {
      __atomic_store_n(&entry.rule, encode(rule), __ATOMIC_RELEASE);
      return;
    }
  }
  if (free == nullptr || used_ >= kMostUsed) {
    clear();
    free = &bucket.entries[0];
  }
  __atomic_store_n(&free->address, address, __ATOMIC_RELEASE);
  __atomic_store_n(&free->scope, scope, __ATOMIC_RELEASE);
  // Last: until it is there, nobody finds the place.
  __atomic_store_n(&free->rule, encode(rule), __ATOMIC_RELEASE);
  ++used_;
}

}  // namespace cowtrace::capture
