// SPDX-License-Identifier: Apache-2.0
// The static backend: page-fault tracepoints at entry, perf software events at completion
// (bpf/static.bpf.c).
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "capture/bpf_capture.h"
#include "capture/kernel_version.h"
#include "cowtrace.skel.h"

namespace cowtrace::capture {
namespace {

class StaticCapture final : public BpfCapture {
 public:
  explicit StaticCapture(const CaptureOptions& options) : BpfCapture(options) {}
  std::string backend() const override { return "static"; }

 private:
  bool wants(std::string_view program) const override { return program.starts_with("fault_"); }
  Status attach_faults(cowtrace_bpf& skeleton) override;
  Need need(const Coverage& row) const override { return row.by_static; }
  Status attach_completion(cowtrace_bpf& skeleton);
};

// Completion before entry, so that no fault is ever half seen.
Status StaticCapture::attach_faults(cowtrace_bpf& skeleton) {
  if (auto done = attach_completion(skeleton); !done) return done;
  // Before 6.2 forks make no such counters (bpf/static.bpf.c): whatever else made some last would
  // be taken for the beginning of the next fork.
  if (kernel_version() >= std::pair(6, 2))
    if (bpf_link* link = bpf_program__attach_raw_tracepoint(skeleton.progs.fault_fork_begins,
                                                            "percpu_alloc_percpu");
        link != nullptr)
      if (auto kept = keep(link, "percpu_alloc_percpu"); !kept) return kept;
  if (pairing())
    if (auto attached = attach_hook(skeleton.progs.fault_allocation); !attached) return attached;
  for (const char* fault : {"page_fault_user", "page_fault_kernel"}) {
    bpf_link* link = bpf_program__attach_raw_tracepoint(skeleton.progs.fault_entry, fault);
    if (link == nullptr && errno == ENOENT)
      return fail(std::string("cannot attach ") + fault, "this kernel has no exception tracepoints",
                  "use --backend fentry or kprobe");
    if (auto kept = keep(link, fault); !kept) return kept;
  }
  return {};
}

// Per CPU rather than inherited by the command: an inherited event dies when a traced program execs
// a setuid file.
Status StaticCapture::attach_completion(cowtrace_bpf& skeleton) {
  const int cpus = libbpf_num_possible_cpus();
  int opened = 0;
  for (int cpu = 0; cpu < cpus; ++cpu) {
    for (const std::uint64_t kind :
         {PERF_COUNT_SW_PAGE_FAULTS_MIN, PERF_COUNT_SW_PAGE_FAULTS_MAJ}) {
      perf_event_attr attributes{};
      attributes.type = PERF_TYPE_SOFTWARE;
      attributes.size = sizeof(attributes);
      attributes.config = kind;
      attributes.sample_period = 1;
      attributes.sample_type = PERF_SAMPLE_ADDR;
      const int fd = static_cast<int>(
          syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
      if (fd < 0 && errno == ENODEV) break;  // this CPU is offline
      if (fd < 0)
        return fail_errno("cannot open a perf software event", errno,
                          "run as root; see 'cowtrace doctor'");
      bpf_link* link = bpf_program__attach_perf_event(skeleton.progs.fault_done, fd);
      if (link == nullptr) {
        const int error = errno;
        close(fd);
        return fail_errno("cannot attach to a perf software event", error, "see 'cowtrace doctor'");
      }
      if (auto kept = keep(link, "to a perf software event"); !kept) return kept;
      ++opened;
    }
  }
  if (opened == 0) return fail("cannot open perf software events", "no CPU is online");
  return {};
}

}  // namespace

Result<std::unique_ptr<Capture>> open_static(const CaptureOptions& options) {
  auto capture = std::make_unique<StaticCapture>(options);
  if (auto opened = capture->open(); !opened) return tl::unexpected(opened.error());
  return capture;
}

}  // namespace cowtrace::capture
