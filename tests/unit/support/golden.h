// SPDX-License-Identifier: Apache-2.0
// Text against a golden file. A mismatch shows the differing lines and leaves what came out as
// FILE.actual beside it; to accept it, move it over the golden file.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace cowtrace::test {

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The lines between the common start and the common end, as "-golden" and "+actual".
inline std::string differing_lines(const std::string& golden, const std::string& actual) {
  const std::vector<std::string> a = lines_of(golden);
  const std::vector<std::string> b = lines_of(actual);
  std::size_t start = 0;
  while (start < std::min(a.size(), b.size()) && a[start] == b[start]) ++start;
  std::size_t tail = 0;
  while (tail < std::min(a.size(), b.size()) - start &&
         a[a.size() - 1 - tail] == b[b.size() - 1 - tail])
    ++tail;
  std::ostringstream diff;
  diff << "@@ line " << start + 1 << '\n';
  for (std::size_t i = start; i + tail < a.size(); ++i) diff << '-' << a[i] << '\n';
  for (std::size_t i = start; i + tail < b.size(); ++i) diff << '+' << b[i] << '\n';
  return diff.str();
}

inline void expect_golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(COWTRACE_TEST_DATA) + "/golden/" + name;
  std::ostringstream golden;
  if (std::ifstream in(path, std::ios::binary); in) golden << in.rdbuf();
  if (golden.str() == actual) return;
  std::ofstream(path + ".actual", std::ios::binary) << actual;
  ADD_FAILURE() << "differs from " << path << " (see .actual):\n"
                << differing_lines(golden.str(), actual);
}

}  // namespace cowtrace::test
