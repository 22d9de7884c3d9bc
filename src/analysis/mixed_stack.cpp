// SPDX-License-Identifier: Apache-2.0
#include "analysis/mixed_stack.h"

#include <algorithm>
#include <string_view>

namespace cowtrace::analysis {

namespace {

// _PyEval_EvalFrameDefault and its parts (".cold", ".lto_priv.0"), and what only leads to it.
bool evaluates(std::string_view function) {
  return function.starts_with("_PyEval_") || function.starts_with("PyEval_");
}

bool tells_something(const model::StackFrame& frame) {
  return frame.why_unnamed.empty() && !evaluates(frame.function);
}

}  // namespace

NamedStack mix(NamedStack native, const NamedStack& python) {
  if (python.empty()) return native;
  auto end = std::find_if(native.begin(), native.end(),
                          [](const model::StackFrame* frame) { return frame->interpreter; });
  if (end == native.begin() && end != native.end() && tells_something(**end)) ++end;
  native.erase(end, native.end());
  native.insert(native.end(), python.begin(), python.end());
  return native;
}

}  // namespace cowtrace::analysis
