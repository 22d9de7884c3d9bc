// SPDX-License-Identifier: Apache-2.0
// What reading the ELF and debug files of all traced processes may cost together. Their sizes are
// whatever they say: a few kilobytes can inflate to gigabytes, and a sparse file costs its maker
// nothing. What is beyond is not read, and counted for a note.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace cowtrace::process {

class DebugBudget {
 public:
  struct Limits {
    std::uint64_t memory = std::uint64_t{1}
                           << 30;  // bytes that are held at the end, inflated ones as they are then
    std::uint64_t checked = std::uint64_t{512} << 20;  // bytes that checksums are taken of
    std::uint64_t cpu_ns = 60'000'000'000;             // of looking addresses up
  };
  // With a quarter of the memory that is available, if that is less.
  static Limits usual();

  DebugBudget() : DebugBudget(usual()) {}
  explicit DebugBudget(const Limits& limits) : limits_(limits) {}

  // May `bytes` more of the file `path` be held? If so, they are counted; if not, the file is.
  [[nodiscard]] bool take_memory(std::uint64_t bytes, const std::string& path);
  // Would take_memory() say yes? Counts the file if not.
  [[nodiscard]] bool could_take(std::uint64_t bytes, const std::string& path);

  // The checksum of .gnu_debuglink over a whole regular file, taken once while the file stays as it
  // is. None if it cannot be read, or is beyond the budget.
  [[nodiscard]] std::optional<std::uint32_t> checksum(int file, const std::string& path);

  // While it lives, the CPU time of this thread counts.
  class Spending {
   public:
    explicit Spending(DebugBudget& budget);
    ~Spending();
    Spending(const Spending&) = delete;
    Spending& operator=(const Spending&) = delete;

   private:
    DebugBudget& budget_;
    std::uint64_t start_;
  };
  // Is the time over? Cheap. To be asked where a file decides how long something takes; `path` is
  // that file's.
  [[nodiscard]] bool out_of_time(const std::string& path);

  // What was given up, for people; empty if nothing was.
  [[nodiscard]] std::vector<std::string> notes() const;

 private:
  using FileKey = std::tuple<dev_t, ino_t, off_t, std::int64_t,
                             std::int64_t>;  // device, inode, size, time of the last change:
                                             // seconds, nanoseconds

  const Limits limits_;
  mutable std::mutex mutex_;
  std::uint64_t memory_ = 0;
  std::uint64_t checked_ = 0;
  std::map<FileKey, std::uint32_t> checksums_;
  std::set<std::string> too_large_, not_checked_,
      too_slow_;  // paths, as traced processes have them

  // Of Spending.
  std::atomic<std::uint64_t> spent_ns_{0};
  static thread_local std::uint64_t spending_since_ns_, looked_at_ns_;
};

}  // namespace cowtrace::process
