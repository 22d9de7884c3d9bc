// SPDX-License-Identifier: Apache-2.0
// What this program was given by its caller and has to change for itself: signals, limits and
// closed descriptors. A command gets all of it as it was.
#pragma once

#include "base/result.h"

namespace cowtrace::pipeline {

class Inheritance {
 public:
  // First of all in the program: notes what there is, opens /dev/null where standard input, output
  // or error is closed (until an exec), and raises what limits this program too much. Errors: the
  // program cannot work so.
  static Status take();

  // In the child of a fork, before it executes a command. Without take(): nothing.
  static void give_back();

  // Whether the caller has this signal ignored, whatever has been done about it since.
  [[nodiscard]] static bool ignores(int signal);
};

}  // namespace cowtrace::pipeline
