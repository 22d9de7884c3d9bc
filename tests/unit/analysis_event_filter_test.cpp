// SPDX-License-Identifier: Apache-2.0
#include "analysis/event_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cowtrace {
namespace {

using analysis::EventFilter;
using ::testing::HasSubstr;

EventFilter filter(std::initializer_list<const char*> conditions) {
  EventFilter made;
  for (const char* condition : conditions) {
    const Status added = made.add(condition);
    EXPECT_TRUE(added) << added.error().message();
  }
  return made;
}

// An event of process 3, pid 4711: a refcount copied at 0x7f0000001234.
bool lets_through(const EventFilter& filter) {
  model::Process process;
  process.key = model::ProcessKey(3);
  process.pid = 4711;
  analysis::Touch touch;
  touch.address = 0x7f00'0000'1234;
  touch.mechanism = model::Mechanism::Copy;
  touch.phase = model::Phase::Ending;
  return filter.matches(process, touch, model::Cause::Refcount);
}

TEST(AnalysisEventFilter, WithoutConditionsEverythingMatches) {
  EXPECT_TRUE(filter({}).everything());
  EXPECT_TRUE(lets_through(filter({})));
}

TEST(AnalysisEventFilter, EachConditionDecides) {
  for (const char* condition :
       {"process=3", "pid=4711", "mechanism=copy", "cause=refcount", "phase=ending",
        "address=0x7f0000001000", "address=0x7f0000001fff", "address=0x7f0000001234-0x7f0000001235",
        "address=139637976732212-139637976732213", "address=0-0xffffffffffffffff"}) {
    EXPECT_TRUE(lets_through(filter({condition}))) << condition;
    EXPECT_FALSE(filter({condition}).everything());
  }
  for (const char* condition :
       {"process=4711", "pid=3", "mechanism=reuse", "cause=gc-header", "phase=running",
        "address=0x7f0000002000", "address=0x7f0000001235-0x7f0000002000",
        "address=0x7f0000001000-0x7f0000001234"})
    EXPECT_FALSE(lets_through(filter({condition}))) << condition;
}

TEST(AnalysisEventFilter, OneKindIsAnAlternativeAndKindsAreJoined) {
  EXPECT_TRUE(lets_through(filter({"cause=value", "cause=refcount"})));
  EXPECT_TRUE(lets_through(filter({"pid=1", "pid=4711", "mechanism=copy"})));
  EXPECT_FALSE(lets_through(filter({"pid=4711", "mechanism=reuse"})));
}

TEST(AnalysisEventFilter, WhatItDoesNotUnderstandIsRefused) {
  for (const char* condition : {"",
                                "pid",
                                "pid=",
                                "pid=-1",
                                "pid=1x",
                                "pid=4294967296",
                                "colour=red",
                                "=",
                                "mechanism=",
                                "mechanism=Copy",
                                "cause=refcounts",
                                "phase=end",
                                "address=",
                                "address=0x",
                                "address=x",
                                "address=0x10-",
                                "address=0x20-0x10",
                                "address=0x10-0x10",
                                "address=0x10000000000000000",
                                " pid=1"}) {
    EventFilter made;
    const Status added = made.add(condition);
    EXPECT_FALSE(added) << condition;
    EXPECT_TRUE(made.everything()) << condition;
  }
  EventFilter made;
  EXPECT_THAT(made.add("mechanism=x").error().message(), HasSubstr("copy, reuse, zero-fill"));
  EXPECT_THAT(made.add("cause=x").error().message(), HasSubstr("unknown, refcount"));
  EXPECT_THAT(made.add("phase=x").error().message(), HasSubstr("starting, running, ending"));
  EXPECT_THAT(made.add("\x1b[2J=1").error().message(), HasSubstr("\\x1b[2J"));
}

}  // namespace
}  // namespace cowtrace
