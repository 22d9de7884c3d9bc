// SPDX-License-Identifier: Apache-2.0
// The static backend: page-fault tracepoints at entry, perf software events at completion (bpf/faults.bpf.c).
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bit>
#include <cstdio>
#include <fstream>
#include <utility>

#include "abi/config.h"
#include "base/fd.h"
#include "base/units.h"
#include "capture/bpf_log.h"
#include "capture/calibrate.h"
#include "capture/capture.h"
#include "capture/decoder.h"
#include "capture/lanes.h"
#include "capture/load_error.h"
#include "cowtrace.skel.h"

namespace cowtrace::capture {
namespace {

// --detail counts: pages of the whole family; memory is taken only for pages that are there.
constexpr std::uint32_t kMostCountedPages = 16U << 20;

constexpr std::uint64_t kSmallestWithLanes = 1 << 20;  // bytes of --buffer

// Loads from kernel memory that the kernel itself guards (bpf_rdonly_cast) came with 6.2.
bool may_load_directly() {
  utsname system{};
  int major = 0, minor = 0;
  return uname(&system) == 0 && std::sscanf(system.release, "%d.%d", &major, &minor) == 2 && std::pair(major, minor) >= std::pair(6, 2);
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
  const Calibration& calibration() const override { return calibration_; }

 private:
  explicit StaticCapture(const CaptureOptions& options) : options_(options) {}
  Status load(bool direct_loads);
  void configure(bool direct_loads);
  void tell_layout();
  Status attach();
  Status attach_fault_events();
  Status map_buffers();
  bool pairing() const { return calibration_.direct_map == 0 || !options_.page_tables; }
  void take(std::span<const std::byte> bytes);

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
  Lanes lanes_;
  std::vector<bpf_link*> links_;
  const Sink* sink_ = nullptr;
  std::uint64_t undecodable_ = 0;
};

Result<std::unique_ptr<Capture>> StaticCapture::open(const CaptureOptions& options) {
  auto capture = std::unique_ptr<StaticCapture>(new StaticCapture(options));
  Status loaded = capture->load(may_load_directly());
  if (!loaded && may_load_directly()) loaded = capture->load(false);
  if (!loaded) return tl::unexpected(loaded.error());
  auto calibration = calibrate(*capture->skeleton_);
  if (!calibration) return tl::unexpected(calibration.error());
  capture->calibration_ = *calibration;
  capture->tell_layout();
  if (auto attached = capture->attach(); !attached) return tl::unexpected(attached.error());
  return capture;
}

Status StaticCapture::load(bool direct_loads) {
  const BpfLog log;
  skeleton_.reset(cowtrace_bpf__open());
  if (!skeleton_) return fail("cannot open BPF programs", log.reason(errno));
  configure(direct_loads);
  if (const int error = cowtrace_bpf__load(skeleton_.get()); error != 0)
    return tl::unexpected(load_error("cannot load the static backend", log, error));
  return {};
}

void StaticCapture::tell_layout() {
  cowtrace_layout& layout = skeleton_->data->layout;
  layout.direct_map = pairing() ? 0 : calibration_.direct_map;
  layout.vmemmap = calibration_.vmemmap;
  layout.frame_mask = calibration_.frame_mask;
  layout.levels = calibration_.levels;
  layout.pairing = pairing();
}

void StaticCapture::configure(bool direct_loads) {
  auto& skeleton = *skeleton_;
  find_mapping_ = libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_find_vma, nullptr) == 1;
  const std::uint64_t ring = ring_size(options_.buffer_bytes);
  cowtrace_config& config = *const_cast<cowtrace_config*>(&skeleton.rodata->options);
  config.zero_frame = options_.zero_frame;
  config.frames = std::min<std::uint32_t>(options_.frames, COWTRACE_MAX_FRAMES);
  config.counts_only = options_.counts_only;
  config.audit = options_.audit;
  config.find_mapping = find_mapping_;
  config.ksm = ksm_in_use();
  config.wake_control = options_.wake_early;
  config.direct_loads = direct_loads;
  // Half full: a wake-up for about 150,000 breaks of the default buffer, and as much room again until we come.
  config.wakeup_bytes = static_cast<std::uint32_t>(ring / 2);
  bpf_map__set_max_entries(skeleton.maps.data_ring, static_cast<std::uint32_t>(ring));
  // Who asks for a small buffer gets no more than that.
  config.lanes = ring >= kSmallestWithLanes;
  bpf_map__set_max_entries(skeleton.maps.lanes, static_cast<std::uint32_t>(libbpf_num_possible_cpus()));
  if (options_.counts_only) bpf_map__set_max_entries(skeleton.maps.pages, kMostCountedPages);
}

Status StaticCapture::attach() {
  const BpfLog log;
  auto& progs = skeleton_->progs;
  // Completion before entry, so that no fault is ever half seen.
  if (auto done = attach_fault_events(); !done) return done;
  std::vector<bpf_program*> programs = {progs.on_fork, progs.on_exec, progs.on_exit, progs.on_free};
  if (pairing()) programs.push_back(progs.on_page_alloc);
  const auto keep = [&](bpf_link* link, const char* name) -> Status {
    if (link == nullptr) return fail(fmt::format("cannot attach {}", name), log.reason(errno), "see 'cowtrace doctor'");
    links_.push_back(link);
    return {};
  };
  for (const bpf_program* program : programs)
    if (auto kept = keep(bpf_program__attach(program), bpf_program__name(program)); !kept) return kept;
  for (const char* fault : {"page_fault_user", "page_fault_kernel"})
    if (auto kept = keep(bpf_program__attach_raw_tracepoint(progs.on_page_fault, fault), fault); !kept) return kept;
  return map_buffers();
}

Status StaticCapture::map_buffers() {
  const auto on_event = [](void* self, void* data, std::size_t size) {
    static_cast<StaticCapture*>(self)->take({static_cast<const std::byte*>(data), size});
    return 0;
  };
  rings_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.control_ring), on_event, this, nullptr));
  if (!rings_ || ring_buffer__add(rings_.get(), bpf_map__fd(skeleton_->maps.data_ring), on_event, this) != 0)
    return fail_errno("cannot map the ring buffers", errno, "try a smaller --buffer");
  auto lanes = Lanes::map(bpf_map__fd(skeleton_->maps.lanes), bpf_map__max_entries(skeleton_->maps.lanes));
  if (!lanes) return tl::unexpected(lanes.error());
  lanes_ = std::move(*lanes);
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
  __atomic_fetch_add(&skeleton_->data->shared.stored, 1, __ATOMIC_SEQ_CST);
  if (bpf_map_update_elem(bpf_map__fd(tasks), &key, fresh.data(), BPF_NOEXIST) != 0)
    return fail_errno("cannot mark the command for tracing", errno);
  return {};
}

void StaticCapture::take(std::span<const std::byte> bytes) {
  if (is_wake(bytes)) return;
  if (auto event = decode(bytes))
    (*sink_)(std::move(*event));
  else
    ++undecodable_;
}

std::uint64_t StaticCapture::drain(const Sink& sink) {
  if (!rings_) return 0;
  sink_ = &sink;
  undecodable_ = 0;
  lanes_.drain([this](std::span<const std::byte> bytes) { take(bytes); });
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
  Counters sum;
  for (const cowtrace_lane& lane : lanes_.all()) {
    const cowtrace_counters& cpu = lane.counters;
    for (std::size_t i = 0; i < model::kMechanisms; ++i) {
      sum.totals.count[i] += cpu.resolutions.of[i].count;
      sum.totals.bytes[i] += cpu.resolutions.of[i].bytes;
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
