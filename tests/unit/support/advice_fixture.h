// SPDX-License-Identifier: Apache-2.0
// A parent with two workers that break pages, and what is advised about it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/advice.h"
#include "support/fake_resolver.h"
#include "support/reported.h"
#include "support/session_builder.h"

namespace cowtrace::test {

inline constexpr std::uint64_t kHeap = 0x7f00'0000'0000;
inline constexpr std::uint64_t kEnough = 100;  // pages: 400 KiB

class AnalysisAdvice : public ::testing::Test {
 protected:
  std::vector<analysis::Advice> advice() {
    return reported(builder.finish(), resolver).summary.advice;
  }
  // The one of this id; none if there is none.
  std::optional<analysis::Advice> advice(std::string_view id) {
    for (const analysis::Advice& found : advice())
      if (found.id == id) return found;
    return std::nullopt;
  }
  std::optional<std::uint64_t> saves(std::string_view id) {
    const auto found = advice(id);
    return found ? found->saves_at_most_bytes : std::nullopt;
  }
  // `count` copies of pages from kHeap on.
  void break_pages(model::ProcessKey process, std::uint64_t count, model::Cause cause,
                   model::Resolution event = {}, std::uint64_t first = kHeap) {
    event.cause = cause;
    for (std::uint64_t i = 0; i < count; ++i)
      builder.write(process, ++time_, first + i * kPageSize, event);
  }
  // As Session::set_phases() leaves a break that was made while a program ended.
  model::Resolution ending() {
    builder.session.capture.endings_known = true;
    model::Resolution event;
    event.phase = model::Phase::Ending;
    return event;
  }
  // What covers all that break_pages() breaks.
  void python_object(std::string name, std::string type, std::string group = {},
                     bool kept = false) {
    model::Object object;
    object.kind = model::ObjectKind::Python;
    object.address = kHeap;
    object.size = 10'000 * kPageSize;
    object.name = std::move(name);
    object.type = std::move(type);
    object.group = std::move(group);
    object.kept_by_interpreter = kept;
    resolver.add(object);
  }

  SessionBuilder builder;
  FakeResolver resolver;
  model::ProcessKey parent = builder.process(1, "python3");
  model::ProcessKey one = builder.process(2, "python3", parent);
  model::ProcessKey two = builder.process(3, "python3", parent);

 private:
  std::uint64_t time_ = 0;
};

}  // namespace cowtrace::test
