// SPDX-License-Identifier: Apache-2.0
// Answers the join's questions about addresses from what was captured while the processes lived:
// registered objects before data symbols, functions from the ELF files.
#pragma once

#include <sys/types.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/objects.h"
#include "objects/lifetime_index.h"
#include "objects/module_map.h"
#include "objects/object_pool.h"
#include "process/elf_module.h"
#include "process/symbolizer.h"

namespace cowtrace::objects {

class CapturedResolver final : public model::Resolver {
 public:
  explicit CapturedResolver(
      std::shared_ptr<process::ModuleCache> modules = std::make_shared<process::ModuleCache>());

  // The mappings of an address space at one more moment; answers come from the newest that knows
  // the address. `pid` is a living process that has them, if there is one: its files are opened now
  // and read when needed.
  void add_space(model::SpaceId space, std::optional<pid_t> pid,
                 std::vector<process::MapsEntry> maps);

  // The objects that an address space had registered, as they were just read; may be called again
  // for later readings.
  void add_registered(model::SpaceId space, std::vector<model::Object> objects);

  // What fork does: the child begins with all that is known of the parent. Costs nothing. What was
  // added for the child before stays.
  void inherit(model::SpaceId child, model::SpaceId parent);

  void hurry() override { symbolizer_.hurry(); }
  [[nodiscard]] std::shared_ptr<const void> finish() override;

  [[nodiscard]] process::ModuleCache& modules() { return *modules_; }

  [[nodiscard]] const model::Object* object_at(model::SpaceId space, std::uint64_t address,
                                               std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<const model::Object*> objects_in(model::SpaceId space,
                                                             std::uint64_t start, std::uint64_t end,
                                                             std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<model::StackFrame> frames_at(model::SpaceId space, std::uint64_t ip,
                                                         bool is_return_address,
                                                         std::uint64_t time_ns) override;
  [[nodiscard]] std::string function_at(model::SpaceId space, std::uint64_t ip,
                                        bool is_return_address) override;
  [[nodiscard]] std::optional<std::uint32_t> store_size_at(model::SpaceId space,
                                                           std::uint64_t ip) override;

 private:
  struct Space {
    std::deque<std::shared_ptr<ModuleMap>> maps;  // newest first
    std::shared_ptr<const LifetimeIndex> registered;
  };

  Space* find(model::SpaceId space);
  // The newest maps that have anything at `address`; nullptr if none.
  static ModuleMap* maps_at(Space& space, std::uint64_t address);
  const model::Object* intern_symbol(model::Object object, ModuleMap& maps);

  std::shared_ptr<process::ModuleCache> modules_;
  process::Symbolizer symbolizer_;
  std::shared_ptr<ObjectPool> pool_ = std::make_shared<ObjectPool>();
  std::unordered_map<model::SpaceId, Space> spaces_;
  // By module and offset in its file.
  std::map<std::pair<const process::ElfModule*, std::uint64_t>, std::optional<std::uint32_t>>
      store_sizes_;
};

}  // namespace cowtrace::objects
