// SPDX-License-Identifier: Apache-2.0
// What is known of one ELF file, shared by all processes that map it. The file is opened while a
// process lives; its symbols and its debug information are read at the first question.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "process/debug_source.h"
#include "process/elf_file.h"
#include "process/file_root.h"
#include "process/maps.h"
#include "process/symbol_table.h"

namespace cowtrace::process {

class DwarfInfo;
class UnwindTable;

class ElfModule {
 public:
  // `source` is asked for the debug file when names or lines are asked for and this machine has
  // none; nullptr: nobody is. `budget`: what reading it is taken from; nullptr: one of its own.
  ElfModule(Fd file, std::string path, std::shared_ptr<const FileRoot> root,
            std::shared_ptr<DebugSource> source = nullptr,
            std::shared_ptr<DebugBudget> budget = nullptr);
  // A module that could not be opened.
  ElfModule(std::string path, std::string why_unavailable);
  ~ElfModule();
  ElfModule(const ElfModule&) = delete;
  ElfModule& operator=(const ElfModule&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] DebugBudget& budget() { return *budget_; }
  // nullptr if it is no ELF file or could not be opened; why_unavailable() then says so.
  [[nodiscard]] const ElfFile* elf();
  [[nodiscard]] const std::string& why_unavailable() const { return why_unavailable_; }
  [[nodiscard]] const SymbolTable& symbols();
  // nullptr if there is no debug information.
  [[nodiscard]] DwarfInfo* dwarf();
  // nullptr if the file has no usable .eh_frame.
  [[nodiscard]] UnwindTable* unwind_table();
  // ElfFile::find_symbol, remembered.
  [[nodiscard]] std::optional<std::uint64_t> find_symbol(const std::string& name);

 private:
  // The separate debug file; nullptr if there is none.
  std::shared_ptr<const ElfFile> debug_file();

  std::string path_;
  std::shared_ptr<const FileRoot> root_;
  std::shared_ptr<DebugSource> source_;
  std::shared_ptr<DebugBudget> budget_;
  Fd unread_;  // until elf() has taken it
  std::string why_unavailable_;
  std::shared_ptr<const ElfFile> elf_;
  std::optional<std::shared_ptr<const ElfFile>> debug_file_;
  std::optional<SymbolTable> symbols_;
  std::optional<std::unique_ptr<DwarfInfo>> dwarf_;
  std::optional<std::unique_ptr<UnwindTable>> unwind_table_;
  std::map<std::string, std::optional<std::uint64_t>> found_symbols_;
};

// All modules of a capture. A file is known by device and inode, and stays open so that its inode
// cannot become another file's.
class ModuleCache {
 public:
  // `source`: as in ElfModule. `budget` is that of all modules; nullptr: of these alone.
  explicit ModuleCache(std::shared_ptr<DebugSource> source = nullptr,
                       std::shared_ptr<DebugBudget> budget = nullptr)
      : source_(std::move(source)),
        budget_(budget != nullptr ? std::move(budget) : std::make_shared<DebugBudget>()) {}

  // Never nullptr. `pid`: a living process that maps the file, if any; it finds files that are
  // deleted or in a container.
  [[nodiscard]] std::shared_ptr<ElfModule> open(const MapsEntry& entry, std::optional<pid_t> pid);

  [[nodiscard]] std::size_t size() const { return modules_.size(); }

 private:
  using Key = std::tuple<std::uint64_t, std::uint64_t, std::string>;  // device, inode, path

  std::shared_ptr<const FileRoot> root_of(std::optional<pid_t> pid);

  std::shared_ptr<DebugSource> source_;
  std::shared_ptr<DebugBudget> budget_;
  std::map<Key, std::shared_ptr<ElfModule>> modules_;
  std::map<std::string, std::shared_ptr<const FileRoot>>
      roots_;  // by mount namespace and root inode
};

}  // namespace cowtrace::process
