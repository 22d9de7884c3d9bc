// SPDX-License-Identifier: Apache-2.0
#include "objects/registry_reader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include <random>

#include "support/buffer_memory.h"
#include "support/forked_child.h"

#define COWTRACE_OBJECTS_LAYOUT_ONLY
#include <cowtrace/objects.h>

namespace cowtrace::objects {
namespace {

constexpr std::uint64_t kRegistry = 0x10000;
constexpr std::uint64_t kChunk = 0x20000;

cowtrace_slot make_slot(std::uint64_t address, std::uint64_t size, const char* name) {
  cowtrace_slot slot = {};
  slot.address = address;
  slot.size = size;
  slot.born_ns = 10;
  slot.sequence = 2;
  slot.state = COWTRACE_SLOT_LIVE;
  std::strncpy(slot.name, name, sizeof(slot.name) - 1);
  return slot;
}

class RegistryReader : public ::testing::Test {
 protected:
  RegistryReader() {
    std::memcpy(registry.magic, COWTRACE_REGISTRY_MAGIC, sizeof(registry.magic));
    registry.version = COWTRACE_REGISTRY_VERSION;
    registry.slot_size = sizeof(cowtrace_slot);
    registry.first_chunk = kChunk;
  }

  void place_chunk(std::uint64_t at, const std::vector<cowtrace_slot>& slots,
                   std::uint64_t next = 0) {
    cowtrace_chunk chunk = {};
    chunk.capacity = static_cast<std::uint32_t>(slots.size());
    chunk.used = chunk.capacity;
    chunk.next = next;
    memory.place_value(at, chunk);
    memory.place(at + sizeof(chunk), std::as_bytes(std::span(slots)));
  }

  RegistryContents read(const RegistryLimits& limits = {}) {
    memory.place_value(kRegistry, registry);
    RegistryContents contents;
    read_registry(memory, kRegistry, limits, contents);
    return contents;
  }

  std::string only_note(const RegistryContents& contents) {
    EXPECT_EQ(contents.notes.size(), 1u);
    return contents.notes.empty() ? "" : contents.notes.front();
  }

  test::BufferMemory memory;
  cowtrace_registry registry = {};
};

TEST_F(RegistryReader, ReadsLiveAndRetiredObjects) {
  auto retired = make_slot(0x7000, 8, "old");
  retired.state = COWTRACE_SLOT_RETIRED;
  retired.died_ns = 20;
  std::memset(retired.type, 'T', sizeof(retired.type));  // no NUL
  place_chunk(kChunk, {make_slot(0x5000, 100, "new"), cowtrace_slot{}, retired}, kChunk + 0x1000);
  place_chunk(kChunk + 0x1000, {make_slot(0x6000, 1, "\x1b[2Jraw")});
  const auto contents = read();
  ASSERT_EQ(contents.objects.size(), 3u);
  EXPECT_TRUE(contents.notes.empty());
  EXPECT_EQ(contents.torn + contents.invalid + contents.absent, 0u);
  const auto& [first, old, raw] =
      std::tie(contents.objects[0], contents.objects[1], contents.objects[2]);
  EXPECT_EQ(first.name, "new");
  EXPECT_EQ(first.kind, model::ObjectKind::Registered);
  EXPECT_EQ(first.address, 0x5000u);
  EXPECT_EQ(first.size, 100u);
  EXPECT_EQ(first.born_ns, 10u);
  EXPECT_EQ(first.died_ns, UINT64_MAX);
  EXPECT_EQ(old.died_ns, 20u);
  EXPECT_EQ(old.type, std::string(sizeof(retired.type), 'T'));
  EXPECT_EQ(raw.name, "\x1b[2Jraw") << "escaping is for who prints it";
}

TEST_F(RegistryReader, UnusedRegistriesAreSilent) {
  registry.first_chunk = 0;
  EXPECT_TRUE(read().notes.empty());
  memory.remove_page(kRegistry);
  RegistryContents contents;
  read_registry(memory, kRegistry, {}, contents);
  EXPECT_TRUE(contents.notes.empty() && contents.objects.empty());
}

TEST_F(RegistryReader, OtherVersionsAreSaidNotGuessed) {
  place_chunk(kChunk, {make_slot(0x5000, 100, "x")});
  registry.version = 2;
  EXPECT_NE(only_note(read()).find("version 2"), std::string::npos);
  registry.version = COWTRACE_REGISTRY_VERSION;
  registry.slot_size = 64;
  EXPECT_NE(only_note(read()).find("unknown size"), std::string::npos);
  registry.slot_size = sizeof(cowtrace_slot);
  registry.magic[0] = 'X';
  const auto contents = read();
  EXPECT_NE(only_note(contents).find("no magic"), std::string::npos);
  EXPECT_TRUE(contents.objects.empty());
}

TEST_F(RegistryReader, TornAndInvalidSlotsAreCounted) {
  auto torn = make_slot(0x5000, 100, "torn");
  torn.sequence = 3;
  auto empty = make_slot(0x5000, 0, "empty");
  auto wraps = make_slot(UINT64_MAX - 5, 100, "wraps");
  auto null = make_slot(0, 100, "null");
  auto state = make_slot(0x5000, 100, "state");
  state.state = 77;
  place_chunk(kChunk, {torn, empty, wraps, null, state, make_slot(0x5000, 1, "good")});
  const auto contents = read();
  EXPECT_EQ(contents.torn, 1u);
  EXPECT_EQ(contents.invalid, 4u);
  ASSERT_EQ(contents.objects.size(), 1u);
  EXPECT_EQ(contents.objects[0].name, "good");
}

// A writer that is at work: the slot changes at each look, and comes to rest at the third.
class BusyMemory final : public process::RemoteMemory {
 public:
  explicit BusyMemory(test::BufferMemory& memory) : memory_(memory) {}
  Result<std::size_t> read(std::uint64_t address, std::span<std::byte> out) override {
    auto got = memory_.read(address, out);
    if (address == kChunk + sizeof(cowtrace_chunk) && looks_++ < 2) {
      auto* slot = reinterpret_cast<cowtrace_slot*>(out.data());
      slot->name[0] = looks_ == 1 ? '1' : '2';
      slot->sequence = looks_ == 1 ? 2 : 3;
    }
    return got;
  }

 private:
  test::BufferMemory& memory_;
  int looks_ = 0;
};

TEST_F(RegistryReader, SlotsThatComeToRestAreRead) {
  auto slot = make_slot(0x5000, 100, "rest");
  slot.sequence = 4;
  place_chunk(kChunk, {slot});
  memory.place_value(kRegistry, registry);
  BusyMemory busy(memory);
  RegistryContents contents;
  read_registry(busy, kRegistry, {}, contents);
  ASSERT_EQ(contents.objects.size(), 1u);
  EXPECT_EQ(contents.objects[0].name, "rest");
  EXPECT_EQ(contents.torn, 0u);
}

TEST_F(RegistryReader, SlotsThatAreAllTornAreNotReadAgainForEver) {
  auto torn = make_slot(0x5000, 100, "torn");
  torn.sequence = 3;
  place_chunk(kChunk, std::vector<cowtrace_slot>(5000, torn));
  memory.place_value(kRegistry, registry);
  struct CountingMemory final : process::RemoteMemory {
    explicit CountingMemory(process::RemoteMemory& others) : memory(others) {}
    Result<std::size_t> read(std::uint64_t address, std::span<std::byte> out) override {
      ++reads;
      return memory.read(address, out);
    }
    process::RemoteMemory& memory;
    std::size_t reads = 0;
  } counting(memory);
  RegistryContents contents;
  read_registry(counting, kRegistry, {}, contents);
  EXPECT_EQ(contents.torn, 5000u);
  EXPECT_LT(counting.reads, 4000u);
}

TEST_F(RegistryReader, HostileChunksEndTheWalk) {
  const std::vector<cowtrace_slot> one = {make_slot(0x5000, 1, "one")};
  place_chunk(kChunk, one, kChunk);
  EXPECT_NE(only_note(read()).find("circle"), std::string::npos);
  // The end of one chunk, and the start of another.
  for (const std::uint64_t overlapping : {kChunk + 16, kChunk - sizeof(cowtrace_chunk)}) {
    place_chunk(overlapping, one);
    place_chunk(kChunk, one, overlapping);
    EXPECT_NE(only_note(read()).find("overlap"), std::string::npos);
  }
  place_chunk(kChunk, one, kChunk + 1);
  EXPECT_NE(only_note(read()).find("impossible address"), std::string::npos);
  place_chunk(kChunk, one, UINT64_MAX - 7);
  EXPECT_NE(only_note(read()).find("impossible address"), std::string::npos);
  place_chunk(kChunk, one, 0x900000);
  EXPECT_NE(only_note(read()).find("cannot be read"), std::string::npos);

  cowtrace_chunk chunk = {};
  chunk.capacity = UINT32_MAX;
  chunk.used = UINT32_MAX;
  memory.place_value(kChunk, chunk);
  EXPECT_NE(only_note(read()).find("impossible size"), std::string::npos);
  chunk.capacity = 1;
  chunk.used = 2;
  memory.place_value(kChunk, chunk);
  EXPECT_NE(only_note(read()).find("impossible size"), std::string::npos);
}

TEST_F(RegistryReader, KeepsToItsLimits) {
  const std::vector<cowtrace_slot> many(100, make_slot(0x5000, 1, "x"));
  place_chunk(kChunk, many, kChunk + 0x10000);
  place_chunk(kChunk + 0x10000, many);
  RegistryLimits limits;
  limits.max_objects = 150;
  auto contents = read(limits);
  EXPECT_EQ(contents.objects.size(), 150u);
  EXPECT_NE(only_note(contents).find("more than 150 objects"), std::string::npos);
  limits = {};
  limits.max_slots = 100;
  contents = read(limits);
  EXPECT_EQ(contents.objects.size(), 100u);
  EXPECT_NE(only_note(contents).find("more than 100 slots"), std::string::npos);
  limits = {};
  limits.max_chunks = 1;
  contents = read(limits);
  EXPECT_EQ(contents.objects.size(), 100u);
  EXPECT_NE(only_note(contents).find("too many chunks"), std::string::npos);
}

TEST_F(RegistryReader, MissingPagesLoseTheirSlotsOnly) {
  std::vector<cowtrace_slot> slots;
  for (std::uint64_t i = 0; i < 200; ++i) slots.push_back(make_slot(0x100000 + i, 1, "x"));
  place_chunk(kChunk, slots);
  memory.remove_page(kChunk + 2 * kPageSize);
  const auto contents = read();
  EXPECT_EQ(contents.absent, 32u);
  EXPECT_EQ(contents.objects.size(), 168u);
  EXPECT_EQ(contents.objects.back().address, 0x100000u + 199);
}

TEST_F(RegistryReader, RandomBytesNeverCrash) {
  std::mt19937_64 random(4711);
  std::size_t found = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::byte> noise(16 * kPageSize);
    for (auto& byte : noise) byte = static_cast<std::byte>(random());
    memory.place(kChunk, noise);
    cowtrace_chunk chunk = {};
    chunk.capacity = static_cast<std::uint32_t>(random() % 1000);
    chunk.used = round % 3 == 0 ? static_cast<std::uint32_t>(random()) : chunk.capacity;
    chunk.next = round % 2 == 0 ? random() : kChunk + 128 * (random() % 200);
    memory.place_value(kChunk, chunk);
    const auto contents = read();
    found += contents.objects.size() + contents.torn + contents.invalid;
    for (const model::Object& object : contents.objects) {
      ASSERT_GT(object.size, 0u);
      ASSERT_GT(object.address + object.size, object.address);
      ASSERT_LE(object.name.size(), 56u);
    }
  }
  EXPECT_GT(found, 0u);
}

}  // namespace
}  // namespace cowtrace::objects
