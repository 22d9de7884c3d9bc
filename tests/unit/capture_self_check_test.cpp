// SPDX-License-Identifier: Apache-2.0
#include "capture/self_check.h"

#include <gtest/gtest.h>

namespace cowtrace::capture {
namespace {

using model::Mechanism;

class SelfChecks : public testing::Test {
 protected:
  SelfChecks() : family_(TestFamily::start()), check_(*family_) {}

  void fork() {
    model::Fork fork;
    fork.parent_pid = family_->first();
    check_.take(fork);
  }
  void exit() {
    model::Exit exit;
    exit.process_ended = true;
    check_.take(exit);
  }
  void broken(std::uint64_t address, Mechanism mechanism) {
    model::Resolution event;
    event.address = address;
    event.mechanism = mechanism;
    check_.take(event);
  }
  void family_events() {
    fork();
    exit();
    exit();
  }
  void copies() {
    broken(family_->page_of_first() + 8, Mechanism::Copy);
    broken(family_->page_of_second(), Mechanism::Copy);
  }

  Result<TestFamily> family_;
  SelfCheck check_;
};

TEST_F(SelfChecks, AllHooksWereCalled) {
  family_events();
  copies();
  EXPECT_TRUE(check_.result("kprobe"));
  EXPECT_FALSE(check_.saw_absent_page());
  broken(family_->absent_page(), Mechanism::FileCopy);
  EXPECT_TRUE(check_.saw_absent_page());
}

TEST_F(SelfChecks, NoHookOnFaultsWasCalled) {
  family_events();
  const Status result = check_.result("kprobe");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what, "cannot use the kprobe backend");
  EXPECT_NE(result.error().message().find("did not call them"), std::string::npos);
}

TEST_F(SelfChecks, OneCopyIsNotEnough) {
  family_events();
  broken(family_->page_of_first(), Mechanism::Copy);
  EXPECT_FALSE(check_.result("static"));
}

TEST_F(SelfChecks, ACopyOfAnotherPageIsNotEnough) {
  family_events();
  broken(family_->page_of_first(), Mechanism::Copy);
  broken(family_->page_of_second() + 4096 * 1000, Mechanism::Copy);
  EXPECT_FALSE(check_.result("static"));
}

TEST_F(SelfChecks, TheHooksOnTheFamilyWereNotCalled) {
  copies();
  EXPECT_FALSE(check_.result("static"));
  fork();
  exit();
  EXPECT_FALSE(check_.result("static"));
}

TEST_F(SelfChecks, CountedPagesServeAsWell) {
  family_events();
  for (const std::uint64_t page : {family_->page_of_first(), family_->page_of_second()}) {
    PageCountRow row;
    row.row.page = page;
    row.row.mechanism = Mechanism::Copy;
    check_.take(row);
  }
  EXPECT_TRUE(check_.result("fentry"));
}

// A first write is what an absent page is taken for where its mapping cannot be asked for.
TEST_F(SelfChecks, AFirstWriteIsNoFileCopy) {
  broken(family_->absent_page(), Mechanism::FirstWrite);
  EXPECT_FALSE(check_.saw_absent_page());
}

}  // namespace
}  // namespace cowtrace::capture
