// SPDX-License-Identifier: Apache-2.0
// The session that the golden reports tell: a server and two workers, with every mechanism that
// matters, a vfork child that writes in its parent's memory, lost events, an unexplained page, and
// names that a hostile program could choose.
#pragma once

#include "support/fake_resolver.h"
#include "support/session_builder.h"

namespace cowtrace::test {

class Story {
 public:
  Story() {
    describe_capture();
    make_processes();
    make_mappings();
    make_objects();
    make_writes();
    make_watches();
    builder.finish();
    builder.session.capture.endings_known = true;
    builder.session.set_phases({});
  }

  model::Session& session() { return builder.session; }

  SessionBuilder builder;
  FakeResolver resolver;

 private:
  static constexpr std::uint64_t kHeap = 0x5555'5555'0000;
  static constexpr std::uint64_t kArena = 0x7f00'0000'0000;
  static constexpr std::uint64_t kData = 0x7f12'3400'0000;
  static constexpr std::uint64_t kHuge = 0x7f80'0000'0000;
  static constexpr std::uint32_t kHugeSize = 2U << 20;

  void describe_capture() {
    model::CaptureInfo& capture = builder.session.capture;
    capture.command = {"./server", "--workers=2", "a b", "\x1b[2J<script>"};
    capture.backend = "static";
    capture.kernel = "6.18.44";
    capture.arch = "x86_64";
    capture.started_at_unix_ns = 1'763'852'400'123'456'789;
    capture.duration_ns = 2'500'000'000;
    capture.unfinished_faults = 1;
    capture.memory_limit = 64U << 20;
    capture.memory_limit_of = "/sys/fs/cgroup/evil\x1b[2J/memory.max";
    capture.blind_spots = {"writes through /proc/PID/mem and process_vm_writev are not seen"};
    capture.notes = {"the family was larger than the snapshot budget: passive from then on"};
  }

  void make_processes() {
    server_ = builder.process(4711, "server");
    worker_ = builder.process(4712, "worker <b>&\x1b[31m\xff", server_);
    other_ = builder.process(4713, "w\xc3\xb6rker-with-a-name-that-goes-on", server_);
    vforked_ = builder.process(4714, "sh", server_);
    auto& processes = builder.session.processes;
    processes[vforked_.value].forked_from.reset();
    processes[vforked_.value].audit_missing = "it shared its parent's memory";
    processes[server_.value].audit_missing = "it was still running";
    processes[server_.value].python = "3.11.2";
    for (const model::ProcessKey key : {worker_, other_}) {
      model::Process& process = processes[key.value];
      process.fork_ns = process.start_ns = SessionBuilder::kStarted + 1'000'000 * key.value;
      process.fork_took_ns = 8'200'000 + key.value;
      process.exit_ns = SessionBuilder::kStarted + 2'400'000'000;
      process.inherited_bytes = 8U << 20;
      process.still_shared_bytes = (8U << 20) - 20 * kPageSize;
    }
    processes[worker_.value].wait_status = 3 << 8;
    processes[other_.value].wait_status = 9;
    processes[other_.value].exec_ns = {SessionBuilder::kStarted + 2'300'000'000};
    processes[worker_.value].audit = model::Audit{40, 40, {}, {}};
    processes[other_.value].audit =
        model::Audit{3, 2, {{"remote-write\x07", 1}}, {kArena + 9 * kPageSize}};
  }

  void make_mappings() {
    model::Mapping heap;
    heap.start = heap.brk_start = kHeap;
    heap.end = heap.brk_end = kHeap + 64 * kPageSize;
    heap_ = builder.mapping(heap);
    model::Mapping arena;
    arena.start = kArena;
    arena.end = kArena + 64 * kPageSize;
    arena_ = builder.mapping(arena);
    model::Mapping data;
    data.start = kData;
    data.end = kData + 4 * kPageSize;
    data.inode = 77;
    data.name = "libevil.so";
    data.path =
        "/usr/lib/x86_64-linux-gnu/a/long/way/down/the/tree/of/directories/"
        "lib<evil>\n\x80.so";
    data_ = builder.mapping(data);
    model::Mapping huge;
    huge.start = kHuge;
    huge.end = kHuge + kHugeSize;
    huge.inode = 5;
    huge.name = "anon_hugepage (deleted)";
    huge_ = builder.mapping(huge);
  }

  void make_objects() {
    resolver.add("requests", kHeap + 0x100, 10 * kPageSize, "struct table");
    resolver.add("settings", kHeap + 10 * kPageSize + 0x100, 0x80, "struct settings");
    resolver.add("innocent<script>alert(1)</script>", kHeap + 0x10, 0x40, "char[64]");
    resolver.add("environ\x1b]0;owned\x07", kData + 0x40, 8, "", model::ObjectKind::Symbol);
    resolver.add(std::string("std::unordered_map<std::string, std::vector<Very::Long::Name>>") +
                     "::bucket_table",
                 kData + kPageSize, kPageSize, "std::vector<std::string, A<std::string>>",
                 model::ObjectKind::Symbol);
    resolver.name(0x1000, {{"memset", "", 0, "/lib/libc.so.6", false, ""}});
    resolver.name(0x2000, {{"fill_table", "src/table.c", 41, "/opt/server", true, ""},
                           {"serve", "src/serve.c", 12, "/opt/server", false, ""}});
    resolver.name(0x3000, {{"main", "src/main.c", 8, "/opt/server", false, ""}});
    resolver.name(0x5000, {{"void evil\x1b[2J<b>::with_a_very_long_template_argument_list<int>()",
                            "/a/very/long/path/that/does/not/fit/into/a/terminal/\xfe.cc", 123456,
                            "/opt/server", false, ""}});
  }

  void make_writes() {
    const model::StackHash table = builder.stack(worker_, {0x1000, 0x2000, 0x3000, 0x4000});
    const model::StackHash evil = builder.stack(other_, {0x5000}, true);
    for (std::uint32_t i = 0; i < 12; ++i) {
      write_base(worker_, 1'200'000'000 + i * 40'000'000, kHeap + i * kPageSize + 0x200,
                 {heap_, table, i < 8 ? model::Cause::Value : model::Cause::Allocator});
    }
    write_base(other_, 1'900'000'000, kHeap + 10 * kPageSize + 0x120,
               {heap_, evil, model::Cause::Syscall});
    write_base(other_, 1'950'000'000, kData + 0x800, {data_, evil, model::Cause::Native});
    write_base(server_, 2'000'000'000, kHeap + 0x208,
               {heap_, table, model::Cause::Unknown, model::Mechanism::Reuse});
    write_base(server_, 2'000'000'100, kData + kPageSize,
               {data_, {}, model::Cause::Unknown, model::Mechanism::FileCopy});
    model::Resolution by_vfork = base({arena_, {}, model::Cause::Unknown});
    by_vfork.pid = 4714;
    by_vfork.ip = 0x6000;
    by_vfork.old_frame = 0;
    builder.write(server_, 2'100'000'000, kArena + 0x18, by_vfork);
    model::Resolution huge =
        base({huge_, {}, model::Cause::Unknown, model::Mechanism::HugetlbCopy});
    huge.size = kHugeSize;
    huge.late = true;
    builder.write(worker_, 2'200'000'000, kHuge + 0x12345, huge);
    builder.lose(worker_);
    builder.lose(worker_);
  }

  // One that a worker copied, one that the other has replaced.
  void make_watches() {
    model::WatchSample sample;
    sample.time_ns = SessionBuilder::kStarted + 1'000'000;
    sample.outcome = model::WatchSample::Outcome::Found;
    sample.object = sample.start = kHeap + 0x210;
    sample.type = "dict\x1b[2J";
    sample.frames = {0xa000};
    sample.frame = 0xa000;
    sample.slot = kHeap + 30 * kPageSize;
    sample.slot_frame = 0xa0ff;
    sample.place = "entry 'n<b>' of \x1b[2Jsettings";
    const model::Session& session = builder.session;
    for (const model::ProcessKey key : {server_, worker_, other_}) {
      model::Watch watch{"settings['n<b>']", session.process(key).spaces.front(), sample, sample};
      watch.last->moment = model::WatchSample::Moment::Exit;
      watch.last->time_ns = SessionBuilder::kStarted + 2'400'000'000;
      if (key == worker_) watch.last->frame = watch.last->frames[0] = 0xb000;
      if (key == other_) watch.last->object = watch.last->start = kHeap + 0x440;
      builder.session.watches.push_back(watch);
    }
  }

  struct What {
    model::MappingHash mapping;
    model::StackHash stack;
    model::Cause cause = model::Cause::Unknown;
    model::Mechanism mechanism = model::Mechanism::Copy;
  };

  model::Resolution base(const What& what) {
    model::Resolution event;
    event.mapping = what.mapping;
    event.stack = what.stack;
    event.cause = what.cause;
    event.mechanism = what.mechanism;
    event.old_frame = 0xa000 + frame_;
    event.new_frame = 0xb000 + frame_;
    event.latency_ns = 1'000 + static_cast<std::uint32_t>(100 * frame_);
    ++frame_;
    return event;
  }

  void write_base(model::ProcessKey process, std::uint64_t time_ns, std::uint64_t address,
                  const What& what) {
    builder.write(process, time_ns, address, base(what));
  }

  model::ProcessKey server_, worker_, other_, vforked_;
  model::MappingHash heap_, arena_, data_, huge_;
  std::uint64_t frame_ = 0;
};

}  // namespace cowtrace::test
