// SPDX-License-Identifier: Apache-2.0
// Which process the kernel ends when memory runs out.
#pragma once

#include <cstdint>

namespace cowtrace::pipeline {

// What /proc/self/oom_score_adj has to be so that `mapped` bytes of this process do not count,
// where it was `now` and `total` bytes of memory are shared out. The kernel adds adj/1000 of
// `total` to what a process has. Never below -999: what has -1000 is never ended.
[[nodiscard]] int oom_score_without(int now, std::uint64_t mapped, std::uint64_t total);

// The ring buffers are mapped twice, and would make this process the first to be ended on a small
// machine: they do not count from now on. All else does. As far as the machine allows it
// (CAP_SYS_RESOURCE). What this process forks from now on inherits it.
void do_not_count_for_oom(std::uint64_t mapped);

}  // namespace cowtrace::pipeline
