// SPDX-License-Identifier: Apache-2.0
#include "top/plain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/say.h"
#include "base/units.h"
#include "report/text_layout.h"
#include "top/rows.h"

namespace cowtrace::top {
namespace {

constexpr std::uint64_t kEveryNs = 1'000'000'000;
constexpr std::size_t kName = 60;  // columns of a name

}  // namespace

std::string plain_line(const analysis::LiveSnapshot& snapshot) {
  const auto rate = [&](std::uint64_t of) {
    return snapshot.window_ns == 0
               ? 0
               : static_cast<std::uint64_t>(
                     static_cast<double>(of) * 1e9 / static_cast<double>(snapshot.window_ns) + 0.5);
  };
  std::string line = fmt::format(
      "cowtrace: {:>8}  {} breaks/s  {}/s copied  total {} breaks, {}  {}",
      human_duration(snapshot.elapsed_ns), human_count(rate(snapshot.total.recent.breaks)),
      human_bytes(rate(snapshot.total.recent.bytes)), human_count(snapshot.total.count.breaks),
      human_bytes(snapshot.total.count.bytes),
      report::counted(snapshot.processes_alive, "process", "processes"));
  if (snapshot.lost_events != 0)
    line += fmt::format("  {} LOST", human_count(snapshot.lost_events));
  // What there is most of: cause, object, site.
  const auto add = [&](const std::string& name) { line += "  " + report::fitted(name, kName); };
  if (!snapshot.causes.rows.empty()) add(label_of_cause(snapshot.causes.rows[0].id));
  if (!snapshot.objects.rows.empty()) add(label_of(snapshot.objects.rows[0]));
  if (!snapshot.sites.rows.empty()) {
    const auto& frames = snapshot.sites.rows[0].frames;
    const auto named =
        std::find_if(frames.begin(), frames.end(),
                     [](const model::StackFrame& frame) { return frame.why_unnamed.empty(); });
    if (named != frames.end()) add(label_of(*named));
  }
  return line;
}

// Snapshots also come between the seconds, when there are new names.
void PlainLines::show(Snapshot snapshot) {
  if (begun_ && snapshot->elapsed_ns - printed_ns_ < kEveryNs && snapshot->ended.empty()) return;
  // The first one is of the moment of the start.
  if (begun_ || !snapshot->ended.empty()) std::fputs((plain_line(*snapshot) + '\n').c_str(), out_);
  // Where nobody reads it, as behind `| head`, nobody looks.
  if (std::fflush(out_) != 0 && errno == EPIPE) left_ = true;
  printed_ns_ = snapshot->elapsed_ns;
  begun_ = true;
}

void PlainLines::say(const std::string& text) {
  std::fflush(out_);
  cowtrace::say(text);
}

}  // namespace cowtrace::top
