// SPDX-License-Identifier: Apache-2.0
#include "capture/coverage.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

namespace cowtrace::capture {
namespace {

TEST(Coverage, EveryMechanismIsSomebodysAndEveryRowIsNamedOnce) {
  std::set<model::Mechanism> mechanisms;
  std::set<std::string_view> rows;
  for (const Coverage& row : coverage()) {
    EXPECT_FALSE(row.as.empty()) << row.what;
    EXPECT_TRUE(rows.insert(row.what).second) << row.what;
    if (row.by_path != Need::Never) mechanisms.insert(row.as.begin(), row.as.end());
  }
  EXPECT_EQ(mechanisms.size(), model::kMechanisms);
}

// What the document says is what the code says.
TEST(Coverage, TheDocumentHoldsTheTable) {
  std::ifstream file(COWTRACE_TEST_DATA "/../docs/kernel-support.md");
  const std::string document{std::istreambuf_iterator<char>(file),
                             std::istreambuf_iterator<char>()};
  EXPECT_NE(document.find(coverage_table()), std::string::npos)
      << "docs/kernel-support.md should hold:\n"
      << coverage_table();
}

}  // namespace
}  // namespace cowtrace::capture
