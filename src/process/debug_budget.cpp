// SPDX-License-Identifier: Apache-2.0
#include "process/debug_budget.h"

#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/units.h"
#include "process/cgroup_memory.h"

namespace cowtrace::process {
namespace {

constexpr std::size_t kChecksumBlock = 262'144;
constexpr std::size_t kMostNamed = 3;  // files in a note

std::optional<std::uint32_t> checksum_of(int file, std::uint64_t size) {
  std::vector<unsigned char> block(kChecksumBlock);
  uLong crc = crc32(0, nullptr, 0);
  for (std::uint64_t offset = 0; offset < size;) {
    const std::size_t wanted = std::min<std::uint64_t>(kChecksumBlock, size - offset);
    const ssize_t got = ::pread(file, block.data(), wanted, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    crc = crc32(crc, block.data(), static_cast<uInt>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return static_cast<std::uint32_t>(crc);
}

std::string some_of(const std::set<std::string>& paths) {
  std::string names;
  std::size_t shown = 0;
  for (const std::string& path : paths) {
    if (shown == kMostNamed) return names + fmt::format(" and {} more", paths.size() - shown);
    names += (shown++ == 0 ? "" : ", ") + printable(path);
  }
  return names;
}

}  // namespace

thread_local std::uint64_t DebugBudget::spending_since_ns_ = 0;
thread_local std::uint64_t DebugBudget::looked_at_ns_ = 0;

DebugBudget::Limits DebugBudget::usual() {
  Limits limits;
  if (const auto available = available_memory())
    limits.memory = std::min(limits.memory, *available / 4);
  return limits;
}

bool DebugBudget::could_take(std::uint64_t bytes, const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (bytes <= limits_.memory - memory_) return true;
  too_large_.insert(path);
  return false;
}

bool DebugBudget::take_memory(std::uint64_t bytes, const std::string& path) {
  const std::scoped_lock lock(mutex_);
  if (bytes > limits_.memory - memory_) {
    too_large_.insert(path);
    return false;
  }
  memory_ += bytes;
  return true;
}

std::optional<std::uint32_t> DebugBudget::checksum(int file, const std::string& path) {
  struct stat about = {};
  if (::fstat(file, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size < 0)
    return std::nullopt;
  const FileKey key(about.st_dev, about.st_ino, about.st_size, about.st_mtim.tv_sec,
                    about.st_mtim.tv_nsec);
  const auto size = static_cast<std::uint64_t>(about.st_size);
  {
    const std::scoped_lock lock(mutex_);
    if (const auto known = checksums_.find(key); known != checksums_.end()) return known->second;
    if (size > limits_.checked - checked_) {
      not_checked_.insert(path);
      return std::nullopt;
    }
    checked_ += size;
  }
  const auto sum = checksum_of(file, size);
  const std::scoped_lock lock(mutex_);
  if (sum) checksums_.emplace(key, *sum);
  return sum;
}

DebugBudget::Spending::Spending(DebugBudget& budget)
    : budget_(budget), start_(clock_ns(CLOCK_THREAD_CPUTIME_ID)) {
  spending_since_ns_ = start_;
}

DebugBudget::Spending::~Spending() {
  budget_.spent_ns_ += clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_;
  spending_since_ns_ = 0;
}

bool DebugBudget::out_of_time(const std::string& path) {
  if (spent_ns_ > limits_.cpu_ns) {
    const std::scoped_lock lock(mutex_);
    too_slow_.insert(path);
    return true;
  }
  if (spending_since_ns_ == 0) return false;
  // This clock is a memory read; that of the thread is a system call, needed when the other has
  // moved.
  const std::uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);
  if (now == looked_at_ns_) return false;
  looked_at_ns_ = now;
  if (spent_ns_ + (clock_ns(CLOCK_THREAD_CPUTIME_ID) - spending_since_ns_) <= limits_.cpu_ns)
    return false;
  const std::scoped_lock lock(mutex_);
  too_slow_.insert(path);
  return true;
}

std::vector<std::string> DebugBudget::notes() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> notes;
  if (!too_large_.empty())
    notes.push_back(
        fmt::format("symbols or debug information of {} were left out, beyond {} for all files: "
                    "names and lines may be missing",
                    some_of(too_large_), human_bytes(limits_.memory)));
  if (!not_checked_.empty())
    notes.push_back(
        fmt::format("debug files were not checked, and so not used, beyond {} for all files: {}",
                    human_bytes(limits_.checked), some_of(not_checked_)));
  if (!too_slow_.empty())
    notes.push_back(
        fmt::format("debug information of {} was given up, beyond {} s of CPU time for all files: "
                    "names and lines may be missing",
                    some_of(too_slow_), limits_.cpu_ns / 1'000'000'000));
  return notes;
}

}  // namespace cowtrace::process
