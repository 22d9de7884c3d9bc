// SPDX-License-Identifier: Apache-2.0
#include "analysis/mixed_stack.h"

#include <gtest/gtest.h>

#include <string>

namespace cowtrace {
namespace {

model::StackFrame native(std::string function) {
  model::StackFrame frame;
  frame.function = std::move(function);
  return frame;
}

model::StackFrame interpreter(std::string function) {
  model::StackFrame frame = native(std::move(function));
  frame.interpreter = true;
  if (frame.function.starts_with("0x")) frame.why_unnamed = "no symbol covers it";
  return frame;
}

model::StackFrame python(std::string function) {
  model::StackFrame frame = native(std::move(function));
  frame.python = true;
  return frame;
}

std::string mixed(const std::vector<model::StackFrame>& native,
                  const std::vector<model::StackFrame>& python) {
  const auto pointers = [](const std::vector<model::StackFrame>& frames) {
    analysis::NamedStack stack;
    for (const model::StackFrame& frame : frames) stack.push_back(&frame);
    return stack;
  };
  std::string text;
  for (const model::StackFrame* frame : analysis::mix(pointers(native), pointers(python)))
    text += (text.empty() ? "" : " ") + frame->function;
  return text;
}

const std::vector<model::StackFrame> kPython = {python("write_config"), python("main")};

TEST(MixedStack, PythonTakesThePlaceOfTheInterpreterAndOfItsCallers) {
  EXPECT_EQ(mixed({interpreter("0x57d033"), interpreter("0x58e1c7"), native("__libc_start_main"),
                   interpreter("_start")},
                  kPython),
            "write_config main");
}

TEST(MixedStack, WhatTheInterpreterCalledStaysInFront) {
  EXPECT_EQ(mixed({native("memcpy"), native("fill"), interpreter("cfunction_call"),
                   interpreter("_PyEval_EvalFrameDefault"), native("__libc_start_main")},
                  kPython),
            "memcpy fill write_config main");
}

TEST(MixedStack, OneNamedFunctionOfTheInterpreterStaysIfItIsInnermost) {
  EXPECT_EQ(mixed({interpreter("dict_resize"), interpreter("insertdict"),
                   interpreter("_PyEval_EvalFrameDefault")},
                  kPython),
            "dict_resize write_config main");
  EXPECT_EQ(
      mixed({interpreter("_PyEval_EvalFrameDefault.cold"), interpreter("_PyEval_Vector")}, kPython),
      "write_config main");
}

TEST(MixedStack, WithoutPythonTheNativeFramesAreTheStack) {
  EXPECT_EQ(mixed({interpreter("0x57d033"), native("__libc_start_main")}, {}),
            "0x57d033 __libc_start_main");
}

TEST(MixedStack, AWalkThatDidNotComeToTheInterpreterStaysWhole) {
  EXPECT_EQ(mixed({native("memcpy"), native("fill")}, kPython), "memcpy fill write_config main");
  EXPECT_EQ(mixed({}, kPython), "write_config main");
}

}  // namespace
}  // namespace cowtrace
