// SPDX-License-Identifier: Apache-2.0
// The programs that make a run of a hook when the hook itself is busy (bpf/lib/again.h):
// "NAME_again1" and so on.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

struct bpf_object;
struct bpf_program;

namespace cowtrace::capture {

// The hook that a program stands in for, or the program's own name.
[[nodiscard]] std::string_view hook_of(std::string_view program);

// Before the load: of those that stand in for hooks that are to be loaded, the ones on trampolines
// and the ones on tracepoints as wanted, no others.
void choose_agains(bpf_object* object, bool trampolines, bool tracepoints);

// Those of a hook, as far as they are (or may be) loaded.
[[nodiscard]] std::vector<bpf_program*> agains_of(bpf_object* object, const bpf_program* hook);

// Runs of hooks that nobody has made, at most: of each hook the least that it or one of those that
// stand in for it has missed. `missed`: the name of a program, and runs.
[[nodiscard]] std::uint64_t skipped_runs(
    std::span<const std::pair<std::string_view, std::uint64_t>> missed);

// The same of the loaded programs (recursion_misses, counted since 5.12).
[[nodiscard]] std::uint64_t skipped_runs(const bpf_object* object);

}  // namespace cowtrace::capture
