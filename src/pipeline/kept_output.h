// SPDX-License-Identifier: Apache-2.0
// What the command writes to a terminal that is somebody else's meanwhile: kept, the end of it, and
// printed when the terminal is free again. A small process outlives us, however we end, and hands
// on what is written later: the command never writes into a closed pipe.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <deque>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace cowtrace::pipeline {

class KeptOutput {
 public:
  static constexpr std::uint64_t kMostBytes = 1 << 20;

  // From now on, what of standard output and error is a terminal is to be replaced in the command
  // by streams(), and our own standard error is kept, too. Before there are threads.
  static Result<KeptOutput> begin();
  KeptOutput(KeptOutput&& other) noexcept = default;
  KeptOutput& operator=(KeptOutput&& other) noexcept = default;
  ~KeptOutput() { finish(); }

  // Descriptors that the command gets as 0, 1 and 2; -1: it keeps what there is.
  [[nodiscard]] std::array<int, 3> streams() const {
    return {input_.get(), pipes_[0].write.get(), pipes_[1].write.get()};
  }
  // The command has them.
  void started();
  // Readable when something was written; -1 if nothing can be.
  [[nodiscard]] std::array<int, 2> fds() const {
    return {pipes_[0].read.get(), pipes_[1].read.get()};
  }
  // Takes what has been written.
  void drain();
  // The terminal is free: prints what was kept, and leaves the rest to the process that outlives
  // us.
  void finish();

 private:
  struct Pipe {
    Fd read, write;
  };
  struct Piece {
    int stream;  // 1 or 2
    std::string bytes;
  };

  KeptOutput() = default;
  Status hand_on_later();
  void keep(int stream, std::string bytes);

  std::array<Pipe, 2> pipes_;  // of streams 1 and 2
  Fd input_;                   // in the place of a terminal whose keys are ours
  Fd our_error_,
      own_error_;  // where standard error led, and a file for what we print there ourselves
  Fd alive_;       // closed when we end
  std::deque<Piece> pieces_;
  std::uint64_t kept_bytes_ = 0, dropped_bytes_ = 0;
};

}  // namespace cowtrace::pipeline
