// SPDX-License-Identifier: Apache-2.0
// How stacks are unwound at each address of one program: by the .eh_frame of the file that is
// mapped there, and by frame pointer where there is none.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/unwind_rule.h"
#include "objects/module_map.h"
#include "process/elf_module.h"

namespace cowtrace::objects {

// The code that the kernel maps into each process; nullptr if it cannot be had. The same for all
// processes.
[[nodiscard]] std::shared_ptr<process::ElfModule> own_vdso();

class CodeRules {
 public:
  // Reads the files of `maps` when it is asked, in the thread that asks.
  CodeRules(std::unique_ptr<ModuleMap> maps, std::shared_ptr<process::ElfModule> vdso)
      : maps_(std::move(maps)), vdso_(std::move(vdso)) {}

  // At an instruction (`exact`), or for the call that returns to `ip`. Remembered.
  [[nodiscard]] const UnwindRule& rule_at(std::uint64_t ip, bool exact);

 private:
  [[nodiscard]] UnwindRule find(std::uint64_t ip, bool exact) const;

  std::unique_ptr<ModuleMap> maps_;
  std::shared_ptr<process::ElfModule> vdso_;
  std::unordered_map<std::uint64_t, UnwindRule> exact_, after_call_;
};

}  // namespace cowtrace::objects
