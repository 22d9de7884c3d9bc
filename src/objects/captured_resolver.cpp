// SPDX-License-Identifier: Apache-2.0
#include "objects/captured_resolver.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/units.h"
#include "objects/symbol_objects.h"
#include "process/store_size.h"
#include "process/unwind_table.h"

namespace cowtrace::objects {
namespace {

constexpr std::size_t kMapsKept = 8;       // moments of one address space
constexpr std::size_t kMaxSymbols = 4096;  // of one range: as many as one-byte symbols in a page

// Whether registered objects cover all of [start, end): nothing in it is then the symbol's.
bool is_hidden(std::uint64_t start, std::uint64_t end,
               const std::vector<const Lifetime*>& registered) {
  for (const Lifetime* lifetime : registered) {
    if (lifetime->range.start > start) break;
    start = std::max(start, lifetime->range.end);
    if (start >= end) return true;
  }
  return false;
}

// A range may be registered twice as the same object; both then stand together, for `found`
// ascends.
bool is_listed(const std::vector<const model::Object*>& found, const model::Object* object) {
  for (auto one = found.rbegin(); one != found.rend(); ++one) {
    if (*one == object) return true;
    if ((*one)->address != object->address) break;
  }
  return false;
}

process::CodeFrame frame_without_module(const process::MapsEntry& mapping, std::uint64_t ip) {
  if (!mapping.is_file()) {
    return process::unnamed_frame(
        ip, "not a file mapping: " + (mapping.path.empty() ? "[anon]" : mapping.path));
  }
  return process::unnamed_frame(ip, "not code: " + mapping.path);
}

model::StackFrame to_stack_frame(const process::CodeFrame& frame, const std::string& module) {
  return {frame.function, frame.file, frame.line, module, frame.inlined, frame.why_unnamed};
}

// A stack never returns to data: a walk by frame pointers that ends here has left the stack.
model::StackFrame not_code(const process::CodeFrame& frame) {
  model::StackFrame result = to_stack_frame(frame, {});
  result.not_code = true;
  return result;
}

}  // namespace

CapturedResolver::CapturedResolver(std::shared_ptr<process::ModuleCache> modules)
    : modules_(std::move(modules)) {}

void CapturedResolver::add_space(model::SpaceId space, std::optional<pid_t> pid,
                                 std::vector<process::MapsEntry> maps) {
  auto& known = spaces_[space].maps;
  const auto same = std::find_if(known.begin(), known.end(),
                                 [&](const auto& one) { return one->maps() == maps; });
  if (same != known.end()) {
    std::rotate(known.begin(), same, std::next(same));
    return;
  }
  known.push_front(std::make_shared<ModuleMap>(std::move(maps), *modules_, pid));
  if (known.size() > kMapsKept) known.pop_back();
}

void CapturedResolver::add_registered(model::SpaceId space, std::vector<model::Object> objects) {
  std::vector<Lifetime> lifetimes;
  lifetimes.reserve(objects.size());
  for (model::Object& object : objects) {
    if (object.size == 0 || object.address + object.size < object.address) continue;
    Lifetime lifetime{
        {object.address, object.address + object.size}, object.born_ns, object.died_ns, nullptr};
    lifetime.object = pool_->intern(std::move(object));
    lifetimes.push_back(lifetime);
  }
  auto& known = spaces_[space].registered;
  if (known != nullptr) lifetimes = merge_lifetimes(known->all(), std::move(lifetimes));
  known = std::make_shared<LifetimeIndex>(std::move(lifetimes));
}

void CapturedResolver::inherit(model::SpaceId child, model::SpaceId parent) {
  const auto found = spaces_.find(parent);
  if (found == spaces_.end() || child == parent) return;
  const Space from = found->second;  // spaces_ may grow
  Space& to = spaces_[child];
  for (const auto& maps : from.maps) {
    if (to.maps.size() == kMapsKept) break;
    to.maps.push_back(maps);
  }
  if (from.registered == nullptr) return;
  if (to.registered == nullptr) {
    to.registered = from.registered;
  } else {
    to.registered = std::make_shared<LifetimeIndex>(
        merge_lifetimes(from.registered->all(), to.registered->all()));
  }
}

std::shared_ptr<const void> CapturedResolver::finish() {
  return std::exchange(pool_, nullptr);
}

CapturedResolver::Space* CapturedResolver::find(model::SpaceId space) {
  const auto found = spaces_.find(space);
  return found != spaces_.end() ? &found->second : nullptr;
}

ModuleMap* CapturedResolver::maps_at(Space& space, std::uint64_t address) {
  for (const auto& maps : space.maps) {
    if (process::find_mapping(maps->maps(), address) != nullptr) return maps.get();
  }
  return nullptr;
}

const model::Object* CapturedResolver::intern_symbol(model::Object object, ModuleMap& maps) {
  const ModuleInstance* instance = maps.instance_at(object.address);
  return pool_->intern(std::move(object),
                       instance != nullptr ? std::string_view(instance->module->path()) : "");
}

const model::Object* CapturedResolver::object_at(model::SpaceId space_id, std::uint64_t address,
                                                 std::uint64_t time_ns) {
  Space* space = find(space_id);
  if (space == nullptr) return nullptr;
  if (space->registered != nullptr) {
    if (const auto* object = space->registered->at(address, time_ns)) return object;
  }
  ModuleMap* maps = maps_at(*space, address);
  if (maps == nullptr) return nullptr;
  auto symbol = symbol_object_at(*maps, address);
  return symbol ? intern_symbol(std::move(*symbol), *maps) : nullptr;
}

std::vector<const model::Object*> CapturedResolver::objects_in(model::SpaceId space_id,
                                                               std::uint64_t start,
                                                               std::uint64_t end,
                                                               std::uint64_t time_ns) {
  std::vector<const model::Object*> found;
  Space* space = find(space_id);
  if (space == nullptr || start >= end) return found;
  std::vector<const Lifetime*> registered;
  if (space->registered != nullptr) registered = space->registered->in(start, end, time_ns);
  for (const Lifetime* lifetime : registered) {
    if (!is_listed(found, lifetime->object)) found.push_back(lifetime->object);
  }
  const std::size_t without_symbols = found.size();
  if (ModuleMap* maps = maps_at(*space, start)) {
    for (model::Object& symbol : symbol_objects_in(*maps, start, end, kMaxSymbols)) {
      const std::uint64_t from = std::max(start, symbol.address);
      const std::uint64_t to = std::min(end, symbol.address + symbol.size);
      if (!is_hidden(from, to, registered)) {
        found.push_back(intern_symbol(std::move(symbol), *maps));
      }
    }
  }
  if (found.size() > without_symbols) {
    std::stable_sort(found.begin(), found.end(),
                     [](const auto* a, const auto* b) { return a->address < b->address; });
  }
  return found;
}

namespace {

bool is_signal_return(process::ElfModule& module, std::uint64_t address) {
  process::UnwindTable* table = module.unwind_table();
  const auto rule = table != nullptr ? table->rule_at(address) : std::nullopt;
  return rule && rule->signal;
}

}  // namespace

std::vector<model::StackFrame> CapturedResolver::frames_at(model::SpaceId space_id,
                                                           std::uint64_t ip, bool is_return_address,
                                                           std::uint64_t /*time_ns*/) {
  // The call before a return address may be the last instruction of its function.
  const std::uint64_t address = is_return_address && ip != 0 ? ip - 1 : ip;
  Space* space = find(space_id);
  if (space == nullptr || space->maps.empty()) {
    return {to_stack_frame(
        process::unnamed_frame(ip, "the mappings of its process were not captured"), {})};
  }
  ModuleMap* maps = maps_at(*space, address);
  if (maps == nullptr) return {not_code(process::unnamed_frame(ip, "nothing is mapped there"))};
  const process::MapsEntry& mapping = *process::find_mapping(maps->maps(), address);
  if (!mapping.executable()) return {not_code(frame_without_module(mapping, ip))};
  const auto module = maps->module_of(mapping);
  if (module == nullptr) {
    return {
        to_stack_frame(frame_without_module(mapping, ip), mapping.is_file() ? mapping.path : "")};
  }
  const std::uint64_t offset = address - mapping.start + mapping.offset;
  const process::ElfFile* elf = module->elf();
  // A file that cannot be read is told by its offset, which a person can still look up elsewhere.
  const std::uint64_t in_file =
      elf != nullptr ? elf->address_at(offset, mapping.executable()).value_or(offset) : offset;
  std::vector<model::StackFrame> frames;
  // A signal handler was not called: what it returns to begins its function.
  const bool begins = address != ip && elf != nullptr && is_signal_return(*module, in_file);
  for (const process::CodeFrame& frame :
       symbolizer_.frames_at(*module, begins ? in_file + 1 : in_file)) {
    frames.push_back(to_stack_frame(frame, module->path()));
    if (!frame.why_unnamed.empty()) frames.back().function = hex(ip);
  }
  return frames;
}

std::string CapturedResolver::function_at(model::SpaceId space_id, std::uint64_t ip,
                                          bool is_return_address) {
  const std::uint64_t address = is_return_address && ip != 0 ? ip - 1 : ip;
  Space* space = find(space_id);
  ModuleMap* maps = space != nullptr ? maps_at(*space, address) : nullptr;
  if (maps == nullptr) return {};
  const process::MapsEntry& mapping = *process::find_mapping(maps->maps(), address);
  const auto module = mapping.executable() ? maps->module_of(mapping) : nullptr;
  const process::ElfFile* elf = module != nullptr ? module->elf() : nullptr;
  if (elf == nullptr) return {};
  const auto in_file = elf->address_at(address - mapping.start + mapping.offset, true);
  const auto symbol =
      in_file ? module->symbols().find(process::SymbolKind::Function, *in_file) : std::nullopt;
  return symbol ? symbol->name : std::string();
}

std::optional<std::uint32_t> CapturedResolver::store_size_at(model::SpaceId space_id,
                                                             std::uint64_t ip) {
  Space* space = find(space_id);
  ModuleMap* maps = space != nullptr ? maps_at(*space, ip) : nullptr;
  if (maps == nullptr) return std::nullopt;
  const process::MapsEntry& mapping = *process::find_mapping(maps->maps(), ip);
  const auto module = mapping.executable() ? maps->module_of(mapping) : nullptr;
  const process::ElfFile* elf = module != nullptr ? module->elf() : nullptr;
  if (elf == nullptr) return std::nullopt;
  const std::uint64_t offset = ip - mapping.start + mapping.offset;
  const auto [known, is_new] = store_sizes_.try_emplace({module.get(), offset});
  if (is_new) {
    std::array<std::byte, process::kLongestInstruction> code{};
    const ssize_t size = pread(elf->file(), code.data(), code.size(), static_cast<off_t>(offset));
    if (size > 0)
      known->second = process::store_size({code.data(), static_cast<std::size_t>(size)});
  }
  return known->second;
}

}  // namespace cowtrace::objects
