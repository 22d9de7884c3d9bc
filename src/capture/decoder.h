// SPDX-License-Identifier: Apache-2.0
// Bytes from a ring buffer to a model event. Nothing in the bytes is trusted: size and kind are
// checked, text is bounded.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "model/events.h"

namespace cowtrace::capture {

// `bytes` is one event as the kernel wrote it. Errors name the first thing that does not fit;
// nothing is read past the span.
Result<model::Event> decode(std::span<const std::byte> bytes);

// An event that says nothing but "come and read the lanes".
bool is_wake(std::span<const std::byte> bytes);

}  // namespace cowtrace::capture
