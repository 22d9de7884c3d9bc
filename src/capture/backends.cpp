// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <utility>

#include "base/units.h"
#include "capture/capture.h"
#include "capture/preemption.h"

namespace cowtrace::capture {

// In the order in which `auto` tries them. fentry is the cheapest, but for kernels that preempt
// themselves: there it has to be attached several times, and a kprobe is never preempted.
std::vector<Backend> backends() {
  std::vector<Backend> all = {
      {"fentry", "fentry and fexit on the fault path", open_fentry},
      {"kprobe", "kprobes on the fault path", open_kprobe},
      {"static", "tracepoints and perf software events: works where kernel text cannot be patched",
       open_static},
  };
  if (kernel_preempts()) std::swap(all[0], all[1]);
  return all;
}

Result<std::unique_ptr<Capture>> open_capture(std::string_view name,
                                              const CaptureOptions& options) {
  Error last{"no backend works", "", "'cowtrace doctor' says why"};
  for (const Backend& backend : backends()) {
    const bool chosen = name == backend.name;
    if (!chosen && name != "auto") continue;
    auto capture = backend.open(options);
    if (capture || chosen) return capture;
    last = capture.error();
  }
  if (name != "auto" && last.what == "no backend works")
    return fail(fmt::format("--backend {}", printable(name)), "unknown",
                "use auto, fentry, kprobe or static");
  return tl::unexpected(last);
}

}  // namespace cowtrace::capture
