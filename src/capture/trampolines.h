// SPDX-License-Identifier: Apache-2.0
// Whether this kernel lets BPF programs be attached to its functions by patching its text (fentry,
// fexit).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/result.h"

namespace cowtrace::capture {

// Asked with one empty program; takes a millisecond, where loading all programs to no avail takes
// tenths of a second.
Status trampolines_work();

// The number of the first function in BTF data (linux/btf.h), which `read` gives piece by piece: it
// returns how many bytes it put into its argument, 0 at the end or on error. nullopt: there is
// none, or this is not BTF. For unit tests.
std::optional<std::uint32_t> first_function(
    const std::function<std::size_t(std::span<std::byte>)>& read);

}  // namespace cowtrace::capture
