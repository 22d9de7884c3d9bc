// SPDX-License-Identifier: Apache-2.0
#include "capture/again.h"

#include <gtest/gtest.h>

#include <array>

namespace cowtrace::capture {
namespace {

using Missed = std::pair<std::string_view, std::uint64_t>;

TEST(Again, KnowsTheHookThatAProgramStandsInFor) {
  EXPECT_EQ(hook_of("on_fork_again2"), "on_fork");
  EXPECT_EQ(hook_of("on_fork"), "on_fork");
}

TEST(Again, ARunIsSkippedWhenEveryProgramOfItsHookHasMissedIt) {
  EXPECT_EQ(skipped_runs(std::array{Missed("on_fork", 5), Missed("on_fork_again1", 2),
                                    Missed("on_fork_again2", 9)}),
            2U);
  EXPECT_EQ(skipped_runs(std::array{Missed("on_fork", 5), Missed("on_fork_again1", 0)}), 0U);
}

TEST(Again, HooksAddUp) {
  EXPECT_EQ(skipped_runs(std::array{Missed("fentry_fault", 3), Missed("on_exit", 4),
                                    Missed("on_exit_again1", 1)}),
            4U);
  EXPECT_EQ(skipped_runs(std::span<const Missed>()), 0U);
}

}  // namespace
}  // namespace cowtrace::capture
