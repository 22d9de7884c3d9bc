// SPDX-License-Identifier: Apache-2.0
#include "objects/code_rules.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "process/maps.h"

#if defined(__x86_64__)

namespace cowtrace::objects {
namespace {

using Kind = UnwindRule::Kind;

int some_data = 1;

class CodeRulesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto maps = process::read_maps(getpid());
    ASSERT_TRUE(maps);
    maps_ = *maps;
    rules_.emplace(std::make_unique<ModuleMap>(std::move(*maps), cache_, getpid()), own_vdso());
  }

  process::ModuleCache cache_;
  std::vector<process::MapsEntry> maps_;
  std::optional<CodeRules> rules_;
};

// The whole way out of the test framework, with the compiler's unwinder beside it: sanitizers put a
// function of theirs around backtrace().
TEST_F(CodeRulesTest, LeadOutOfThisTest) {
  std::vector<std::uint64_t> expected;
  _Unwind_Backtrace(
      [](_Unwind_Context* frame, void* addresses) {
        // Where nobody has called any more the address is 0.
        if (_Unwind_GetIP(frame) != 0)
          static_cast<std::vector<std::uint64_t>*>(addresses)->push_back(_Unwind_GetIP(frame));
        return _URC_NO_REASON;
      },
      &expected);
  const auto depth = expected.size();
  ucontext_t context;
  getcontext(&context);
  const greg_t* gregs = context.uc_mcontext.gregs;
  const auto of = [&](int number) { return static_cast<std::uint64_t>(gregs[number]); };
  UnwindRegisters registers{of(REG_RIP), of(REG_RSP), of(REG_RBP), of(REG_RBX), false};
  const auto word = [](std::uint64_t address) {
    std::uint64_t value = 0;
    std::memcpy(&value, reinterpret_cast<const void*>(address), sizeof(value));
    return std::optional(value);
  };
  std::size_t at = 1;
  Unwound unwound = Unwound::Caller;
  for (; at < depth; ++at) {
    unwound = unwind(rules_->rule_at(registers.ip, registers.exact), registers, word);
    ASSERT_EQ(unwound, Unwound::Caller) << at << " of " << depth;
    ASSERT_EQ(registers.ip, expected[at]) << at << " of " << depth;
  }
  EXPECT_GT(at, 5u);
  EXPECT_EQ(unwind(rules_->rule_at(registers.ip, registers.exact), registers, word), Unwound::All);
}

TEST_F(CodeRulesTest, ThereIsNoCodeInDataAndInNothing) {
  for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{16}, ~std::uint64_t{0},
                                      reinterpret_cast<std::uint64_t>(&some_data)}) {
    EXPECT_EQ(rules_->rule_at(address, true).kind, Kind::NoCode) << address;
    EXPECT_EQ(rules_->rule_at(address, false).kind, Kind::NoCode) << address;
  }
}

// A program that compiles while it runs has no .eh_frame for it.
TEST_F(CodeRulesTest, CodeOfNoFileGoesByFramePointer) {
  void* code = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(code, MAP_FAILED);
  auto maps = process::read_maps(getpid());
  ASSERT_TRUE(maps);
  CodeRules rules(std::make_unique<ModuleMap>(std::move(*maps), cache_, getpid()), nullptr);
  EXPECT_EQ(rules.rule_at(reinterpret_cast<std::uint64_t>(code) + 16, true), kByFramePointer);
  munmap(code, 4096);
}

TEST_F(CodeRulesTest, TheKernelsOwnCodeHasRules) {
  for (const process::MapsEntry& entry : maps_) {
    if (entry.path != "[vdso]") continue;
    const auto module = own_vdso();
    ASSERT_NE(module, nullptr);
    const auto time = module->find_symbol("__vdso_clock_gettime");
    ASSERT_TRUE(time);
    const UnwindRule first = rules_->rule_at(entry.start + *time, true);
    EXPECT_EQ(first.kind, Kind::Caller);
    EXPECT_EQ(first.base, UnwindRule::Register::Sp);
    EXPECT_EQ(first.offset, 8);
    return;
  }
  FAIL() << "no vdso";
}

}  // namespace
}  // namespace cowtrace::objects

#endif
