// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <random>

#include "base/units.h"
#include "objects/captured_resolver.h"
#include "process/maps.h"

namespace cowtrace::objects {

// Data with symbols of its own, for the resolver to find in this very process.
long resolver_test_data[64] = {1};
long resolver_test_zeroes[64];

namespace {

using model::Object;
using model::SpaceId;

Object make(std::uint64_t address, std::uint64_t size, const char* name, std::uint64_t born = 0,
            std::uint64_t died = UINT64_MAX) {
  return {model::ObjectKind::Registered, address, size, name, "t", born, died};
}

std::vector<std::string> names(const std::vector<const Object*>& objects) {
  std::vector<std::string> found;
  for (const Object* object : objects) found.push_back(object->name);
  return found;
}

using Names = std::vector<std::string>;
constexpr SpaceId kParent(1);
constexpr SpaceId kChild(2);

class Registered : public ::testing::Test {
 protected:
  std::string at(SpaceId space, std::uint64_t address, std::uint64_t time = 50) {
    const Object* object = resolver.object_at(space, address, time);
    return object != nullptr ? object->name : "-";
  }
  CapturedResolver resolver;
};

TEST_F(Registered, TheInnermostWins) {
  resolver.add_registered(kParent, {make(0x1000, 0x1000, "outer"), make(0x1100, 0x100, "inner"),
                                    make(0x1100, 0x10, "innermost"), make(0x3000, 8, "other")});
  EXPECT_EQ(at(kParent, 0xfff), "-");
  EXPECT_EQ(at(kParent, 0x1000), "outer");
  EXPECT_EQ(at(kParent, 0x1100), "innermost");
  EXPECT_EQ(at(kParent, 0x1110), "inner");
  EXPECT_EQ(at(kParent, 0x1200), "outer");
  EXPECT_EQ(at(kParent, 0x1fff), "outer");
  EXPECT_EQ(at(kParent, 0x2000), "-");
  EXPECT_EQ(at(kParent, 0x3007), "other");
  EXPECT_EQ(at(kChild, 0x1000), "-");
  EXPECT_EQ(names(resolver.objects_in(kParent, 0x1105, 0x1106, 50)),
            (Names{"outer", "inner", "innermost"}));
  EXPECT_EQ(names(resolver.objects_in(kParent, 0x1fff, 0x3001, 50)), (Names{"outer", "other"}));
  EXPECT_TRUE(resolver.objects_in(kParent, 0x2000, 0x3000, 50).empty());
  EXPECT_TRUE(resolver.objects_in(kParent, 0x3000, 0x3000, 50).empty());
}

TEST_F(Registered, MemoryThatIsUsedAgainIsAnotherObject) {
  resolver.add_registered(kParent,
                          {make(0x1000, 64, "first", 10, 20), make(0x1000, 64, "second", 20, 30),
                           make(0x1000, 32, "third", 40)});
  EXPECT_EQ(at(kParent, 0x1000, 9), "-");
  EXPECT_EQ(at(kParent, 0x1000, 10), "first");
  EXPECT_EQ(at(kParent, 0x1000, 20), "second");
  EXPECT_EQ(at(kParent, 0x1000, 35), "-");
  EXPECT_EQ(at(kParent, 0x1000, 40), "third");
  EXPECT_EQ(at(kParent, 0x1000, UINT64_MAX), "third");
  EXPECT_EQ(at(kParent, 0x1000 + 40, 45), "-");
  EXPECT_EQ(names(resolver.objects_in(kParent, 0x1000, 0x2000, 25)), (Names{"second"}));
}

TEST_F(Registered, AForkInheritsTheSameObjects) {
  resolver.add_registered(kParent, {make(0x1000, 64, "shared"), make(0x2000, 64, "dropped")});
  resolver.inherit(kChild, kParent);
  EXPECT_EQ(resolver.object_at(kChild, 0x1000, 50), resolver.object_at(kParent, 0x1000, 50));

  // Read again in the child: what it registered itself is its own, what it inherited stays the same
  // object.
  resolver.add_registered(kChild, {make(0x1000, 64, "shared"), make(0x2000, 64, "dropped", 0, 40),
                                   make(0x3000, 64, "own", 30)});
  EXPECT_EQ(resolver.object_at(kChild, 0x1000, 50), resolver.object_at(kParent, 0x1000, 50));
  EXPECT_EQ(at(kChild, 0x3000), "own");
  EXPECT_EQ(at(kParent, 0x3000), "-");
  EXPECT_EQ(at(kChild, 0x2000, 50), "-");
  EXPECT_EQ(at(kChild, 0x2000, 35), "dropped");
  EXPECT_EQ(at(kParent, 0x2000, 50), "dropped");
}

TEST_F(Registered, LaterReadingsAddToEarlierOnes) {
  resolver.add_registered(kParent,
                          {make(0x1000, 64, "recycled", 10), make(0x2000, 64, "kept", 10)});
  // The slot of "recycled" was taken by "fresh", born at 70.
  resolver.add_registered(kParent, {make(0x2000, 64, "kept", 10), make(0x1000, 64, "fresh", 70)});
  EXPECT_EQ(at(kParent, 0x1000, 50), "recycled");
  EXPECT_EQ(at(kParent, 0x1000, 70), "fresh");
  EXPECT_EQ(at(kParent, 0x2000, 50), "kept");
  EXPECT_EQ(at(kParent, 0x2000, 90), "kept");
}

TEST_F(Registered, AnObjectIsListedOnce) {
  resolver.add_registered(kParent, {make(0x1000, 64, "twice", 1), make(0x1000, 64, "twice", 2),
                                    make(0x1000, 32, "twice", 3)});
  EXPECT_EQ(names(resolver.objects_in(kParent, 0x1000, 0x1001, 50)), (Names{"twice"}));
}

TEST_F(Registered, NonsenseIsLeftOut) {
  resolver.add_registered(kParent, {make(0x1000, 0, "empty"), make(UINT64_MAX - 1, 100, "wraps"),
                                    make(0x2000, 8, "good", 90, 10)});
  EXPECT_EQ(at(kParent, 0x1000), "-");
  EXPECT_EQ(at(kParent, UINT64_MAX), "-");
  EXPECT_EQ(at(kParent, 0x2000, 95), "-") << "died before it was born";
}

TEST_F(Registered, IsQuickWithManyObjects) {
  constexpr std::uint64_t kObjects = 200'000;
  std::vector<Object> objects = {make(0x100000, kObjects * 64, "arena")};
  for (std::uint64_t i = 0; i < kObjects; ++i) {
    objects.push_back(make(0x100000 + i * 64, 48, ("object " + std::to_string(i)).c_str(), 1 + i));
  }
  resolver.add_registered(kParent, std::move(objects));
  std::mt19937_64 random(1);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t offset = random() % (kObjects * 64);
    const Object* object = resolver.object_at(kParent, 0x100000 + offset, UINT64_MAX);
    ASSERT_NE(object, nullptr);
    ASSERT_EQ(object->size, offset % 64 < 48 ? 48 : kObjects * 64);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5)) << "linear search?";
}

TEST_F(Registered, IsQuickWhateverTheTableHolds) {
  // Hostile: each range inside the one before, and one range many times over.
  std::vector<Object> objects;
  for (std::uint64_t i = 0; i < 50'000; ++i) {
    objects.push_back(make(0x100000 + i, 200'000 - 2 * i, "nested"));
    objects.push_back(make(0x900000, 64, "again", i, i + 1));
  }
  resolver.add_registered(kParent, std::move(objects));
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    ASSERT_NE(resolver.object_at(kParent, 0x100000 + 150'000 + i, 5), nullptr);
    ASSERT_NE(resolver.object_at(kParent, 0x900000, i), nullptr);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5)) << "linear search?";
}

class OwnProcess : public ::testing::Test {
 protected:
  OwnProcess() { resolver.add_space(kParent, ::getpid(), *process::read_maps(::getpid())); }
  CapturedResolver resolver;
};

TEST_F(OwnProcess, DataSymbolsAreObjects) {
  for (const auto& [data, name] :
       {std::pair{resolver_test_data, "cowtrace::objects::resolver_test_data"},
        std::pair{resolver_test_zeroes, "cowtrace::objects::resolver_test_zeroes"}}) {
    const auto address = reinterpret_cast<std::uint64_t>(data);
    const Object* object = resolver.object_at(kParent, address + 511, 0);
    ASSERT_NE(object, nullptr) << name;
    EXPECT_EQ(object->name, name);
    EXPECT_EQ(object->kind, model::ObjectKind::Symbol);
    EXPECT_EQ(object->address, address);
    EXPECT_EQ(object->size, 512u);
    EXPECT_EQ(resolver.object_at(kParent, address, 9), object) << "one identity";
    resolver.inherit(kChild, kParent);
    EXPECT_EQ(resolver.object_at(kChild, address, 9), object);
    const auto on_page = resolver.objects_in(kParent, address, address + 512, 0);
    ASSERT_FALSE(on_page.empty());
    EXPECT_EQ(on_page.front(), object);
  }
  const std::unique_ptr<int> on_heap = std::make_unique<int>(1);
  EXPECT_EQ(resolver.object_at(kParent, reinterpret_cast<std::uint64_t>(on_heap.get()), 0),
            nullptr);
}

TEST_F(OwnProcess, RegisteredObjectsHideSymbolsTheyCover) {
  const auto address = reinterpret_cast<std::uint64_t>(resolver_test_data);
  resolver.add_registered(kParent, {make(address, 256, "first half")});
  EXPECT_EQ(resolver.object_at(kParent, address + 255, 5)->name, "first half");
  EXPECT_EQ(resolver.object_at(kParent, address + 256, 5)->kind, model::ObjectKind::Symbol);
  EXPECT_EQ(names(resolver.objects_in(kParent, address, address + 256, 5)), (Names{"first half"}));
  EXPECT_EQ(resolver.objects_in(kParent, address, address + 512, 5).size(), 2u);
}

__attribute__((noinline)) std::uint64_t where_am_i() {
  return reinterpret_cast<std::uint64_t>(__builtin_return_address(0));
}

TEST_F(OwnProcess, CodeHasNames) {
  const auto start = reinterpret_cast<std::uint64_t>(&process::parse_maps);
  const auto frames = resolver.frames_at(kParent, start, false, 0);
  ASSERT_FALSE(frames.empty());
  EXPECT_TRUE(frames.back().function.starts_with("cowtrace::process::parse_maps("))
      << frames.back().function;
  EXPECT_EQ(frames.back().why_unnamed, "");
  EXPECT_FALSE(frames.back().module.empty());
  const auto before = resolver.frames_at(kParent, start, true, 0);
  EXPECT_NE(before.back().function, frames.back().function);
  const auto here = resolver.frames_at(kParent, where_am_i(), true, 0);
  EXPECT_NE(here.back().function.find("CodeHasNames"), std::string::npos) << here.back().function;
}

TEST_F(OwnProcess, WhatHasNoNameHasAReason) {
  const int local = 0;
  const auto stack = resolver.frames_at(kParent, reinterpret_cast<std::uint64_t>(&local), false, 0);
  ASSERT_EQ(stack.size(), 1u);
  EXPECT_EQ(stack[0].function, hex(reinterpret_cast<std::uint64_t>(&local)));
  EXPECT_EQ(stack[0].why_unnamed, "not a file mapping: [stack]");
  EXPECT_EQ(resolver.frames_at(kParent, 16, false, 0)[0].why_unnamed, "nothing is mapped there");
  EXPECT_EQ(resolver.frames_at(kParent, 0, true, 0)[0].function, "0x0");
  EXPECT_EQ(resolver.frames_at(SpaceId(99), 16, false, 0)[0].why_unnamed,
            "the mappings of its process were not captured");
}

TEST_F(OwnProcess, EarlierMapsAnswerForWhatIsGone) {
  const auto address = reinterpret_cast<std::uint64_t>(resolver_test_data);
  resolver.add_space(kParent, std::nullopt, {});
  ASSERT_NE(resolver.object_at(kParent, address, 0), nullptr);
  for (std::uint64_t i = 0; i < 7; ++i) {
    process::MapsEntry entry;
    entry.start = 0x1000 * (i + 1);
    entry.end = entry.start + 0x1000;
    resolver.add_space(kParent, std::nullopt, {entry});
  }
  EXPECT_EQ(resolver.object_at(kParent, address, 0), nullptr) << "a bounded number is kept";
}

}  // namespace
}  // namespace cowtrace::objects
