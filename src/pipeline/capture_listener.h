// SPDX-License-Identifier: Apache-2.0
// Told of everything that is captured for a Resolver at the moment it is, for who wants names while
// the family runs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "model/objects.h"
#include "process/maps.h"
#include "python/code_object.h"
#include "python/heap.h"

namespace cowtrace::pipeline {

class CaptureListener {
 public:
  virtual ~CaptureListener() = default;

  virtual void on_maps(model::SpaceId space, pid_t pid,
                       const std::vector<process::MapsEntry>& maps) = 0;
  virtual void on_registered(model::SpaceId space, const std::vector<model::Object>& objects) = 0;
  virtual void on_inherit(model::SpaceId child, model::SpaceId parent) = 0;
  // Of the heap and its image only what MemoryImage allows is used by others from now on, until the
  // listener is done with them.
  virtual void on_heap(model::SpaceId space, std::uint64_t time_ns,
                       const std::shared_ptr<python::Heap>& heap) = 0;
  virtual void on_code(model::SpaceId space, std::uint64_t code,
                       const std::optional<python::CodeInfo>& info) = 0;
};

}  // namespace cowtrace::pipeline
