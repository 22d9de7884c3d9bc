// SPDX-License-Identifier: Apache-2.0
#include "capture/rule_table.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <map>
#include <span>
#include <vector>

#include "base/fd.h"

namespace cowtrace::capture {
namespace {

using Kind = UnwindRule::Kind;

// What BPF reads; the file stands in for its map.
class RuleTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = Fd(memfd_create("rules", MFD_CLOEXEC));
    ASSERT_EQ(ftruncate(file_.get(), kBytes), 0);
    auto table = RuleTable::map(file_.get(), COWTRACE_UNWIND_BUCKETS);
    ASSERT_TRUE(table);
    table_ = std::move(*table);
    memory_ = mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, file_.get(), 0);
    ASSERT_NE(memory_, MAP_FAILED);
  }
  void TearDown() override { munmap(memory_, kBytes); }

  std::uint64_t find(std::uint64_t scope, std::uint64_t address) const {
    const auto* buckets = static_cast<const cowtrace_unwind_bucket*>(memory_);
    for (const cowtrace_unwind_entry& entry :
         buckets[cowtrace_unwind_bucket_of(scope, address)].entries)
      if (entry.address == address && entry.scope == scope) return entry.rule;
    return 0;
  }

  static constexpr std::size_t kBytes = COWTRACE_UNWIND_BUCKETS * sizeof(cowtrace_unwind_bucket);
  Fd file_;
  RuleTable table_;
  void* memory_ = nullptr;
};

UnwindRule rule(std::int32_t offset) {
  UnwindRule result;
  result.kind = Kind::Caller;
  result.offset = offset;
  return result;
}

TEST(EncodedRule, HasEachPartInItsPlace) {
  EXPECT_EQ(encode({.kind = Kind::Outermost}) & COWTRACE_UNWIND_KIND, 2U);
  // As bpf/abi/unwind.h draws it: CFA rsp+24, the rest as it is, the return address 8 bytes below.
  EXPECT_EQ(encode(rule(24)), 0x0000'18ff'0000'1001ULL);
  EXPECT_EQ(static_cast<std::int64_t>(encode(rule(-16))) >> 40, -16);
  EXPECT_EQ(static_cast<std::int64_t>(encode(rule(UnwindRule::kMostOffset))) >> 40,
            UnwindRule::kMostOffset);
  // bp+16, the caller's bp at -16: the words before the offset.
  EXPECT_EQ(encode(kByFramePointer), 0x0000'10ff'00fe'1121ULL);
  // A signal frame: what was interrupted is kept at rsp+160 and around.
  const UnwindRule signal{.kind = Kind::Caller,
                          .signal = true,
                          .loaded = true,
                          .offset = 160,
                          .ip = {UnwindRule::From::Sp, 21},
                          .bp = {UnwindRule::From::Sp, 15},
                          .bx = {UnwindRule::From::Sp, 16}};
  EXPECT_EQ(encode(signal), 0x0000'a015'100f'3f19ULL);
}

TEST_F(RuleTableTest, ScopesAndKindsOfAddressesAreApart) {
  table_.add(1, 0x1000, true, rule(8));
  table_.add(1, 0x1000, false, rule(16));
  table_.add(2, 0x1000, true, rule(24));
  EXPECT_EQ(find(1, 0x1000 | COWTRACE_UNWIND_EXACT), encode(rule(8)));
  EXPECT_EQ(find(1, 0x1000), encode(rule(16)));
  EXPECT_EQ(find(2, 0x1000 | COWTRACE_UNWIND_EXACT), encode(rule(24)));
  EXPECT_EQ(find(2, 0x1000), 0U);
  table_.add(1, 0x1000, false, rule(32));
  EXPECT_EQ(find(1, 0x1000), encode(rule(32)));
}

TEST_F(RuleTableTest, ForgetsWhenItIsFull) {
  constexpr std::uint64_t kMany = 50'000;
  for (std::uint64_t i = 0; i < kMany; ++i) {
    table_.add(7, 0x400000 + i * 5, false, rule(static_cast<std::int32_t>(8 + i % 1000 * 8)));
    ASSERT_EQ(find(7, 0x400000 + i * 5), encode(rule(static_cast<std::int32_t>(8 + i % 1000 * 8))))
        << i;
  }
  // No wrong one is left behind.
  std::uint64_t known = 0;
  for (std::uint64_t i = 0; i < kMany; ++i) {
    const std::uint64_t found = find(7, 0x400000 + i * 5);
    if (found == 0) continue;
    ++known;
    ASSERT_EQ(found, encode(rule(static_cast<std::int32_t>(8 + i % 1000 * 8))));
  }
  EXPECT_GT(known, 1000U);
  EXPECT_LT(known, kMany);
}

TEST(RuleTable, WithoutAMapTakesNothing) {
  RuleTable table;
  table.add(1, 2, true, rule(8));
  const auto small = RuleTable::map(-1, 1);
  EXPECT_TRUE(small);
}

}  // namespace
}  // namespace cowtrace::capture
