// SPDX-License-Identifier: Apache-2.0
// Keeps images of the Python processes of a family, one at each fork: of what the child inherits,
// which is what the parent had.
#pragma once

#include <sys/types.h>

#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "capture/capture.h"
#include "model/session.h"
#include "pipeline/capture_listener.h"
#include "process/elf_module.h"
#include "python/resolver.h"

namespace cowtrace::pipeline {

class PythonCapture {
 public:
  PythonCapture(capture::Capture& capture, model::Session& session, process::ModuleCache& modules)
      : capture_(capture), session_(session), modules_(modules) {}

  // Is told of everything from now on; outlives this.
  void set_listener(CaptureListener* listener) { listener_ = listener; }

  // The stopped task `tid` was just forked; all events until then have been applied. What it
  // inherited, or nullptr if that is no Python, or not understood.
  std::shared_ptr<python::Heap> on_fork(pid_t tid, const model::Process& child,
                                        const model::Process& parent);

  // The same of a child that nobody stops: what its parent has, which goes on, too; or it itself,
  // if the parent is gone. With --snapshot off nothing is read.
  std::shared_ptr<python::Heap> on_running_fork(const model::Process& child,
                                                const model::Process& parent);

  // `process` runs and was found so: keeps what it has now.
  void on_attach(const model::Process& process);

  // Whether the next fork of `process`, which stands still with its task `tid`, is the first that
  // shows its interpreter.
  [[nodiscard]] bool is_news(pid_t tid, const model::Process& process);

  // Reads the code objects that `stack` names, while their process lives.
  void on_stack(const model::Stack& stack);

  // `tid` runs a file that holds an interpreter, as far as its symbols tell; a program without
  // costs a look at its mappings, no image.
  [[nodiscard]] bool may_be_python(pid_t tid);

  // Gives what is known away, with `others` to answer the rest.
  [[nodiscard]] std::unique_ptr<model::Resolver> take_resolver(
      std::unique_ptr<model::Resolver> others);
  // What was not understood or left out, each thing once.
  [[nodiscard]] std::vector<std::string> notes() const { return {notes_.begin(), notes_.end()}; }

 private:
  struct Known {
    std::shared_ptr<python::Heap> heap;
    std::size_t events = 0;  // resolutions of the space that are all from before `fork_ns`
    std::uint64_t fork_ns = 0;
    bool unseen_writes = false;  // the image is not of a fork: pages that were not shared then may
                                 // have been written without a fault
  };
  struct Entry {
    model::SpaceId space;
    std::uint64_t time_ns;
    std::shared_ptr<python::Heap> heap;
  };

  void look_for_frames(model::SpaceId space, const python::Heap& heap);
  [[nodiscard]] std::shared_ptr<python::Heap> keep(pid_t tid, const model::Process& child,
                                                   const model::Process& parent, bool running);
  [[nodiscard]] std::shared_ptr<python::Heap> take(pid_t tid, model::SpaceId parent_space,
                                                   bool running);
  void keep_for(model::SpaceId space, std::uint64_t time_ns,
                const std::shared_ptr<python::Heap>& heap);
  [[nodiscard]] std::shared_ptr<image::MemoryImage> take_image(
      pid_t tid, std::shared_ptr<const image::MemoryImage> before,
      const std::unordered_set<std::uint64_t>& written);
  [[nodiscard]] std::shared_ptr<python::Heap> new_heap(
      const std::shared_ptr<image::MemoryImage>& image, pid_t tid, bool running);
  [[nodiscard]] std::size_t events_until(model::SpaceId space, std::size_t from,
                                         std::uint64_t time_ns) const;
  [[nodiscard]] std::unordered_set<std::uint64_t> written_since(const Known& known,
                                                                model::SpaceId space) const;

  capture::Capture& capture_;
  model::Session& session_;
  process::ModuleCache& modules_;
  CaptureListener* listener_ = nullptr;
  std::unordered_map<model::SpaceId, Known> known_;  // the last image of each space
  std::unordered_map<model::SpaceId, int>
      misfits_;  // how often an interpreter that is not understood was looked at there
  std::unordered_map<std::string, bool> programs_;  // executable -> has an interpreter
  std::vector<Entry> entries_;
  python::Codes codes_;
  std::set<std::string> notes_;
  std::uint64_t held_bytes_ = 0;
};

}  // namespace cowtrace::pipeline
