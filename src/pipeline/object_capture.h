// SPDX-License-Identifier: Apache-2.0
// Keeps what dies with a process, while it lives: its mappings, the files behind them, its
// registered objects.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "model/session.h"
#include "objects/captured_resolver.h"
#include "pipeline/capture_listener.h"

namespace cowtrace::pipeline {

class ObjectCapture {
 public:
  ObjectCapture(model::Session& session, std::shared_ptr<process::ModuleCache> modules)
      : session_(session),
        resolver_(std::make_unique<objects::CapturedResolver>(std::move(modules))) {}

  // Is told of everything from now on; outlives this.
  void set_listener(CaptureListener* listener) { listener_ = listener; }

  // Reads the memory map and the registries of `tid`, which runs in `space` now. A process that
  // dies meanwhile is no error.
  void capture(pid_t tid, model::SpaceId space);
  // A forked child knows what its parent knew. If the parent was never looked at, the child, which
  // still has the same mappings, is.
  void inherit(pid_t child, model::SpaceId child_space, model::SpaceId parent_space);

  // Nothing more will be captured: what ended before its memory map was read has the paths that
  // others had for the same files.
  void finish();

  // Was the memory map of `space`, or of what it was forked from, read?
  [[nodiscard]] bool knows(model::SpaceId space) const { return captured_.contains(space); }
  // Gives the resolver away: nothing can be captured afterwards.
  [[nodiscard]] std::unique_ptr<model::Resolver> take_resolver() { return std::move(resolver_); }
  // What could not be read, each thing once.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  void note(std::string text);
  void fill_paths(model::SpaceId space, const std::vector<process::MapsEntry>& maps);

  model::Session& session_;
  CaptureListener* listener_ = nullptr;
  std::unique_ptr<objects::CapturedResolver> resolver_;
  std::unordered_set<model::SpaceId> captured_;
  std::map<std::pair<std::uint64_t, std::string>, std::string>
      paths_;  // of files, by inode and last name
  std::vector<std::string> notes_;
};

}  // namespace cowtrace::pipeline
