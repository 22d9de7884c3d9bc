// SPDX-License-Identifier: Apache-2.0
// What a watched expression (--watch) led to in one process, each time that it was looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "model/events.h"

namespace cowtrace::model {

// One look. Frames are physical page frame numbers, 0: not known or not there.
struct WatchSample {
  // Clone: of a thread or a vfork child; End: of the trace, while the process lives on.
  enum class Moment : std::uint8_t { Fork, Break, Clone, Exit, End };
  enum class Outcome : std::uint8_t { Found, Missing, Unknown };
  static constexpr std::size_t kMostFrames = 4096;  // pages of a larger object are left out

  std::uint64_t time_ns = 0;  // CLOCK_MONOTONIC
  Moment moment = Moment::Fork;
  Outcome outcome = Outcome::Unknown;
  std::string why;           // of Missing and Unknown; untrusted
  std::uint64_t object = 0;  // its address
  std::uint64_t start =
      0;  // where its memory begins: before `object` where the garbage collector's header is
  std::string type;                   // untrusted
  std::vector<std::uint64_t> frames;  // of its pages, from that of `start` on
  std::uint64_t frame = 0;            // of the page of `object`
  std::uint64_t slot = 0;             // address of the word that refers to it
  std::uint64_t slot_frame = 0;
  std::string place;  // what the slot is; untrusted
};
constexpr std::string_view name(WatchSample::Moment moment) {
  switch (moment) {
    case WatchSample::Moment::Fork:
      return "fork";
    case WatchSample::Moment::Break:
      return "break";
    case WatchSample::Moment::Clone:
      return "clone";
    case WatchSample::Moment::Exit:
      return "exit";
    case WatchSample::Moment::End:
      return "end";
  }
  return "fork";
}

// One expression in one address space.
struct Watch {
  std::string expression;
  SpaceId space;
  std::optional<WatchSample>
      at_fork;  // what the process inherited, or what it shared when it first forked
  std::optional<WatchSample> last;  // the last look after that
};

}  // namespace cowtrace::model
