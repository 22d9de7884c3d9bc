// SPDX-License-Identifier: Apache-2.0
// Memory that the whole family shares (MAP_SHARED, mapped before the fork): results, frames and the
// barrier. Bookkeeping here can neither break a copy-on-write page nor be lost with the process
// that did it.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "scenario/cost.h"
#include "scenario/failure.h"
#include "scenario/truth.h"

namespace scenario {

// One process of the family; written by that process alone, read by the parent after it has ended.
struct Record {
  pid_t pid;
  Role role;
  std::uint64_t wrote;
  Cost cost;
};

class Arena {
 public:
  // For `members` processes that measure `pages` pages. `measure`: with room for frames.
  static Result<Arena> map(std::uint64_t members, std::uint64_t pages, bool measure);
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&&) = delete;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  [[nodiscard]] std::uint64_t members() const { return members_; }
  [[nodiscard]] Record& record(std::uint64_t member) const { return records_[member]; }
  // The frames that the parent had right before the first fork, one a page.
  [[nodiscard]] std::span<std::uint64_t> frames_before() const {
    return {before_, measure_ ? pages_ : 0};
  }
  // One bit a page: its frame changed.
  [[nodiscard]] std::span<std::uint64_t> copied_bits(std::uint64_t member) const {
    return {bits_ + member * bit_words_, bit_words_};
  }
  [[nodiscard]] std::span<std::uint64_t> scratch(std::uint64_t member) const {
    return {scratch_ + member * kScratchWords, kScratchWords};
  }

  // Waits until all members have arrived; calls `still_fine` now and then meanwhile. False once the
  // family was aborted.
  template <typename StillFine>
  [[nodiscard]] bool wait_for_all(StillFine&& still_fine) const {
    std::uint32_t generation = 0;
    if (arrive(generation)) return !is_aborted();
    while (sleep_unless_changed(generation)) still_fine();
    return !is_aborted();
  }

  // Wakes everybody up for good. The first failure is the one that is kept.
  void abort(const Failure& failure) const;
  [[nodiscard]] bool is_aborted() const;
  [[nodiscard]] Failure failure() const;

 private:
  static constexpr std::uint64_t kScratchWords = 4096;
  struct Header;

  Arena() = default;
  bool arrive(std::uint32_t& generation) const;  // true for the last one
  bool sleep_unless_changed(std::uint32_t generation)
      const;  // false when the generation changed or the family was aborted

  Header* header_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::uint64_t members_ = 0;
  std::uint64_t pages_ = 0;
  std::uint64_t bit_words_ = 0;
  bool measure_ = false;
  Record* records_ = nullptr;
  std::uint64_t* before_ = nullptr;
  std::uint64_t* bits_ = nullptr;
  std::uint64_t* scratch_ = nullptr;
};

}  // namespace scenario
