// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <set>

namespace cowtrace {
namespace {

TEST(Arena, GivesAlignedMemoryThatOverlapsNothing) {
  Arena arena;
  std::set<std::pair<std::uintptr_t, std::uintptr_t>> taken;
  for (std::size_t i = 1; i < 3000; ++i) {
    const std::size_t size = i * 37 % 5000 + 1, alignment = std::size_t{1} << i % 7;
    void* memory = arena.allocate(size, alignment);
    std::memset(memory, 0xff, size);  // all of it can be written
    const auto start = reinterpret_cast<std::uintptr_t>(memory);
    EXPECT_EQ(start % alignment, 0u);
    taken.emplace(start, start + size);
  }
  std::uintptr_t end = 0;
  for (const auto& [start, next] : taken) {
    EXPECT_GE(start, end);
    end = next;
  }
}

TEST(Arena, GivesMoreThanAPieceAtOnce) {
  Arena arena;
  constexpr std::size_t kMuch = 3 << 20;
  std::memset(arena.allocate(kMuch, 4096), 1, kMuch);
  std::memset(arena.allocate(8, 8), 1, 8);
}

TEST(Arena, HoldsTheElementsOfAContainer) {
  Arena arena;
  std::pmr::deque<std::uint64_t> numbers(&arena);
  for (std::uint64_t i = 0; i < 100'000; ++i) numbers.push_back(i);
  for (std::uint64_t i = 0; i < 100'000; ++i) ASSERT_EQ(numbers[i], i);
}

TEST(Arena, OutOfMemoryIsBadAlloc) {
  Arena arena;
  EXPECT_THROW(static_cast<void>(arena.allocate(std::size_t{1} << 60, 8)), std::bad_alloc);
  EXPECT_NE(arena.allocate(8, 8), nullptr);
}

}  // namespace
}  // namespace cowtrace
