// SPDX-License-Identifier: Apache-2.0
// The memory that experiments inherit and write: a buffer of many pages, one page of small objects,
// and one page that is a global variable. Nothing else shares these pages, and every object on them
// is registered by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scenario/failure.h"
#include "scenario/truth.h"

namespace scenario {

struct Request {
  std::uint64_t number;
  char path[56];
};

// Fills one page. Everything on it but `limits` is written; a break that those writes cause takes
// `limits` along as a neighbour.
struct alignas(kPageSize) SmallObjects {
  std::uint64_t hits;
  std::uint64_t misses;
  Request last_request;
  std::uint64_t limits[4];
  std::uint32_t flags;
};
static_assert(sizeof(SmallObjects) == kPageSize);

struct alignas(kPageSize) GlobalCounters {
  std::uint64_t requests;
  std::uint64_t errors;
};
static_assert(sizeof(GlobalCounters) == kPageSize);

// Static data (.data) of the program.
extern GlobalCounters global_counters;

class Ground {
 public:
  // Maps, fills and registers everything. When it returns every page is an anonymous base-page
  // frame of this process alone.
  static Result<Ground> prepare(std::uint64_t pages);

  [[nodiscard]] std::uint64_t pages() const { return pages_; }  // of the buffer
  [[nodiscard]] std::uint64_t all_pages() const { return pages_ + 2; }
  [[nodiscard]] std::byte* page(std::uint64_t index) const { return buffer_ + index * kPageSize; }
  [[nodiscard]] SmallObjects& small() const { return *small_; }
  [[nodiscard]] std::vector<Region> regions() const;

 private:
  std::byte* buffer_ = nullptr;  // mapped for the life of the process
  std::uint64_t pages_ = 0;
  SmallObjects* small_ = nullptr;
};

}  // namespace scenario
