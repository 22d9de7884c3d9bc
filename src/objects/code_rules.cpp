// SPDX-License-Identifier: Apache-2.0
#include "objects/code_rules.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "process/unwind_table.h"

namespace cowtrace::objects {
namespace {

constexpr std::size_t kMostRemembered = 100'000;

}  // namespace

std::shared_ptr<process::ElfModule> own_vdso() {
  const std::uint64_t start = getauxval(AT_SYSINFO_EHDR);
  const auto maps = process::read_maps(getpid());
  const process::MapsEntry* entry =
      maps && start != 0 ? process::find_mapping(*maps, start) : nullptr;
  if (entry == nullptr || entry->start != start) return nullptr;
  Fd file(memfd_create("vdso", MFD_CLOEXEC));
  const std::size_t size = entry->end - entry->start;
  if (!file ||
      write(file.get(), reinterpret_cast<const void*>(start), size) != static_cast<ssize_t>(size))
    return nullptr;
  return std::make_shared<process::ElfModule>(std::move(file), "[vdso]",
                                              std::make_shared<process::FileRoot>());
}

const UnwindRule& CodeRules::rule_at(std::uint64_t ip, bool exact) {
  auto& known = exact ? exact_ : after_call_;
  if (known.size() >= kMostRemembered) known.clear();
  const auto [found, is_new] = known.try_emplace(ip);
  if (is_new) found->second = find(ip, exact);
  return found->second;
}

UnwindRule CodeRules::find(std::uint64_t ip, bool exact) const {
  // The call before a return address may be the last instruction of its function.
  const std::uint64_t address = exact || ip == 0 ? ip : ip - 1;
  const process::MapsEntry* mapping = process::find_mapping(maps_->maps(), address);
  if (mapping == nullptr || !mapping->executable()) return {.kind = UnwindRule::Kind::NoCode};
  const auto module = mapping->path == "[vdso]" ? vdso_ : maps_->module_of(*mapping);
  process::UnwindTable* table = module != nullptr ? module->unwind_table() : nullptr;
  if (table == nullptr) return kByFramePointer;
  const auto in_file = module->elf()->address_at(address - mapping->start + mapping->offset, true);
  return (in_file ? table->rule_at(*in_file) : std::nullopt).value_or(kByFramePointer);
}

}  // namespace cowtrace::objects
