// SPDX-License-Identifier: Apache-2.0
#include "capture/return_probe.h"

#include <gtest/gtest.h>

#include <sstream>

namespace cowtrace::capture {
namespace {

TEST(ReturnProbe, FindsWhatCowtraceHasMadeAmongTheProbesOfOthers) {
  std::istringstream events(
      "p:kprobes/p_do_wp_page_0 do_wp_page\n"
      "r4096:cowtrace/return_8_4711_handle_mm_fault handle_mm_fault\n"
      "r:mine/return_8_12_handle_mm_fault handle_mm_fault\n"
      "r4096:cowtrace/return_8_x_handle_mm_fault handle_mm_fault\n"
      "r4096:cowtrace/return_9_4711_handle_mm_fault handle_mm_fault\n"
      "nonsense\n"
      "r4096:cowtrace/return_8_99_copy_page_range copy_page_range\n");
  const std::vector<std::pair<int, std::string>> expected = {
      {4711, "return_8_4711_handle_mm_fault"}, {99, "return_8_99_copy_page_range"}};
  EXPECT_EQ(return_probes(events, 8), expected);
}

TEST(ReturnProbe, ReadsHowManyReturnsWereMissed) {
  std::istringstream profile(
      "  p_do_wp_page_0                                             12               1\n"
      "  return_8_4711_handle_mm_fault                            2009               7\n");
  EXPECT_EQ(missed_of(profile, "return_8_4711_handle_mm_fault"), 7U);
}

TEST(ReturnProbe, AProbeThatIsNotListedHasMissedNothing) {
  std::istringstream profile("  other 1 2\n");
  EXPECT_EQ(missed_of(profile, "return_8_4711_handle_mm_fault"), 0U);
}

}  // namespace
}  // namespace cowtrace::capture
