// SPDX-License-Identifier: Apache-2.0
#include "capture/bpf_capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "abi/config.h"
#include "abi/python.h"
#include "base/fd.h"
#include "base/privilege.h"
#include "base/units.h"
#include "capture/again.h"
#include "capture/bpf_log.h"
#include "capture/decoder.h"
#include "capture/kernel_version.h"
#include "capture/load_error.h"
#include "capture/page_counts.h"
#include "capture/preemption.h"
#include "cowtrace.skel.h"
#include "cowtrace_old.skel.h"

namespace cowtrace::capture {
namespace {

// --detail counts: groups of neighbouring pages of the whole family, of 1 KiB; memory is taken only
// for those that are there.
constexpr std::uint32_t kMostCountedGroups = 2U << 20;

constexpr std::uint32_t kMostCountedGroupsAtOnce =
    128U << 10;  // where that memory has to be taken beforehand (before 6.1)

constexpr std::uint64_t kSmallestWithLanes = 1 << 20;  // bytes of --buffer

#if defined(__x86_64__)
constexpr bool kUnwinds = true;
#else
constexpr bool kUnwinds = false;  // by frame pointer only
#endif

// Tasks that find no room in the table: at once where the kernel takes memory for a map when it is
// needed (safely in any hook since 6.1).
constexpr std::uint32_t kMostTasks = 1 << 20;

// What BPF programs can use, oldest first; a kernel that has one has those before it.
constexpr std::array<std::pair<int, int>, 3> kFeatures = {{
    {5, 13},  // the address of a function in a program, and atomic instructions that tell the old
              // value
    {5, 15},  // bpf_task_pt_regs
    {6, 2},   // bpf_rdonly_cast: loads from kernel memory that the kernel itself guards
}};
constexpr int kNewInstructions = 1, kTaskRegisters = 2, kDirectLoads = 3;

// Hooks on faults are named by how they are attached; everything else every backend needs.
bool is_fault_hook(std::string_view program) {
  for (const std::string_view prefix : {"fentry_", "fexit_", "kprobe_", "kretprobe_", "fault_"})
    if (program.starts_with(prefix)) return true;
  return false;
}

// The object for this kernel; both have the same maps and programs, so one skeleton serves both.
cowtrace_bpf* open_skeleton(bool new_instructions) {
  if (new_instructions) return cowtrace_bpf__open();
  auto* skeleton = static_cast<cowtrace_bpf*>(std::calloc(1, sizeof(cowtrace_bpf)));
  if (skeleton == nullptr) return nullptr;
  int error = cowtrace_bpf__create_skeleton(skeleton);
  if (error == 0) {
    skeleton->skeleton->data =
        const_cast<void*>(cowtrace_old_bpf__elf_bytes(&skeleton->skeleton->data_sz));
    error = bpf_object__open_skeleton(skeleton->skeleton, nullptr);
  }
  if (error == 0) return skeleton;
  cowtrace_bpf__destroy(skeleton);
  errno = -error;
  return nullptr;
}

template <typename Key>
void clear(int map, Key key) {
  while (bpf_map_get_next_key(map, nullptr, &key) == 0 && bpf_map_delete_elem(map, &key) == 0) {
  }
}

}  // namespace

void BpfCapture::Destroy::operator()(cowtrace_bpf* skeleton) const {
  cowtrace_bpf__destroy(skeleton);
}

BpfCapture::BpfCapture(const CaptureOptions& options)
    : options_(options), preempted_(kernel_preempts()) {}
BpfCapture::~BpfCapture() {
  BpfCapture::stop();
}

Status BpfCapture::open() {
  if (const long page = sysconf(_SC_PAGESIZE); page != static_cast<long>(kPageSize))
    return fail(
        "cannot trace on this kernel",
        fmt::format("its pages have {} bytes, and cowtrace knows those of {}", page, kPageSize),
        "boot one with pages of 4 KiB");
  if (auto can = possible(); !can) {
    // What is refused to everybody here is no fault of the kernel's.
    if (const auto lack = powerless())
      return fail(fmt::format("cannot use the {} backend", backend()), lack->why, lack->remedy);
    return can;
  }
  if (auto loaded = load(); !loaded) return loaded;
  auto calibration = calibrate(*skeleton_);
  if (!calibration) return tl::unexpected(calibration.error());
  calibration_ = *calibration;
  if (auto good = check(calibration_); !good) return good;
  tell_layout();
  if (auto attached = attach(); !attached) return attached;
  return check_hooks();
}

// As much as this kernel's version promises, or what is left of it.
Status BpfCapture::load() {
  const auto has = [version = kernel_version()](const auto& since) { return version >= since; };
  const int most = static_cast<int>(std::count_if(kFeatures.begin(), kFeatures.end(), has));
  return load_in_order(most,
                       [this](int features, int attempt) { return load_with(features, attempt); });
}

LoadTry BpfCapture::load_with(int features, int attempt) {
  const BpfLog log;
  skeleton_.reset(open_skeleton(features >= kNewInstructions));
  if (!skeleton_) return {fail("cannot open BPF programs", log.reason(errno)), false};
  configure(features);
  choose_programs();
  if (!choose(*skeleton_, attempt))
    return {fail("cannot load BPF programs", "nothing is left to do without"), false};
  // Tracepoints keep preemption off before 7.0 (a46023d5616e).
  choose_agains(skeleton_->obj, preempted_, preempted_ && kernel_version() >= std::pair(7, 0));
  if (const int error = cowtrace_bpf__load(skeleton_.get()); error != 0)
    return {tl::unexpected(
                load_error(fmt::format("cannot load the {} backend", backend()), log, error)),
            true};
  return {};
}

void BpfCapture::choose_programs() {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    const std::string_view name = bpf_program__name(program);
    const bool used = is_fault_hook(name) ? wants(name) : options_.attach || name != "find_running";
    bpf_program__set_autoload(program, used);
  }
}

void BpfCapture::tell_layout() {
  cowtrace_layout& layout = skeleton_->data->layout;
  layout.direct_map = pairing() ? 0 : calibration_.direct_map;
  layout.vmemmap = calibration_.vmemmap;
  layout.frame_mask = calibration_.frame_mask;
  layout.levels = calibration_.levels;
  layout.pairing = pairing();
  layout.pid_level = calibration_.pid_level;
  layout.pid_namespace = calibration_.pid_namespace;
}

void BpfCapture::configure(int features) {
  auto& skeleton = *skeleton_;
  find_mapping_ =
      libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_find_vma, nullptr) == 1;
  const auto cpus = static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  buffers_ = usual_buffer_sizes(cpus, options_.available_memory);
  if (options_.buffer_bytes) buffers_.breaks = ring_size(*options_.buffer_bytes);
  const std::uint64_t ring = buffers_.breaks;
  cowtrace_config& config = *const_cast<cowtrace_config*>(&skeleton.rodata->options);
  config.zero_frame = options_.zero_frame;
  config.frames = std::min<std::uint32_t>(options_.frames, COWTRACE_MAX_FRAMES);
  config.python_frames =
      static_cast<__u8>(std::min<std::uint32_t>(options_.python_frames, COWTRACE_MAX_FRAMES));
  config.counts_only = options_.counts_only;
  config.audit = options_.audit;
  config.first_writes = options_.first_writes;
  config.find_mapping = find_mapping_;
  config.wake_control = options_.wake_early;
  config.task_regs = features >= kTaskRegisters;
  config.direct_loads = features >= kDirectLoads;
  config.cpus = cpus;
  config.unwind = kUnwinds && config.frames > 0 && !config.counts_only;
  if (config.unwind == 0) {
    bpf_map__set_max_entries(skeleton.maps.unwind_rules, 1);
    buffers_.copies = kPageSize;
  }
  bpf_map__set_max_entries(skeleton.maps.copy_ring, static_cast<std::uint32_t>(buffers_.copies));
  bpf_map__set_max_entries(skeleton.maps.control_ring,
                           static_cast<std::uint32_t>(buffers_.control));
  // Half full: a wake-up for about 150,000 breaks of the default buffer, and as much room again
  // until we come.
  config.wakeup_bytes = static_cast<std::uint32_t>(ring / 2);
  bpf_map__set_max_entries(skeleton.maps.data_ring, static_cast<std::uint32_t>(ring));
  // Who asks for a small buffer gets no more than that.
  config.lanes = ring >= kSmallestWithLanes;
  bpf_map__set_max_entries(skeleton.maps.lanes, cpus);
  if (options_.attach)
    for (bpf_map* map : {skeleton.maps.wanted, skeleton.maps.met_spaces})
      bpf_map__set_max_entries(map, kMostTasks);
  if (kernel_version() >= std::pair(6, 1)) {
    bpf_map__set_map_flags(skeleton.maps.tasks, BPF_F_NO_PREALLOC);
    bpf_map__set_max_entries(skeleton.maps.tasks, kMostTasks);
    if (options_.counts_only) bpf_map__set_max_entries(skeleton.maps.pages, kMostCountedGroups);
  } else {
    bpf_map__set_map_flags(skeleton.maps.pages, 0);
    if (options_.counts_only)
      bpf_map__set_max_entries(skeleton.maps.pages, kMostCountedGroupsAtOnce);
  }
}

Status BpfCapture::keep(bpf_link* link, const std::string& what) {
  if (link == nullptr) {
    const int error = errno;
    // Some kernels refuse then, others never call it: check_hooks().
    const std::string off = switched_off(backend());
    return fail_errno("cannot attach " + what, error, off.empty() ? "see 'cowtrace doctor'" : off);
  }
  links_.push_back(link);
  return {};
}

Status BpfCapture::attach_hook(bpf_program* hook) {
  auto programs = agains_of(skeleton_->obj, hook);
  programs.push_back(hook);
  for (const bpf_program* program : programs)
    if (auto kept = keep(bpf_program__attach(program), bpf_program__name(program)); !kept)
      return kept;
  return {};
}

Status BpfCapture::attach() {
  const BpfLog quiet;
  auto& progs = skeleton_->progs;
  for (bpf_program* hook : {progs.on_fork, progs.on_exec, progs.on_exit, progs.on_free})
    if (auto attached = attach_hook(hook); !attached) return attached;
  if (auto attached = attach_faults(*skeleton_); !attached) return attached;
  return map_buffers();
}

Status BpfCapture::map_buffers() {
  const auto take_event = [this](std::span<const std::byte> bytes) { take(bytes); };
  const bool control =
      control_.map(bpf_map__fd(skeleton_->maps.control_ring), buffers_.control, take_event);
  if (!control || !breaks_.map(bpf_map__fd(skeleton_->maps.data_ring), buffers_.breaks, take_event))
    return fail_errno("cannot map the ring buffers", errno, "try a smaller --buffer");
  ready_.reset(epoll_create1(EPOLL_CLOEXEC));
  for (const int fd : {control_.poll_fd(), breaks_.poll_fd()}) {
    epoll_event readable{EPOLLIN, {}};
    if (epoll_ctl(ready_.get(), EPOLL_CTL_ADD, fd, &readable) != 0)
      return fail_errno("cannot wait for events", errno, "");
  }
  // Of another thread. What cannot be decoded is a stack that stays unknown.
  const auto take_copy = [this](std::span<const std::byte> bytes) {
    if (auto copy = decode_stack_copy(bytes)) (*copy_sink_)(std::move(*copy));
  };
  if (!copies_.map(bpf_map__fd(skeleton_->maps.copy_ring), buffers_.copies, take_copy))
    return fail_errno("cannot map the ring buffers", errno, "try --stacks none");
  auto lanes =
      Lanes::map(bpf_map__fd(skeleton_->maps.lanes), bpf_map__max_entries(skeleton_->maps.lanes));
  if (!lanes) return tl::unexpected(lanes.error());
  lanes_ = std::move(*lanes);
  auto rules = RuleTable::map(bpf_map__fd(skeleton_->maps.unwind_rules),
                              bpf_map__max_entries(skeleton_->maps.unwind_rules));
  if (!rules) return tl::unexpected(rules.error());
  rules_ = std::move(*rules);
  return {};
}

// Errors: hooks were attached and are not called.
Status BpfCapture::check_hooks() {
  constexpr int kTries = 3;  // one may miss something on a machine that is busy
  Status result;
  for (int tries = 0; tries < kTries; ++tries) {
    auto family = TestFamily::start();
    const auto seen = family ? run_test_family(*family) : tl::unexpected(family.error());
    if (!seen) {
      unchecked_ = fmt::format("hooks were not tested: {}", seen.error().message());
      return {};
    }
    result = seen->result(backend());
    sees_absent_ = seen->saw_absent_page();
    if (result && sees_absent_) break;
  }
  return result;
}

// Nothing of it is left in any buffer or counter. Errors: no test could be made.
Result<SelfCheck> BpfCapture::run_test_family(TestFamily& family) {
  SelfCheck check(family);
  skeleton_->data->shared.trace_found = 1;
  const Status marked = track_next_exec(family.first());
  skeleton_->data->shared.trace_found = 0;
  if (!marked) return tl::unexpected(marked.error());
  const bool written = family.run();
  drain([&check](const model::Event& event) { check.take(event); });
  if (options_.counts_only)
    for (const PageCountRow& row : page_counts().value_or(std::vector<PageCountRow>{}))
      check.take(row);
  const bool lost = counters().lost + counters().lost_control > 0;
  forget_test_family();
  if (!written || lost)
    return fail("cannot test them",
                written ? "the buffers are too small" : "a process for it could not do its work");
  return check;
}

void BpfCapture::forget_test_family() {
  drain_copies([](StackCopy&&) {});
  if (options_.counts_only) clear(bpf_map__fd(skeleton_->maps.pages), cowtrace_pages_key{});
  lanes_.reset_counters();
  skeleton_->data->shared.forked = 0;
}

// Runs an iterator once. Returns how many tasks it has taken.
Result<std::size_t> BpfCapture::look_through_tasks(const bpf_program* iterator) {
  auto& shared = skeleton_->data->shared;
  shared.found_tasks = 0;
  const BpfLog log;
  bpf_link* link = bpf_program__attach_iter(iterator, nullptr);
  if (link == nullptr)
    return fail("cannot look through the tasks", log.reason(errno), "see 'cowtrace doctor'");
  const Fd all(bpf_iter_create(bpf_link__fd(link)));
  char nothing = 0;
  while (all && read(all.get(), &nothing, 1) < 0 && (errno == EAGAIN || errno == EINTR)) {
  }
  bpf_link__destroy(link);
  return shared.found_tasks;
}

Status BpfCapture::track_next_exec(pid_t pid) {
  skeleton_->data->shared.wanted_pid = pid;
  const auto found = look_through_tasks(skeleton_->progs.find_command);
  if (!found) return tl::unexpected(found.error());
  if (*found != 1)
    return fail("cannot mark the command for tracing", fmt::format("found {} times", *found));
  return {};
}

Result<std::size_t> BpfCapture::track_running(const Running& running) {
  clear(bpf_map__fd(skeleton_->maps.wanted), std::uint32_t{});
  clear(bpf_map__fd(skeleton_->maps.met_spaces), std::uint64_t{});
  skeleton_->data->shared.want_all = running.all;
  for (const pid_t pid : running.pids) {
    const auto number = static_cast<std::uint32_t>(pid);
    const std::uint8_t yes = 1;
    if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.wanted), &number, &yes, BPF_ANY) != 0)
      return fail_errno("cannot name the processes to BPF", errno);
  }
  // Parents come before their children, as far as they can be seen, and processes are forked
  // meanwhile by some that are not traced yet.
  constexpr int kMostPasses = 100;
  std::uint32_t& any_order = skeleton_->data->shared.any_order;
  any_order = 0;
  std::size_t sum = 0;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    const auto found = look_through_tasks(skeleton_->progs.find_running);
    if (!found) return tl::unexpected(found.error());
    if (*found == 0 && any_order != 0) break;
    any_order = *found == 0;
    sum += *found;
  }
  return sum;
}

Status BpfCapture::set_python(model::SpaceId space, const PythonProbe& probe) {
  const auto python = encode(probe);
  if (!python) return tl::unexpected(python.error());
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.pythons), &space.value, &*python, BPF_ANY) !=
      0)
    return fail_errno("cannot tell BPF where Python keeps its frames", errno);
  skeleton_->data->shared.pythons = 1;
  return {};
}

void BpfCapture::take(std::span<const std::byte> bytes) {
  if (is_wake(bytes)) return;
  if (auto event = decode(bytes))
    (*sink_)(std::move(*event));
  else
    ++undecodable_;
}

std::uint64_t BpfCapture::drain(const Sink& sink) {
  if (!ready_) return 0;
  sink_ = &sink;
  undecodable_ = 0;
  lanes_.drain([this](std::span<const std::byte> bytes) { take(bytes); });
  control_.drain();
  breaks_.drain();
  sink_ = nullptr;
  return undecodable_;
}

void BpfCapture::stop() {
  // The newest first: what begins a fault goes before what finishes it, so one that is under way
  // still completes.
  for (auto link = links_.rbegin(); link != links_.rend(); ++link) bpf_link__destroy(*link);
  links_.clear();
}

int BpfCapture::copies_fd() const {
  return copies_.poll_fd();
}

std::uint64_t BpfCapture::drain_copies(const CopySink& sink) {
  copy_sink_ = &sink;
  const std::uint64_t count = copies_.drain();
  copy_sink_ = nullptr;
  return count;
}

std::uint64_t BpfCapture::copies_sent() const {
  std::uint64_t sum = 0;
  for (const cowtrace_lane& lane : lanes_.all())
    sum += __atomic_load_n(&lane.counters.copies, __ATOMIC_ACQUIRE);
  return sum;
}

int BpfCapture::poll_fd() const {
  return ready_.get();
}

Counters BpfCapture::counters() const {
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
    sum.lost_copies += cpu.lost_copies;
  }
  sum.skipped = skipped_runs(skeleton_->obj);
  return sum;
}

std::uint64_t BpfCapture::lost() const {
  std::uint64_t sum = 0;
  for (const cowtrace_lane& lane : lanes_.all()) sum += lane.counters.lost;
  return sum;
}

Result<std::vector<PageCountRow>> BpfCapture::page_counts() const {
  return read_page_counts(bpf_map__fd(skeleton_->maps.pages));
}

bool BpfCapture::has(Need need) const {
  switch (need) {
    case Need::Nothing:
      return true;
    case Need::PageTables:
      return !pairing();
    case Need::FindVma:
      return find_mapping_ && sees_absent_;
    default:
      return false;
  }
}

std::vector<std::string> BpfCapture::blind_spots() const {
  std::vector<std::string> spots;
  for (const Coverage& row : coverage()) {
    // One line says it for all that hangs on page tables.
    if (need(row) == Need::PageTables || has(need(row))) continue;
    const bool curable = need(row) != Need::Never;
    spots.push_back(curable ? fmt::format("{} (seen {})", row.what, describe(need(row)))
                            : std::string(row.what));
  }
  if (pairing())
    spots.emplace_back(
        "page tables: faults are paired with allocations, so zero-fill, file-copy and ksm-copy "
        "show as copy, "
        "old frames are not known, and threads that race for one page may count twice");
  else if (calibration_.vmemmap == 0)
    spots.emplace_back("struct page: file-copy and ksm-copy show as copy");
  return spots;
}

std::vector<std::string> BpfCapture::notes() const {
  std::vector<std::string> notes;
  if (!options_.page_tables)
    notes.emplace_back("page tables are not read, as asked for");
  else if (!calibration_.problem.empty())
    notes.push_back(calibration_.problem);
  if (!unchecked_.empty()) notes.push_back(unchecked_);
  return notes;
}

}  // namespace cowtrace::capture
