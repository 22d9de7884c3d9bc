// SPDX-License-Identifier: Apache-2.0
// Where debug files come from that this machine does not have.
#pragma once

#include <memory>
#include <string>

#include "process/elf_file.h"

namespace cowtrace::process {

class DebugSource {
 public:
  virtual ~DebugSource() = default;
  // The debug file with these raw bytes as its build id; nullptr if there is none to be had. May
  // take long: never to be asked while a traced process waits.
  [[nodiscard]] virtual std::unique_ptr<ElfFile> find(const std::string& build_id) = 0;
};

}  // namespace cowtrace::process
