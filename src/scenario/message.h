// SPDX-License-Identifier: Apache-2.0
// How a process of a trial tells its parent what it found: one message through a pipe. Both ends
// are the same program, so the numbers go as they are.
#pragma once

#include "scenario/failure.h"
#include "scenario/truth.h"

namespace scenario {

class Channel {
 public:
  static Result<Channel> open();
  // The end of a channel that another program opened: keep_across_exec() there.
  static Channel to(int writer) { return {-1, writer}; }
  Channel(Channel&& other) noexcept;
  Channel& operator=(Channel&&) = delete;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  // In the child; false with errno set when the parent cannot be told.
  [[nodiscard]] bool send(const Result<ProcessTruth>& found);
  // In the child: the number of the end that a program executed by it can send through.
  Result<int> keep_across_exec() const;
  // In the parent; waits for the child's message or its end.
  Result<ProcessTruth> receive();

 private:
  Channel(int reader, int writer) : reader_(reader), writer_(writer) {}
  int reader_ = -1;
  int writer_ = -1;
};

}  // namespace scenario
