// SPDX-License-Identifier: Apache-2.0
// Finds where the kernel maps physical memory and its page descriptors (KASLR moves both, and their
// symbols are often hidden), with pages of our own whose frames /proc/self/pagemap tells, and
// proves the result by walking our own page tables.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

struct cowtrace_bpf;

namespace cowtrace::capture {

struct Calibration {
  std::uint64_t direct_map =
      0;  // virtual address of physical address 0; 0: not verified, page tables cannot be read
  std::uint64_t vmemmap = 0;        // virtual address of struct page 0; 0: not verified
  std::uint64_t frame_mask = 0;     // bits of a page-table entry that hold the physical address
  std::uint32_t levels = 4;         // of page tables
  std::uint32_t pid_level = 0;      // of our pid namespace, 0: the initial one
  std::uint64_t pid_namespace = 0;  // its address
  std::string problem;              // why direct_map or vmemmap is 0
};

// With the peek program of `skeleton`, which is loaded. Errors: frames read as 0 (no
// CAP_SYS_ADMIN).
Result<Calibration> calibrate(cowtrace_bpf& skeleton);

}  // namespace cowtrace::capture
