// SPDX-License-Identifier: Apache-2.0
#include "capture/kernel_symbols.h"

#include <gtest/gtest.h>

#include <sstream>

namespace cowtrace::capture {
namespace {

std::optional<std::string> find(const char* kallsyms, const char* name) {
  std::istringstream text(kallsyms);
  return suffixed_symbol(text, name);
}

TEST(KernelSymbols, ACopyThatTheCompilerMadeIsFound) {
  EXPECT_EQ(find("ffffffff81000000 t other\nffffffff81000010 t do_wp_page.isra.0\n", "do_wp_page"),
            "do_wp_page.isra.0");
  EXPECT_EQ(find("ffffffff81000010 T f.constprop.12.isra.3\n", "f"), "f.constprop.12.isra.3");
  EXPECT_EQ(find("ffffffff81000010 t f.part.1\n", "f"), "f.part.1");
}

// .cold is a part of a function that stands elsewhere: a probe there misses most calls.
TEST(KernelSymbols, WhatDoesNotBeginTheFunctionIsNotTaken) {
  EXPECT_EQ(find("ffffffff81000000 t f.isra.0.cold\nffffffff81000010 t f.isra.0\n", "f"),
            "f.isra.0");
  for (const char* line :
       {"1 t f\n", "1 t f.cold\n", "1 t f.isra.\n", "1 t f.isra.0x\n", "1 t f_other.isra.0\n",
        "1 d f.isra.0\n", "1 t f.isra.0 [module]\n", "1 t f.\n", "1 t\n", "", "\n"})
    EXPECT_EQ(find(line, "f"), std::nullopt) << line;
}

}  // namespace
}  // namespace cowtrace::capture
