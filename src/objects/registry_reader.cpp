// SPDX-License-Identifier: Apache-2.0
#include "objects/registry_reader.h"

#define COWTRACE_OBJECTS_LAYOUT_ONLY
#include <cowtrace/objects.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "base/units.h"
#include "objects/module_map.h"

namespace cowtrace::objects {
namespace {

using Slot = ::cowtrace_slot;
using Chunk = ::cowtrace_chunk;
using Registry = ::cowtrace_registry;

constexpr std::uint64_t kAddressLimit = std::uint64_t{1} << 63;
constexpr int kTriesPerSlot = 4;
constexpr std::size_t kMostRetried = 1000;  // more than a program has threads that write to slots

template <std::size_t size>
std::string bounded_text(const char (&text)[size]) {
  return std::string(text, strnlen(text, size));
}

bool is_range(std::uint64_t address, std::uint64_t size) {
  return address != 0 && size != 0 && address < kAddressLimit && size <= kAddressLimit - address;
}

class RegistryWalk {
 public:
  RegistryWalk(process::RemoteMemory& memory, std::uint64_t address, const RegistryLimits& limits,
               RegistryContents& contents)
      : memory_(memory), address_(address), limits_(limits), contents_(contents) {}

  void run() {
    const auto registry = memory_.read_value<Registry>(address_);
    // A page that is not there was never written: a copy that lost to another module's definition.
    if (!registry || registry->first_chunk == 0) return;
    if (std::memcmp(registry->magic, COWTRACE_REGISTRY_MAGIC, sizeof(registry->magic)) != 0) {
      return note("has no magic");
    }
    if (registry->version != COWTRACE_REGISTRY_VERSION) {
      return note("has version " + std::to_string(registry->version) +
                  ", which this cowtrace does not know");
    }
    if (registry->slot_size != sizeof(Slot)) return note("has slots of an unknown size");
    std::size_t chunks = 0;
    for (std::uint64_t at = registry->first_chunk; at != 0;) {
      if (++chunks > limits_.max_chunks) return note("has too many chunks");
      const auto chunk = read_chunk(at);
      if (!chunk || full_) return;
      at = *chunk;
    }
  }

 private:
  void note(const std::string& what) {
    contents_.notes.push_back("the object registry at " + hex(address_) + " " + what);
  }

  // The address of the next chunk; none if this one cannot be trusted.
  std::optional<std::uint64_t> read_chunk(std::uint64_t at) {
    if (at % alignof(Chunk) != 0 || !is_range(at, sizeof(Chunk))) {
      note("has a chunk at the impossible address " + hex(at));
      return std::nullopt;
    }
    const auto chunk = memory_.read_value<Chunk>(at);
    if (!chunk) {
      note("has a chunk that cannot be read at " + hex(at));
      return std::nullopt;
    }
    if (chunk->capacity > COWTRACE_MAX_CHUNK_SLOTS || chunk->used > chunk->capacity ||
        !is_range(at, sizeof(Chunk) + std::uint64_t{chunk->used} * sizeof(Slot))) {
      note("has a chunk of an impossible size at " + hex(at));
      return std::nullopt;
    }
    if (!is_new(at, at + sizeof(Chunk) + std::uint64_t{chunk->used} * sizeof(Slot))) {
      note("has chunks that form a circle or overlap");
      return std::nullopt;
    }
    read_slots(at + sizeof(Chunk), chunk->used);
    return chunk->next;
  }

  // No other chunk lies in these addresses. From then on this one does.
  bool is_new(std::uint64_t start, std::uint64_t end) {
    const auto behind = chunks_.lower_bound(start);
    if (behind != chunks_.end() && behind->first < end) return false;
    if (behind != chunks_.begin() && std::prev(behind)->second > start) return false;
    chunks_.emplace_hint(behind, start, end);
    return true;
  }

  void read_slots(std::uint64_t at, std::uint64_t count) {
    constexpr std::uint64_t kBlock = 512;
    std::vector<Slot> slots(static_cast<std::size_t>(std::min(kBlock, count)));
    std::vector<Slot> again(slots.size());
    while (count != 0 && !full_) {
      if (contents_.slots >= limits_.max_slots)
        return leave_out_more_than(limits_.max_slots, "slots");
      const std::size_t wanted = static_cast<std::size_t>(std::min(kBlock, count));
      const std::size_t got = read_whole_slots(at, std::span(slots).first(wanted));
      const std::size_t confirmed = read_whole_slots(at, std::span(again).first(got));
      for (std::size_t i = 0; i < confirmed && !full_; ++i) {
        take(at + i * sizeof(Slot), slots[i], again[i]);
      }
      std::size_t passed = confirmed;
      if (passed == 0) {
        // The first slot's page is missing: go on with the first slot that begins on another page.
        const std::uint64_t to_next_page = page_of(at) + kPageSize - at;
        passed = static_cast<std::size_t>(
            std::min(count, (to_next_page + sizeof(Slot) - 1) / sizeof(Slot)));
        contents_.absent += passed;
      }
      contents_.slots += passed;
      at += passed * sizeof(Slot);
      count -= passed;
    }
  }

  std::size_t read_whole_slots(std::uint64_t at, std::span<Slot> out) {
    if (out.empty()) return 0;
    const auto got = memory_.read(at, std::as_writable_bytes(out));
    return got ? std::min(*got, out.size_bytes()) / sizeof(Slot) : 0;
  }

  // A slot that reads the same twice, with an even sequence, was not being written between the two.
  static bool is_stable(const Slot& first, const Slot& second) {
    return first.sequence % 2 == 0 && std::memcmp(&first, &second, sizeof(Slot)) == 0;
  }

  void leave_out_more_than(std::size_t limit, const std::string& what) {
    full_ = true;
    note("has more than " + human_count(limit) + " " + what + ": the rest is left out");
  }

  void take(std::uint64_t at, Slot& first, Slot& second) {
    const int most_tries = contents_.torn < kMostRetried ? kTriesPerSlot : 1;
    for (int tries = 1; !is_stable(first, second) && tries < most_tries; ++tries) {
      const auto fresh = memory_.read_value<Slot>(at);
      if (!fresh) break;
      first = second;
      second = *fresh;
    }
    if (!is_stable(first, second)) {
      ++contents_.torn;
      return;
    }
    if (first.sequence == 0 || first.state == COWTRACE_SLOT_FREE) return;
    if (first.state > COWTRACE_SLOT_RETIRED || !is_range(first.address, first.size)) {
      ++contents_.invalid;
      return;
    }
    if (contents_.objects.size() >= limits_.max_objects)
      return leave_out_more_than(limits_.max_objects, "objects");
    model::Object object;
    object.kind = model::ObjectKind::Registered;
    object.address = first.address;
    object.size = first.size;
    object.name = bounded_text(first.name);
    object.type = bounded_text(first.type);
    object.born_ns = first.born_ns;
    if (first.state == COWTRACE_SLOT_RETIRED) {
      object.died_ns = std::max(first.died_ns, first.born_ns);
    }
    contents_.objects.push_back(std::move(object));
  }

  process::RemoteMemory& memory_;
  std::uint64_t address_;
  const RegistryLimits& limits_;
  RegistryContents& contents_;
  std::map<std::uint64_t, std::uint64_t> chunks_;  // start -> end
  bool full_ = false;
};

// Where registries can be: the symbol of each module and, for those without symbols, the section.
std::set<std::uint64_t> registry_addresses(ModuleMap& modules) {
  constexpr std::uint64_t kMaxPerModule = 1024;
  std::set<std::uint64_t> addresses;
  for (const ModuleInstance& instance : modules.instances()) {
    if (const auto symbol = instance.module->find_symbol(COWTRACE_REGISTRY_SYMBOL)) {
      addresses.insert(*symbol + instance.bias);
    }
    const process::ElfSection* section = instance.module->elf()->section(COWTRACE_REGISTRY_SECTION);
    if (section == nullptr) continue;
    const std::uint64_t count = std::min(section->size / sizeof(Registry), kMaxPerModule);
    for (std::uint64_t i = 0; i < count; ++i) {
      addresses.insert(section->address + i * sizeof(Registry) + instance.bias);
    }
  }
  return addresses;
}

}  // namespace

void read_registry(process::RemoteMemory& memory, std::uint64_t address,
                   const RegistryLimits& limits, RegistryContents& contents) {
  RegistryWalk(memory, address, limits, contents).run();
}

Result<RegistryContents> read_registries(pid_t pid, process::ModuleCache& modules,
                                         const RegistryLimits& limits) {
  auto maps = process::read_maps(pid);
  if (!maps) return tl::unexpected<Error>(maps.error());
  ModuleMap module_map(std::move(*maps), modules, pid);
  RegistryContents contents;
  const auto addresses = registry_addresses(module_map);
  if (addresses.empty()) return contents;
  auto memory = process::ProcMem::open(pid);
  if (!memory) return tl::unexpected<Error>(memory.error());
  for (const std::uint64_t address : addresses) {
    read_registry(*memory, address, limits, contents);
  }
  if (memory->swapped_pages() != 0) {
    contents.notes.push_back("part of the object registry of process " + std::to_string(pid) +
                             " is swapped out and was not read");
  }
  return contents;
}

}  // namespace cowtrace::objects
