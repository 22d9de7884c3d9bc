// SPDX-License-Identifier: Apache-2.0
// Reads the in-process registry of include/cowtrace/objects.h from outside. The registry belongs to
// the traced program and may hold anything: each pointer, count and size is checked, each loop
// bounded.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/objects.h"
#include "process/elf_module.h"
#include "process/remote_memory.h"

namespace cowtrace::objects {

struct RegistryLimits {
  std::size_t max_objects = 4'000'000;
  std::size_t max_slots = 8'000'000;  // whatever is in them
  std::size_t max_chunks = 4096;
};

struct RegistryContents {
  std::vector<model::Object> objects;  // live and retired ones, in registry order; names raw
  std::size_t slots = 0;               // looked at
  std::size_t torn = 0;            // slots that were being written each time they were looked at
  std::size_t invalid = 0;         // slots that no registration can have written
  std::size_t absent = 0;          // slots on pages that were not in memory
  std::vector<std::string> notes;  // what went wrong, for people
};

// Appends what the registry at `address` holds to `contents`. Trouble becomes a note, never a
// failure: what was read stays good.
void read_registry(process::RemoteMemory& memory, std::uint64_t address,
                   const RegistryLimits& limits, RegistryContents& contents);

// All registries of a process: every module may have one.
[[nodiscard]] Result<RegistryContents> read_registries(pid_t pid, process::ModuleCache& modules,
                                                       const RegistryLimits& limits = {});

}  // namespace cowtrace::objects
