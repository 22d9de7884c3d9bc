// SPDX-License-Identifier: Apache-2.0
// The writes and reads that experiments are made of. They are functions of their own, never
// inlined, so that stacks name them, and every access is volatile, so that it happens exactly once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "scenario/ground.h"

namespace scenario {

inline constexpr std::uint64_t kStep = 64;

// Where page `index` of the buffer is written: an offset that differs from page to page, so that
// exact addresses can be compared.
constexpr std::uint64_t offset_in_page(std::uint64_t index) {
  return index * kStep % kPageSize;
}

template <typename Place, typename Value>
inline void store(Place* place, Value value) {
  *reinterpret_cast<volatile Value*>(place) = value;
}

template <typename Value, typename Place>
inline Value load(const Place* place) {
  return *reinterpret_cast<const volatile Value*>(place);
}

[[gnu::noinline]] void mutate_pages(const Ground& ground);         // 8 bytes a page of the buffer
[[gnu::noinline]] void write_small_objects(const Ground& ground);  // all but `limits`; one page
[[gnu::noinline]] void write_global();  // global_counters.requests; one page
[[gnu::noinline]] std::uint64_t read_pages(
    const Ground& ground);  // the same places, read; their sum

// An Act: writes every page of the regions once.
Result<std::uint64_t> write_everything(const Ground& ground);

}  // namespace scenario
