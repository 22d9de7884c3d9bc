// SPDX-License-Identifier: Apache-2.0
// Starts the traced command behind a gate: it exists and can be marked and seized before its first
// instruction runs.
#pragma once

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace cowtrace::pipeline {

struct CommandOptions {
  std::vector<std::string> arguments;  // arguments[0] is looked up in PATH
  std::optional<std::string> user;     // run as this user
  std::array<int, 3> streams{
      -1, -1, -1};  // to become standard input, output and error; -1: it keeps the one it has
};

// Why execve failed, as env(1) reports it.
inline constexpr int kExitCannotExecute = 126;
inline constexpr int kExitNotFound = 127;
inline constexpr int kExitOurFailure = 125;

class Command {
 public:
  // Forks; the child waits at the gate. Fails if the user is unknown or nothing can be forked.
  static Result<Command> start(const CommandOptions& options);

  Command(Command&&) = default;
  Command& operator=(Command&&) = default;
  // A child that was never released must not run the command untraced.
  void abandon();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Lets the child exec.
  void release() { gate_.reset(); }
  // After the child has ended: what kept it from running the command, if anything did.
  struct Failure {
    Error error;
    int exit_code;
  };
  [[nodiscard]] std::optional<Failure> failure() const;

 private:
  Command() = default;
  pid_t pid_ = -1;
  std::string name_;
  Fd gate_;
  Fd report_;
};

}  // namespace cowtrace::pipeline
