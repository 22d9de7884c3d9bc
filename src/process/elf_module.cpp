// SPDX-License-Identifier: Apache-2.0
#include "process/elf_module.h"

#include <sys/stat.h>

#include "base/units.h"
#include "process/debug_file.h"
#include "process/dwarf_info.h"
#include "process/unwind_table.h"

namespace cowtrace::process {

ElfModule::ElfModule(Fd file, std::string path, std::shared_ptr<const FileRoot> root,
                     std::shared_ptr<DebugSource> source, std::shared_ptr<DebugBudget> budget)
    : path_(std::move(path)),
      root_(std::move(root)),
      source_(std::move(source)),
      budget_(budget != nullptr ? std::move(budget) : std::make_shared<DebugBudget>()),
      unread_(std::move(file)) {}

ElfModule::ElfModule(std::string path, std::string why_unavailable)
    : path_(std::move(path)),
      root_(std::make_shared<FileRoot>()),
      budget_(std::make_shared<DebugBudget>(DebugBudget::Limits())),
      why_unavailable_(std::move(why_unavailable)) {}

ElfModule::~ElfModule() = default;

const ElfFile* ElfModule::elf() {
  if (unread_) {
    auto elf = ElfFile::open(std::move(unread_), path_, budget_);
    unread_.reset();
    if (elf) {
      elf_ = std::move(*elf);
    } else {
      why_unavailable_ = elf.error().why;
    }
  }
  return elf_.get();
}

std::shared_ptr<const ElfFile> ElfModule::debug_file() {
  if (!debug_file_) {
    debug_file_ = nullptr;
    // A file that brings its own .debug_info needs no other.
    if (elf() != nullptr && elf_->section(".debug_info") == nullptr) {
      debug_file_ = find_debug_file(*elf_, *root_, source_.get());
    }
  }
  return *debug_file_;
}

const SymbolTable& ElfModule::symbols() {
  if (!symbols_) {
    std::vector<std::shared_ptr<const ElfFile>> files;
    if (elf() != nullptr) files.push_back(elf_);
    if (auto debug = debug_file()) files.push_back(debug);
    symbols_.emplace(std::move(files));
  }
  return *symbols_;
}

DwarfInfo* ElfModule::dwarf() {
  if (!dwarf_) {
    dwarf_ = nullptr;
    auto file = debug_file();
    if (file == nullptr && elf() != nullptr) file = elf_;
    if (file != nullptr) dwarf_ = DwarfInfo::open(file, *root_, source_.get());
  }
  return dwarf_->get();
}

UnwindTable* ElfModule::unwind_table() {
  if (!unwind_table_) {
    unwind_table_ = nullptr;
    if (elf() != nullptr) unwind_table_ = UnwindTable::open(elf_);
  }
  return unwind_table_->get();
}

std::optional<std::uint64_t> ElfModule::find_symbol(const std::string& name) {
  const auto known = found_symbols_.find(name);
  if (known != found_symbols_.end()) return known->second;
  const auto address = elf() != nullptr ? elf_->find_symbol(name) : std::nullopt;
  found_symbols_.emplace(name, address);
  return address;
}

std::shared_ptr<ElfModule> ModuleCache::open(const MapsEntry& entry, std::optional<pid_t> pid) {
  const Key key(entry.device, entry.inode, entry.path);
  const auto known = modules_.find(key);
  if (known != modules_.end()) return known->second;
  const auto root = root_of(pid);
  auto file = open_mapped_file(entry, *root, pid);
  // A failure is not remembered: another process may still be able to show the file.
  if (!file) return std::make_shared<ElfModule>(entry.path, file.error().why);
  auto module = std::make_shared<ElfModule>(std::move(*file), entry.path, root, source_, budget_);
  modules_.emplace(key, module);
  return module;
}

std::shared_ptr<const FileRoot> ModuleCache::root_of(std::optional<pid_t> pid) {
  std::string key;
  if (pid) {
    const std::string process = "/proc/" + std::to_string(*pid);
    struct stat root = {};
    struct stat mounts = {};
    if (::stat((process + "/root").c_str(), &root) == 0 &&
        ::stat((process + "/ns/mnt").c_str(), &mounts) == 0) {
      key = std::to_string(mounts.st_ino) + ":" + std::to_string(root.st_dev) + ":" +
            std::to_string(root.st_ino);
    }
  }
  auto& known = roots_[key];
  if (known == nullptr && !key.empty()) {
    if (auto root = FileRoot::of_process(*pid)) {
      known = std::make_shared<FileRoot>(std::move(*root));
    }
  }
  if (known == nullptr) known = std::make_shared<FileRoot>(FileRoot::unknown());
  return known;
}

}  // namespace cowtrace::process
