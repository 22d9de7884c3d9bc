// SPDX-License-Identifier: Apache-2.0
#include "pipeline/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/say.h"
#include "base/units.h"
#include "pipeline/ending.h"
#include "pipeline/stage_line.h"

namespace cowtrace::pipeline {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

}  // namespace

Progress::Progress(bool wanted) : enabled_(wanted && may_draw()) {}

void Progress::update(std::uint64_t elapsed_ns, std::uint64_t breaks, std::uint64_t copied_bytes) {
  if (!enabled_ || elapsed_ns < kSecond || elapsed_ns - last_ns_ < kSecond / 2) return;
  const double seconds = static_cast<double>(elapsed_ns - last_ns_) / static_cast<double>(kSecond);
  const auto rate =
      static_cast<std::uint64_t>(static_cast<double>(breaks - last_breaks_) / seconds);
  static_cast<void>(write_all(
      STDERR_FILENO,
      fmt::format("\r\033[Kcowtrace: {}  {} breaks/s  {} copied", human_duration(elapsed_ns),
                  human_count(rate), human_bytes(copied_bytes))));
  shown_ = true;
  Ending::set_line_shown(true);
  last_ns_ = elapsed_ns;
  last_breaks_ = breaks;
}

void Progress::clear() {
  if (!shown_) return;
  static_cast<void>(write_all(STDERR_FILENO, "\r\033[K"));
  shown_ = false;
  Ending::set_line_shown(false);
}

void Progress::stop() {
  clear();
  enabled_ = false;
}

}  // namespace cowtrace::pipeline
