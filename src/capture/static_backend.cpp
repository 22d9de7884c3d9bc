// SPDX-License-Identifier: Apache-2.0
// The static backend: page-fault tracepoints at entry, perf software events at completion (bpf/faults.bpf.c).
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <fstream>
#include <utility>

#include "abi/config.h"
#include "base/fd.h"
#include "base/units.h"
#include "capture/bpf_log.h"
#include "capture/calibrate.h"
#include "capture/capture.h"
#include "capture/decoder.h"
#include "capture/load_error.h"
#include "cowtrace.skel.h"

namespace cowtrace::capture {
namespace {

// --detail counts: pages of the whole family; memory is taken only for pages that are there.
constexpr std::uint32_t kMostCountedPages = 16U << 20;

// In the running kernel's BTF, where every function that BPF programs may call is listed.
bool kernel_has_function(const char* name) {
  btf* kernel = btf__load_vmlinux_btf();
  if (kernel == nullptr) return false;
  const bool found = btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC) > 0;
  btf__free(kernel);
  return found;
}

// Anything but a plain "0" of both: pages may be merged while we trace.
bool ksm_in_use() {
  for (const char* path : {"/sys/kernel/mm/ksm/run", "/sys/kernel/mm/ksm/pages_shared"}) {
    std::ifstream file(path);
    std::uint64_t value = 0;
    if (file >> value && value != 0) return true;
  }
  return false;
}

std::uint64_t ring_size(std::uint64_t wanted) {
  return std::bit_ceil(std::clamp<std::uint64_t>(wanted, kPageSize, std::uint64_t{1} << 30));
}

class StaticCapture final : public Capture {
 public:
  static Result<std::unique_ptr<Capture>> open(const CaptureOptions& options);
  StaticCapture(const StaticCapture&) = delete;
  StaticCapture& operator=(const StaticCapture&) = delete;
  ~StaticCapture() override { stop(); }

  Status track_next_exec(pid_t pid) override;
  int poll_fd() const override { return ring_buffer__epoll_fd(rings_.get()); }
  std::uint64_t drain(const Sink& sink) override;
  void stop() override;
  Counters counters() const override;
  Result<std::vector<PageCountRow>> page_counts() const override;
  std::string backend() const override { return "static"; }
  std::vector<std::string> blind_spots() const override;
  std::vector<std::string> notes() const override;

 private:
  explicit StaticCapture(const CaptureOptions& options) : options_(options) {}
  void configure();
  Status attach();
  Status attach_fault_events();
  bool pairing() const { return calibration_.direct_map == 0 || !options_.page_tables; }
  static int on_event(void* context, void* data, std::size_t size);

  struct Destroy {
    void operator()(cowtrace_bpf* skeleton) const { cowtrace_bpf__destroy(skeleton); }
  };
  struct FreeRings {
    void operator()(ring_buffer* rings) const { ring_buffer__free(rings); }
  };

  CaptureOptions options_;
  Calibration calibration_;
  bool find_mapping_ = true;
  std::unique_ptr<cowtrace_bpf, Destroy> skeleton_;
  std::unique_ptr<ring_buffer, FreeRings> rings_;
  std::vector<bpf_link*> links_;
  const Sink* sink_ = nullptr;
  std::uint64_t undecodable_ = 0;
};

Result<std::unique_ptr<Capture>> StaticCapture::open(const CaptureOptions& options) {
  auto calibration = calibrate();
  if (!calibration) return tl::unexpected(calibration.error());
  auto capture = std::unique_ptr<StaticCapture>(new StaticCapture(options));
  capture->calibration_ = *calibration;

  const BpfLog log;
  capture->skeleton_.reset(cowtrace_bpf__open());
  if (!capture->skeleton_) return fail("cannot open BPF programs", log.reason(errno));
  capture->configure();
  if (const int error = cowtrace_bpf__load(capture->skeleton_.get()); error != 0)
    return tl::unexpected(load_error("cannot load the static backend", log, error));
  if (auto attached = capture->attach(); !attached) return tl::unexpected(attached.error());
  return capture;
}

void StaticCapture::configure() {
  auto& skeleton = *skeleton_;
  find_mapping_ = libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_find_vma, nullptr) == 1;
  const std::uint64_t ring = ring_size(options_.buffer_bytes);
  cowtrace_config& config = *const_cast<cowtrace_config*>(&skeleton.rodata->options);
  config.direct_map = pairing() ? 0 : calibration_.direct_map;
  config.vmemmap = calibration_.vmemmap;
  config.zero_frame = options_.zero_frame;
  config.frame_mask = calibration_.frame_mask;
  config.levels = calibration_.levels;
  config.page_struct = calibration_.page_struct;
  config.frames = std::min<std::uint32_t>(options_.frames, COWTRACE_MAX_FRAMES);
  config.counts_only = options_.counts_only;
  config.audit = options_.audit;
  config.find_mapping = find_mapping_;
  config.pairing = pairing();
  config.ksm = ksm_in_use();
  config.wake_control = options_.wake_early;
  config.direct_loads = kernel_has_function("bpf_rdonly_cast");
  // Half full: a wake-up for about 150,000 breaks of the default buffer, and as much room again until we come.
  config.wakeup_bytes = static_cast<std::uint32_t>(ring / 2);
  bpf_map__set_max_entries(skeleton.maps.data_ring, static_cast<std::uint32_t>(ring));
  if (options_.counts_only) bpf_map__set_max_entries(skeleton.maps.pages, kMostCountedPages);
  bpf_program__set_autoload(skeleton.progs.on_page_alloc, pairing());
}

Status StaticCapture::attach() {
  const BpfLog log;
  auto& progs = skeleton_->progs;
  // Completion before entry, so that no fault is ever half seen.
  if (auto done = attach_fault_events(); !done) return done;
  std::vector<bpf_program*> programs = {progs.on_fork, progs.on_exec, progs.on_exit, progs.on_page_fault_user,
                                        progs.on_page_fault_kernel};
  if (pairing()) programs.push_back(progs.on_page_alloc);
  for (bpf_program* program : programs) {
    bpf_link* link = bpf_program__attach(program);
    if (link == nullptr)
      return fail(fmt::format("cannot attach {}", bpf_program__name(program)), log.reason(errno), "see 'cowtrace doctor'");
    links_.push_back(link);
  }
  rings_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.control_ring), on_event, this, nullptr));
  if (!rings_ || ring_buffer__add(rings_.get(), bpf_map__fd(skeleton_->maps.data_ring), on_event, this) != 0)
    return fail_errno("cannot map the ring buffers", errno, "try a smaller --buffer");
  return {};
}

// Per CPU rather than inherited by the command: an inherited event dies when a traced program execs a setuid file.
Status StaticCapture::attach_fault_events() {
  const int cpus = libbpf_num_possible_cpus();
  int opened = 0;
  for (int cpu = 0; cpu < cpus; ++cpu) {
    for (const std::uint64_t kind : {PERF_COUNT_SW_PAGE_FAULTS_MIN, PERF_COUNT_SW_PAGE_FAULTS_MAJ}) {
      perf_event_attr attributes{};
      attributes.type = PERF_TYPE_SOFTWARE;
      attributes.size = sizeof(attributes);
      attributes.config = kind;
      attributes.sample_period = 1;
      attributes.sample_type = PERF_SAMPLE_ADDR;
      const int fd = static_cast<int>(syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
      if (fd < 0 && errno == ENODEV) break;  // this CPU is offline
      if (fd < 0)
        return fail_errno("cannot open a perf software event", errno, "run as root; see 'cowtrace doctor'");
      bpf_link* link = bpf_program__attach_perf_event(skeleton_->progs.on_fault_done, fd);
      if (link == nullptr) {
        const int error = errno;
        close(fd);
        return fail_errno("cannot attach to a perf software event", error, "see 'cowtrace doctor'");
      }
      links_.push_back(link);
      ++opened;
    }
  }
  if (opened == 0) return fail("cannot open perf software events", "no CPU is online");
  return {};
}

Status StaticCapture::track_next_exec(pid_t pid) {
  const Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) return fail_errno("cannot watch the command", errno);
  const int key = pidfd.get();
  const bpf_map* tasks = skeleton_->maps.tasks;
  const std::vector<std::byte> fresh(bpf_map__value_size(tasks));
  if (bpf_map_update_elem(bpf_map__fd(tasks), &key, fresh.data(), BPF_NOEXIST) != 0)
    return fail_errno("cannot mark the command for tracing", errno);
  return {};
}

int StaticCapture::on_event(void* context, void* data, std::size_t size) {
  auto* self = static_cast<StaticCapture*>(context);
  auto event = decode({static_cast<const std::byte*>(data), size});
  if (event)
    (*self->sink_)(std::move(*event));
  else
    ++self->undecodable_;
  return 0;
}

std::uint64_t StaticCapture::drain(const Sink& sink) {
  if (!rings_) return 0;
  sink_ = &sink;
  undecodable_ = 0;
  ring_buffer__consume(rings_.get());
  sink_ = nullptr;
  return undecodable_;
}

void StaticCapture::stop() {
  // Entry hooks first: a fault that is under way then still completes.
  for (auto link = links_.rbegin(); link != links_.rend(); ++link) bpf_link__destroy(*link);
  links_.clear();
}

Counters StaticCapture::counters() const {
  const std::uint32_t key = 0;
  std::vector<cowtrace_counters> cpus(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  static_assert(sizeof(cowtrace_counters) % 8 == 0, "the kernel rounds per-CPU values up to 8 bytes");
  Counters sum;
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counters), &key, cpus.data()) != 0) return sum;
  for (const cowtrace_counters& cpu : cpus) {
    for (std::size_t i = 0; i < model::kMechanisms; ++i) {
      sum.totals.count[i] += cpu.resolutions.count[i];
      sum.totals.bytes[i] += cpu.resolutions.bytes[i];
    }
    sum.lost += cpu.lost;
    sum.lost_control += cpu.lost_control;
    sum.lost_populates += cpu.lost_populate;
    sum.unfinished += cpu.unfinished;
    sum.untracked += cpu.untracked;
    sum.duplicates += cpu.duplicates;
    sum.walk_failed += cpu.walk_failed;
    sum.mapping_busy += cpu.mapping_busy;
    sum.late += cpu.late;
  }
  return sum;
}

Result<std::vector<PageCountRow>> StaticCapture::page_counts() const {
  std::vector<PageCountRow> rows;
  const int map = bpf_map__fd(skeleton_->maps.pages);
  cowtrace_page_key key{};
  cowtrace_page_value value{};
  for (const void* previous = nullptr; bpf_map_get_next_key(map, previous, &key) == 0; previous = &key) {
    if (bpf_map_lookup_elem(map, &key, &value) != 0 || key.mechanism >= model::kMechanisms) continue;
    PageCountRow row;
    row.space = model::SpaceId(key.space);
    row.row = {.page = key.page,
               .count = value.count,
               .first_ns = value.first_ns,
               .last_ns = value.last_ns,
               .last_address = value.last_address,
               .old_frame = value.old_frame,
               .new_frame = value.new_frame,
               .mapping = model::MappingHash(value.mapping),
               .size = value.size,
               .mechanism = static_cast<model::Mechanism>(key.mechanism)};
    rows.push_back(row);
  }
  return rows;
}

std::vector<std::string> StaticCapture::blind_spots() const {
  std::vector<std::string> spots = {
      "writes and pins that take no page fault: /proc/PID/mem, process_vm_writev, ptrace, io_uring, O_DIRECT",
      "writes to pages that are swapped out"};
  if (pairing())
    spots.emplace_back("page tables: faults are paired with allocations, so zero-fill, file-copy and ksm-copy show as copy, "
                       "old frames are not known, and threads that race for one page may count twice");
  else if (calibration_.vmemmap == 0)
    spots.emplace_back("struct page: file-copy and ksm-copy show as copy");
  if (!find_mapping_) spots.emplace_back("first writes to absent pages of private file mappings (file-copy); needs kernel 5.17");
  return spots;
}

std::vector<std::string> StaticCapture::notes() const {
  std::vector<std::string> notes;
  if (!options_.page_tables)
    notes.emplace_back("page tables are not read, as asked for");
  else if (!calibration_.problem.empty())
    notes.push_back(calibration_.problem);
  return notes;
}

}  // namespace

Result<std::unique_ptr<Capture>> open_static(const CaptureOptions& options) { return StaticCapture::open(options); }

}  // namespace cowtrace::capture
