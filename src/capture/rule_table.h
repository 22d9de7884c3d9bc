// SPDX-License-Identifier: Apache-2.0
// The rules that BPF walks stacks by: a hash table in memory that it and we share
// (bpf/abi/unwind.h). Only we write it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "abi/unwind.h"
#include "base/result.h"
#include "base/unwind_rule.h"
#include "capture/mapped_array.h"

namespace cowtrace::capture {

// As bpf/abi/unwind.h has it.
[[nodiscard]] std::uint64_t encode(const UnwindRule& rule);

class RuleTable {
 public:
  RuleTable() = default;
  // Maps the BPF map `fd`, which has `count` buckets; fewer than there have to be are none.
  static Result<RuleTable> map(int fd, std::size_t count);

  // Where a bucket is full, or the table nearly is, all rules are forgotten first: those that are
  // needed are missed, and come again.
  void add(std::uint64_t scope, std::uint64_t address, bool exact, const UnwindRule& rule);

 private:
  void clear();

  MappedArray<cowtrace_unwind_bucket> buckets_;  // none: rules are not used
  std::size_t used_ = 0;
};

}  // namespace cowtrace::capture
