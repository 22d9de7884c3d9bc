// SPDX-License-Identifier: Apache-2.0
// The ELF files of one address space at one moment: which file is at an address, and at which
// address of that file.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "process/elf_module.h"
#include "process/interval_index.h"
#include "process/maps.h"

namespace cowtrace::objects {

// One ELF file as it is loaded: its own addresses plus `bias` are addresses of the process. [start,
// end) is all that it loads, zero-initialised data included.
struct ModuleInstance {
  std::shared_ptr<process::ElfModule> module;
  std::uint64_t bias = 0;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

class ModuleMap {
 public:
  // Opens the files while `pid` lives; reads them only when asked.
  ModuleMap(std::vector<process::MapsEntry> maps, process::ModuleCache& cache,
            std::optional<pid_t> pid);

  [[nodiscard]] const std::vector<process::MapsEntry>& maps() const { return maps_; }
  // The module of a mapping; nullptr if it is no file that is mapped for execution anywhere in this
  // address space.
  [[nodiscard]] std::shared_ptr<process::ElfModule> module_of(
      const process::MapsEntry& mapping) const;

  // Ascending by start. All have a readable ELF file.
  [[nodiscard]] const std::vector<ModuleInstance>& instances();

  // The instance whose data `address` is; nullptr if something else is mapped there.
  [[nodiscard]] const ModuleInstance* instance_at(std::uint64_t address);

 private:
  using FileKey = std::pair<std::uint64_t, std::uint64_t>;  // device, inode

  void build_instances();

  std::vector<process::MapsEntry> maps_;
  std::map<FileKey, std::shared_ptr<process::ElfModule>> modules_;
  std::optional<std::vector<ModuleInstance>> instances_;
  process::IntervalIndex index_;
};

}  // namespace cowtrace::objects
