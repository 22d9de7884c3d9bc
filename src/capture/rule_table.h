// SPDX-License-Identifier: Apache-2.0
// The rules that BPF walks stacks by: a hash table in memory that it and we share (bpf/abi/unwind.h). Only we write it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "abi/unwind.h"
#include "base/result.h"
#include "base/unwind_rule.h"

namespace cowtrace::capture {

// As bpf/abi/unwind.h has it.
[[nodiscard]] std::uint64_t encode(const UnwindRule& rule);

class RuleTable {
 public:
  RuleTable() = default;
  // Maps the BPF map `fd`, which has `count` buckets; fewer than there have to be are none.
  static Result<RuleTable> map(int fd, std::size_t count);
  RuleTable(RuleTable&& other) noexcept { *this = std::move(other); }
  RuleTable& operator=(RuleTable&& other) noexcept {
    std::swap(buckets_, other.buckets_);
    std::swap(used_, other.used_);
    return *this;
  }
  ~RuleTable();

  // Where a bucket is full, or the table nearly is, all rules are forgotten first: those that are needed are missed, and come again.
  void add(std::uint64_t scope, std::uint64_t address, bool exact, const UnwindRule& rule);

 private:
  void clear();

  cowtrace_unwind_bucket* buckets_ = nullptr;
  std::size_t used_ = 0;
};

}  // namespace cowtrace::capture
