// SPDX-License-Identifier: Apache-2.0
#include "pipeline/python_capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/units.h"
#include "process/maps.h"
#include "process/remote_memory.h"
#include "python/code_object.h"

namespace cowtrace::pipeline {
namespace {

constexpr std::uint64_t kMostHeldBytes = std::uint64_t{4} << 30;  // of all images together
constexpr std::uint64_t kLeastChanged = 256;                      // pages
constexpr std::uint64_t kNamesStaySeventh =
    50;  // names are made anew when one page in so many has changed

constexpr int kMostMisfits = 3;  // a program may fork before its interpreter is ready
constexpr std::uint64_t kThreadLocal =
    16 * 1024;  // bytes of static thread-local storage that are looked through

// Where a thread keeps its PyThreadState: a pthread key, or from 3.15 on a variable below the
// thread pointer, found by its value.
std::optional<capture::ThreadSlot> thread_slot(const image::MemoryImage& image,
                                               const python::Runtime& runtime) {
  const python::Layout& layout = runtime.layout;
  if (layout.runtime.auto_tss_key != python::kAbsent)
    return capture::glibc_slot(
        image.load<std::uint32_t>(runtime.address + layout.runtime.auto_tss_key + 4));
  const std::uint64_t thread = image.word(runtime.interpreter + layout.interpreter.threads_head);
  // pthread_self() is the thread pointer.
  const std::uint64_t pointer = image.word(thread + layout.thread.thread_id);
  for (std::uint64_t below = kThreadLocal; below != 0; below -= 8)
    if (image.word(pointer - below) == thread)
      return capture::ThreadSlot{-static_cast<std::int32_t>(below), std::nullopt};
  return std::nullopt;
}

std::optional<capture::PythonProbe> probe_of(const python::Heap& heap) {
  const python::Runtime& runtime = heap.runtime();
  const python::Layout& layout = runtime.layout;
  const auto slot = thread_slot(heap.image(), runtime);
  if (!slot) return std::nullopt;
  capture::PythonProbe probe;
  probe.slot = *slot;
  probe.interpreter = runtime.interpreter;
  probe.file_start = runtime.module_start;
  probe.file_end = runtime.module_end;
  if (layout.gc.collecting != python::kAbsent)
    probe.gc_collecting = runtime.gc + layout.gc.collecting;
  probe.thread.interp = layout.thread.interp;
  if (layout.thread.cframe != python::kAbsent) {
    probe.thread.frame = layout.thread.cframe;
    probe.thread.cframe_current_frame = layout.thread.cframe_current_frame;
  } else {
    probe.thread.frame = layout.thread.frame;
  }
  if (layout.interpreter_frame.executable != python::kAbsent) {
    probe.frame.code = layout.interpreter_frame.executable;
    probe.frame.previous = layout.interpreter_frame.previous;
    probe.frame.instruction = layout.interpreter_frame.instruction;
    if (layout.interpreter_frame.owner != python::kAbsent)
      probe.frame.owner = layout.interpreter_frame.owner;
    if (layout.version >= python::Version{3, 14}) probe.frame.code_tag = 3;
  } else {
    probe.frame.code = layout.frame.code;
    probe.frame.previous = layout.frame.back;
    probe.frame.instruction = layout.frame.lasti;
    probe.frame.has_lasti = true;
  }
  return probe;
}

// The image of a process that runs is of several moments. A look at the little that is needed is
// almost of one, and of another one if that was a bad one.
python::Found find_runtime(const image::MemoryImage& image, pid_t tid,
                           process::ModuleCache& modules, bool running) {
  constexpr int kLooks = 3;
  python::Found found = python::find_runtime(image);
  for (int i = 0; running && !found.runtime && i < kLooks; ++i) {
    const auto look = image::MemoryImage::look_into(tid, modules, {});
    if (!look) return {};  // it has ended
    found = python::find_runtime(**look);
  }
  return found;
}

}  // namespace

bool PythonCapture::may_be_python(pid_t tid) {
  const auto maps = process::read_maps(tid);
  if (!maps) return false;
  bool first = true;
  for (const process::MapsEntry& entry : *maps) {
    if (!entry.is_file()) continue;
    const std::string_view path = entry.path;
    const bool candidate =
        std::exchange(first, false) ||
        path.substr(path.rfind('/') + 1).find("python") != std::string_view::npos;
    if (!candidate) continue;
    const auto [known, is_new] =
        programs_.try_emplace(fmt::format("{}:{}:{}", entry.device, entry.inode, entry.path));
    if (is_new) {
      const auto module = modules_.open(entry, tid);
      known->second = module->elf() != nullptr && (module->find_symbol("_PyRuntime").has_value() ||
                                                   module->elf()->section(".PyRuntime") != nullptr);
    }
    if (known->second) return true;
  }
  return false;
}

// Pages that were written since the fork at which the last image of `space` was taken: after a fork
// every first write is a fault. The image may be of a moment later, when some pages could be
// written without one.
std::unordered_set<std::uint64_t> PythonCapture::written_since(const Known& known,
                                                               model::SpaceId space) const {
  std::unordered_set<std::uint64_t> pages;
  const model::AddressSpace* found = session_.find_space(space);
  if (found == nullptr) return pages;
  for (std::size_t i = std::min(known.events, found->resolutions.size());
       i < found->resolutions.size(); ++i) {
    const model::Resolution& event = found->resolutions[i];
    if (event.time_ns < known.fork_ns) continue;
    const std::uint64_t start = page_start(event.address, event.size);
    for (std::uint64_t page = start; page < start + std::max<std::uint64_t>(event.size, kPageSize);
         page += kPageSize)
      pages.insert(page);
  }
  return pages;
}

// How many resolutions of `space`, `from` at least, are all from before `time_ns`: they come in no
// strict order.
std::size_t PythonCapture::events_until(model::SpaceId space, std::size_t from,
                                        std::uint64_t time_ns) const {
  const model::AddressSpace* found = session_.find_space(space);
  if (found == nullptr) return 0;
  const auto& events = found->resolutions;
  while (from < events.size() && events[from].time_ns < time_ns) ++from;
  return from;
}

// Of what `tid` has now; what was not read because of limits, or not at all, is noted. `before` and
// `written`: as MemoryImage::take_after() has them.
std::shared_ptr<image::MemoryImage> PythonCapture::take_image(
    pid_t tid, std::shared_ptr<const image::MemoryImage> before,
    const std::unordered_set<std::uint64_t>& written) {
  if (held_bytes_ >= kMostHeldBytes) {
    notes_.insert(
        "Python objects of later processes have no names: their images would take more memory than "
        "is set aside for them");
    return nullptr;
  }
  image::MemoryImage::Limits limits;
  limits.max_bytes = std::min(limits.max_bytes, kMostHeldBytes - held_bytes_);
  auto image = image::MemoryImage::take_after(std::move(before), written, tid, modules_, limits);
  if (!image) {
    notes_.insert(fmt::format("Python objects have no names: {}", image.error().message()));
    return nullptr;
  }
  if ((*image)->bytes_left_out() > 0)
    notes_.insert(
        fmt::format("the largest mappings of a Python process were not looked into for objects: {}",
                    human_bytes((*image)->bytes_left_out())));
  return *image;
}

// nullptr, and a note, if there is no interpreter in it that is understood.
std::shared_ptr<python::Heap> PythonCapture::new_heap(
    const std::shared_ptr<image::MemoryImage>& image, pid_t tid, bool running) {
  python::Found found = find_runtime(*image, tid, modules_, running);
  if (!found.runtime) {
    if (!found.unknown.empty()) notes_.insert(printable(found.unknown));
    return nullptr;
  }
  held_bytes_ += image->bytes_kept();
  return std::make_shared<python::Heap>(image, std::move(*found.runtime));
}

std::shared_ptr<python::Heap> PythonCapture::take(pid_t tid, model::SpaceId parent_space,
                                                  bool running) {
  const auto known = known_.find(parent_space);
  if (known == known_.end()) {
    const auto image = take_image(tid, nullptr, {});
    if (image == nullptr) return nullptr;
    auto heap = new_heap(image, tid, running);
    if (heap == nullptr) ++misfits_[parent_space];
    return heap;
  }
  const python::Heap& before = *known->second.heap;
  const bool follows = !known->second.unseen_writes;
  const auto image =
      follows ? take_image(tid, before.shared_image(), written_since(known->second, parent_space))
              : take_image(tid, nullptr, {});
  if (image == nullptr) return nullptr;
  held_bytes_ += image->bytes_kept();
  const auto& source = before.before() != nullptr ? before.before() : known->second.heap;
  const bool similar =
      follows && image->pages_changed_since(source->image()) <=
                     kLeastChanged + source->image().frames().pages() / kNamesStaySeventh;
  return std::make_shared<python::Heap>(image, before.runtime(), similar ? source : nullptr);
}

void PythonCapture::on_attach(const model::Process& process) {
  const model::SpaceId space = process.spaces.back();
  if (!may_be_python(process.pid)) return;
  if (session_.capture.snapshot == "off") {
    notes_.insert("Python objects and functions have no names: --snapshot off");
    return;
  }
  // Most of it is what its parent has.
  const auto parent = process.forked_space ? known_.find(*process.forked_space) : known_.end();
  const auto image = take_image(
      process.pid, parent != known_.end() ? parent->second.heap->shared_image() : nullptr, {});
  const auto heap = image != nullptr ? new_heap(image, process.pid, true) : nullptr;
  if (heap == nullptr) return;
  keep_for(space, process.start_ns, heap);
  known_[space].unseen_writes = true;
  session_.process(process.key).python = heap->runtime().version;
  if (listener_ != nullptr) listener_->on_heap(space, process.start_ns, heap);
  notes_.insert(
      "Python objects of processes that ran already are named as they were when cowtrace attached");
}

bool PythonCapture::is_news(pid_t tid, const model::Process& process) {
  if (process.spaces.empty()) return false;
  const model::SpaceId space = process.spaces.back();
  if (known_.contains(space)) return false;
  const auto misfits = misfits_.find(space);
  return (misfits == misfits_.end() || misfits->second < kMostMisfits) && may_be_python(tid);
}

std::shared_ptr<python::Heap> PythonCapture::on_running_fork(const model::Process& child,
                                                             const model::Process& parent) {
  // The parent is likely to live longer, to execute nothing else, and to have written less.
  const bool parent_lives = !parent.exit_ns && process::read_maps(parent.pid).has_value();
  const pid_t pid = parent_lives ? parent.pid : child.pid;
  if (session_.capture.snapshot == "off") {
    if (notes_.empty() && may_be_python(pid))
      notes_.insert("Python objects and functions have no names: --snapshot off");
    return nullptr;
  }
  auto heap = keep(pid, child, parent, true);
  if (heap != nullptr)
    notes_.insert(
        "Python objects are named as they were a moment after each fork, while their process ran: "
        "--snapshot passive stops nobody");
  return heap;
}

std::shared_ptr<python::Heap> PythonCapture::on_fork(pid_t tid, const model::Process& child,
                                                     const model::Process& parent) {
  return keep(tid, child, parent, false);
}

void PythonCapture::keep_for(model::SpaceId space, std::uint64_t time_ns,
                             const std::shared_ptr<python::Heap>& heap) {
  Known& known = known_[space];
  known.heap = heap;
  known.events = events_until(space, known.events, time_ns);
  known.fork_ns = time_ns;
  known.unseen_writes = false;
  entries_.push_back({space, time_ns, heap});
  look_for_frames(space, *heap);
}

std::shared_ptr<python::Heap> PythonCapture::keep(pid_t tid, const model::Process& child,
                                                  const model::Process& parent, bool running) {
  if (child.spaces.empty() || parent.spaces.empty()) return nullptr;
  const model::SpaceId of_parent = parent.spaces.back(), of_child = child.spaces.front();
  if (!known_.contains(of_parent) && !is_news(tid, parent)) return nullptr;
  auto heap = take(tid, of_parent, running);
  if (heap == nullptr) {
    if (const auto misfits = misfits_.find(of_parent); misfits != misfits_.end())
      misfits_.insert_or_assign(of_child, misfits->second);
    return nullptr;
  }
  const std::uint64_t time_ns = child.fork_ns.value_or(child.start_ns);
  for (const model::SpaceId space : {of_parent, of_child}) {
    keep_for(space, time_ns, heap);
  }
  // Only now: others use nothing but its table of pages any more.
  if (listener_ != nullptr)
    for (const model::SpaceId space : {of_parent, of_child})
      listener_->on_heap(space, time_ns, heap);
  for (const model::ProcessKey key : {parent.key, child.key})
    session_.process(key).python = heap->runtime().version;
  return heap;
}

void PythonCapture::look_for_frames(model::SpaceId space, const python::Heap& heap) {
  const auto probe = probe_of(heap);
  if (!probe) {
    notes_.insert(
        fmt::format("CPython {}: where its threads keep their state is not known, Python functions "
                    "have no names",
                    heap.runtime().version));
    return;
  }
  if (const auto status = capture_.set_python(space, *probe); !status)
    notes_.insert(fmt::format("Python functions have no names: {}", status.error().message()));
}

void PythonCapture::on_stack(const model::Stack& stack) {
  constexpr std::size_t kMostCodes = 200'000;
  const auto known = known_.find(stack.space);
  if (stack.python.empty() || known == known_.end() || codes_.size() > kMostCodes) return;
  const model::AddressSpace* space = session_.find_space(stack.space);
  if (space == nullptr || space->owner.value >= session_.processes.size()) return;
  const model::Process& owner = session_.process(space->owner);
  // After an exec the addresses are another program's.
  if (owner.exit_ns || owner.spaces.empty() || owner.spaces.back() != stack.space) return;
  std::optional<process::ProcMem> memory;
  for (const model::PythonFrame& frame : stack.python) {
    const auto [found, is_new] = codes_.try_emplace({stack.space, frame.code});
    if (!is_new) continue;
    if (!memory) {
      auto opened = process::ProcMem::open(owner.pid);
      if (!opened) return;
      memory = std::move(*opened);
    }
    const python::Runtime& runtime = known->second.heap->runtime();
    found->second = python::read_code(*memory, runtime.layout, frame.code, runtime.code_type);
    if (listener_ != nullptr) listener_->on_code(stack.space, frame.code, found->second);
  }
}

std::unique_ptr<model::Resolver> PythonCapture::take_resolver(
    std::unique_ptr<model::Resolver> others) {
  if (entries_.empty()) return others;
  auto resolver = std::make_unique<python::PythonResolver>(std::move(others));
  for (Entry& entry : entries_) resolver->add(entry.space, entry.time_ns, std::move(entry.heap));
  resolver->add_codes(std::move(codes_));
  return resolver;
}

}  // namespace cowtrace::pipeline
