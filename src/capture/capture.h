// SPDX-License-Identifier: Apache-2.0
// A running capture: BPF programs attached, events coming. One implementation a backend; nothing of
// libbpf shows.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unwind_rule.h"
#include "capture/calibrate.h"
#include "capture/python_probe.h"
#include "capture/stack_copy.h"
#include "model/events.h"
#include "model/session.h"

namespace cowtrace::capture {

struct CaptureOptions {
  std::optional<std::uint64_t>
      buffer_bytes;  // of the ring buffer of breaks, rounded up to a power of two; none: what suits
                     // the machine (buffer_sizes.h)
  std::optional<std::uint64_t>
      available_memory;              // bytes of the machine that may be taken; none: not known
  std::uint32_t frames = 16;         // native stack frames a break, 0: none
  std::uint32_t python_frames = 16;  // Python stack frames a break, 0: none
  bool counts_only = false;          // --detail counts
  bool audit = true;                 // report pages that were populated anew, for the audit
  bool first_writes =
      false;  // --allocators: report the first write to each page of anonymous memory
  bool wake_early =
      false;  // report each new mapping at once: nothing else stops a process before it ends
  std::uint64_t zero_frame = 0;  // frame of the zero page, 0: this kernel maps none
  bool attach = false;           // track_running() will be called
  bool page_tables =
      true;  // false: pair faults with allocations even where page tables can be read
};

// Processes that run already; those that descend from them are meant too, ourselves never.
struct Running {
  std::vector<pid_t> pids;  // in our pid namespace; who is not there any more is no error
  bool all = false;         // whoever there is
};

// The kernel's own counters: exact, also for resolutions whose event was lost.
struct Counters {
  model::Counts totals;
  std::uint64_t lost = 0;
  std::uint64_t lost_control = 0;
  std::uint64_t lost_populates = 0;
  std::uint64_t unfinished = 0;
  std::uint64_t untracked = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t walk_failed = 0;
  std::uint64_t mapping_busy = 0;
  std::uint64_t late = 0;
  std::uint64_t lost_copies = 0;  // stacks that were cut short, for there was no room for a copy
  std::uint64_t skipped =
      0;  // runs of our programs that the kernel left out because one of them ran already
};

struct PageCountRow {
  model::SpaceId space;
  model::PageCount row;
};

class Capture {
 public:
  using Sink = std::function<void(model::Event&&)>;
  using CopySink = std::function<void(StackCopy&&)>;

  virtual ~Capture() = default;

  // From now on `pid` (a single-threaded process of ours that is about to exec) is traced from its
  // exec on, with all it forks.
  virtual Status track_next_exec(pid_t pid) = 0;
  // From now on these are traced, with all they fork; those that are traced already stay so.
  // Returns how many threads are new. Only with CaptureOptions::attach.
  virtual Result<std::size_t> track_running(const Running& running) = 0;
  // From now on breaks in `space` tell whether their thread runs this Python, its frames, and
  // whether the garbage collector runs. Spaces that are forked later inherit it; an exec and the
  // end of a space forget it. May be called again, with what is better known. Each call hides
  // faults of this CPU from perf's BPF programs for a microsecond. Errors: no such layout, or there
  // are too many spaces.
  virtual Status set_python(model::SpaceId space, const PythonProbe& probe) = 0;
  // Copies of stacks, which no rule led through, are for another thread: one that waits for
  // copies_fd(), takes them with drain_copies(), which returns how many there were, and answers
  // with add_rule(): from now on stacks in `scope` (StackCopy::scope) are walked by this at
  // `address`, of an instruction (`exact`) or where a call returns to. A rule costs no system call.
  [[nodiscard]] virtual int copies_fd() const = 0;
  virtual std::uint64_t drain_copies(const CopySink& sink) = 0;
  virtual void add_rule(std::uint64_t scope, std::uint64_t address, bool exact,
                        const UnwindRule& rule) = 0;
  // How many copies were sent until now.
  [[nodiscard]] virtual std::uint64_t copies_sent() const = 0;
  // Bytes of memory of ours that are the kernel's buffers, as often as they are mapped.
  [[nodiscard]] virtual std::uint64_t mapped_bytes() const { return 0; }
  // A descriptor for epoll: readable when a ring buffer is well filled.
  [[nodiscard]] virtual int poll_fd() const = 0;
  // Hands all events that are there to `sink`, without waiting. Returns how many could not be
  // decoded.
  virtual std::uint64_t drain(const Sink& sink) = 0;
  // Detaches all hooks: nothing is counted any more.
  virtual void stop() = 0;
  [[nodiscard]] virtual Counters counters() const = 0;
  // Counters::lost alone, which costs nothing.
  [[nodiscard]] virtual std::uint64_t lost() const = 0;
  // --detail counts: the kernel's table of pages. Only after stop(): reading a map hides faults
  // from perf's BPF programs meanwhile.
  [[nodiscard]] virtual Result<std::vector<PageCountRow>> page_counts() const = 0;

  [[nodiscard]] virtual std::string backend() const = 0;
  [[nodiscard]] virtual std::vector<std::string> blind_spots() const = 0;
  [[nodiscard]] virtual std::vector<std::string> notes() const = 0;
  // The mapping of each break is read at the fault; otherwise it is taken from /proc.
  [[nodiscard]] virtual bool reads_mappings() const = 0;
  [[nodiscard]] virtual const Calibration& calibration() const = 0;
};

Result<std::unique_ptr<Capture>> open_fentry(const CaptureOptions& options);
Result<std::unique_ptr<Capture>> open_kprobe(const CaptureOptions& options);
Result<std::unique_ptr<Capture>> open_static(const CaptureOptions& options);

// One row a backend: what --backend, `auto` and doctor know. A new backend is a row here.
struct Backend {
  std::string_view name;
  std::string_view about;
  Result<std::unique_ptr<Capture>> (*open)(const CaptureOptions&);
};
std::vector<Backend> backends();

// `name` is a backend's name or "auto" (the first that works).
Result<std::unique_ptr<Capture>> open_capture(std::string_view name, const CaptureOptions& options);

}  // namespace cowtrace::capture
