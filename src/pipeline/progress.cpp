// SPDX-License-Identifier: Apache-2.0
#include "pipeline/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "base/units.h"

namespace cowtrace::pipeline {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

}  // namespace

Progress::Progress(bool wanted) : enabled_(wanted && isatty(STDERR_FILENO) == 1) {}

void Progress::update(std::uint64_t elapsed_ns, std::uint64_t breaks, std::uint64_t copied_bytes) {
  if (!enabled_ || elapsed_ns < kSecond || elapsed_ns - last_ns_ < kSecond / 2) return;
  const double seconds = static_cast<double>(elapsed_ns - last_ns_) / static_cast<double>(kSecond);
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(breaks - last_breaks_) / seconds);
  fmt::print(stderr, "\r\033[Kcowtrace: {}  {} breaks/s  {} copied", human_duration(elapsed_ns), human_count(rate),
             human_bytes(copied_bytes));
  std::fflush(stderr);
  shown_ = true;
  last_ns_ = elapsed_ns;
  last_breaks_ = breaks;
}

void Progress::clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace cowtrace::pipeline
