// SPDX-License-Identifier: Apache-2.0
// The registry that <cowtrace/objects.h> keeps in this very program. Other tests may register too,
// so each looks for its own.
#include <cowtrace/objects.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

std::vector<const cowtrace_chunk*> chunks() {
  std::vector<const cowtrace_chunk*> found;
  for (std::uint64_t at = cowtrace_registry.first_chunk; at != 0; at = found.back()->next) {
    found.push_back(reinterpret_cast<const cowtrace_chunk*>(at));
  }
  return found;
}

std::uint64_t capacity() {
  std::uint64_t slots = 0;
  for (const cowtrace_chunk* chunk : chunks()) slots += chunk->capacity;
  return slots;
}

std::vector<cowtrace_slot> slots_at(const void* address) {
  std::vector<cowtrace_slot> found;
  for (const cowtrace_chunk* chunk : chunks()) {
    const auto* slots = reinterpret_cast<const cowtrace_slot*>(chunk + 1);
    for (std::uint32_t i = 0; i < chunk->used; ++i) {
      if (slots[i].sequence != 0 && slots[i].sequence % 2 == 0 &&
          slots[i].address == reinterpret_cast<std::uint64_t>(address)) {
        found.push_back(slots[i]);
      }
    }
  }
  return found;
}

// Addresses that are only numbers: the registry never looks at what it names.
const void* made_up(std::uint64_t number) {
  return reinterpret_cast<const void*>(0x100000000000 + number * 16);
}

int exit_status_of_child(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct Session {
  int user;
  double started;
};
Session session;

TEST(ObjectsHeader, TakesNameSizeAndTypeFromTheVariable) {
  const std::uint64_t before = cowtrace_now_ns();
  ASSERT_NE(COWTRACE_OBJECT(session), 0u);
  const auto slots = slots_at(&session);
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_STREQ(slots[0].name, "session");
  EXPECT_NE(std::string(slots[0].type).find("Session"), std::string::npos) << slots[0].type;
  EXPECT_EQ(slots[0].size, sizeof(Session));
  EXPECT_EQ(slots[0].state, COWTRACE_SLOT_LIVE);
  EXPECT_GE(slots[0].born_ns, before);
  EXPECT_LE(slots[0].born_ns, cowtrace_now_ns());
  EXPECT_EQ(slots[0].died_ns, 0u);
}

TEST(ObjectsHeader, TypesOfMembersElementsAndArrays) {
  static int table[4];
  static std::uint64_t* pointer;
  ASSERT_NE(COWTRACE_OBJECT(table), 0u);
  ASSERT_NE(COWTRACE_OBJECT(pointer), 0u);
  ASSERT_NE(COWTRACE_OBJECT(table[1]), 0u);
  ASSERT_NE(COWTRACE_OBJECT_AS(table[2], "counter"), 0u);
  EXPECT_EQ(std::string(slots_at(&table).at(0).type).substr(0, 3), "int");
  EXPECT_NE(std::string(slots_at(&pointer).at(0).type).find('*'), std::string::npos);
  EXPECT_STREQ(slots_at(&table[1]).at(0).type, "int");
  EXPECT_STREQ(slots_at(&table[1]).at(0).name, "table[1]");
  EXPECT_STREQ(slots_at(&table[2]).at(0).type, "counter");
}

TEST(ObjectsHeader, CutsLongTextsOff) {
  ASSERT_NE(cowtrace_register(made_up(1), 8, std::string(500, 'n').c_str(),
                              std::string(500, 't').c_str()),
            0u);
  const auto slot = slots_at(made_up(1)).at(0);
  EXPECT_EQ(std::string(slot.name), std::string(55, 'n'));
  EXPECT_EQ(std::string(slot.type), std::string(31, 't'));
}

TEST(ObjectsHeader, TakesMissingTextsAsEmpty) {
  ASSERT_NE(cowtrace_register(made_up(2), 8, nullptr, nullptr), 0u);
  EXPECT_STREQ(slots_at(made_up(2)).at(0).name, "");
  EXPECT_STREQ(slots_at(made_up(2)).at(0).type, "");
}

TEST(ObjectsHeader, RefusesRangesThatAreNone) {
  const std::uint64_t live = cowtrace_registry.live;
  EXPECT_EQ(cowtrace_register(nullptr, 8, "null", ""), 0u);
  EXPECT_EQ(cowtrace_register(made_up(3), 0, "empty", ""), 0u);
  EXPECT_EQ(cowtrace_register(made_up(3), SIZE_MAX, "wraps", ""), 0u);
  EXPECT_EQ(cowtrace_registry.live, live);
}

TEST(ObjectsHeader, UnregisteringMarksTheEndOnce) {
  const cowtrace_handle handle = cowtrace_register(made_up(4), 8, "short lived", "");
  const std::uint64_t live = cowtrace_registry.live;
  EXPECT_EQ(cowtrace_unregister_handle(handle), 1);
  const auto slot = slots_at(made_up(4)).at(0);
  EXPECT_EQ(slot.state, COWTRACE_SLOT_RETIRED);
  EXPECT_GE(slot.died_ns, slot.born_ns);
  EXPECT_STREQ(slot.name, "short lived");
  EXPECT_EQ(cowtrace_registry.live, live - 1);
  EXPECT_EQ(cowtrace_unregister_handle(handle), 0);
  EXPECT_EQ(cowtrace_unregister(made_up(4)), 0);
  EXPECT_EQ(cowtrace_unregister_handle(0), 0);
  EXPECT_EQ(cowtrace_registry.live, live - 1);
}

TEST(ObjectsHeader, UnregisteringByAddressEndsTheMostRecent) {
  cowtrace_register(made_up(5), 64, "outer", "");
  cowtrace_register(made_up(5), 8, "inner", "");
  EXPECT_EQ(cowtrace_unregister(made_up(5)), 1);
  for (const cowtrace_slot& slot : slots_at(made_up(5))) {
    EXPECT_EQ(slot.state,
              std::string(slot.name) == "outer" ? COWTRACE_SLOT_LIVE : COWTRACE_SLOT_RETIRED);
  }
  EXPECT_EQ(cowtrace_unregister(made_up(5)), 1);
  EXPECT_EQ(cowtrace_unregister(made_up(5)), 0);
}

TEST(ObjectsHeader, AForkInheritsAndGoesItsOwnWay) {
  const cowtrace_handle handle = cowtrace_register(made_up(10), 8, "inherited", "");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool there = slots_at(made_up(10)).size() == 1;
    const bool ended = cowtrace_unregister_handle(handle) == 1;
    const bool added = cowtrace_register(made_up(11), 8, "child's", "") != 0;
    _exit(there && ended && added ? 0 : 1);
  }
  EXPECT_EQ(exit_status_of_child(child), 0);
  EXPECT_EQ(slots_at(made_up(10)).at(0).state, COWTRACE_SLOT_LIVE);
  EXPECT_TRUE(slots_at(made_up(11)).empty());
}

TEST(ObjectsHeader, AChildForkedWhileAnotherThreadRegistersCanRegister) {
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) cowtrace_unregister_handle(cowtrace_register(made_up(12), 8, "busy", ""));
  });
  for (int round = 0; round < 50; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(20);  // a hang ends as a signal
      bool fine = true;
      for (int i = 0; i < 100; ++i) {
        fine =
            fine && cowtrace_unregister_handle(cowtrace_register(made_up(13), 8, "child", "")) == 1;
      }
      fine = fine && cowtrace_register(made_up(14), 8, "child", "") != 0 &&
             cowtrace_unregister(made_up(14)) == 1;
      _exit(fine ? 0 : 1);
    }
    EXPECT_EQ(exit_status_of_child(child), 0);
  }
  stop = true;
  other.join();
}

// From here on the registry is large, and whatever forks or searches is slow.
TEST(ObjectsHeader, ThreadsLoseNothing) {
  constexpr std::uint64_t kThreads = 8;
  constexpr std::uint64_t kEach = 20000;
  const std::uint64_t live = cowtrace_registry.live;
  std::atomic<std::uint64_t> failures{0};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        const cowtrace_handle handle =
            cowtrace_register(made_up(1000 + t * kEach + i), 16, "raced", "");
        if (handle == 0 || (i % 2 == 1 && cowtrace_unregister_handle(handle) != 1)) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0u);
  EXPECT_EQ(cowtrace_registry.live, live + kThreads * kEach / 2);
  std::set<std::uint64_t> seen;
  for (const cowtrace_chunk* chunk : chunks()) {
    EXPECT_LE(chunk->used, chunk->capacity);
    const auto* slots = reinterpret_cast<const cowtrace_slot*>(chunk + 1);
    for (std::uint32_t i = 0; i < chunk->used; ++i) {
      if (slots[i].state == COWTRACE_SLOT_LIVE && std::string(slots[i].name) == "raced") {
        EXPECT_TRUE(seen.insert(slots[i].address).second) << "twice";
      }
    }
  }
  EXPECT_EQ(seen.size(), kThreads * kEach / 2);
}

TEST(ObjectsHeader, EndlessRegisteringReusesRetiredSlots) {
  for (std::uint64_t i = 0; i < 10000; ++i)
    cowtrace_unregister_handle(cowtrace_register(made_up(6), 8, "warm", ""));
  const std::uint64_t bounded = capacity();
  const std::uint64_t reused = cowtrace_registry.reused;
  const cowtrace_handle kept = cowtrace_register(made_up(7), 8, "kept", "");
  for (std::uint64_t i = 0; i < 300000; ++i)
    cowtrace_unregister_handle(cowtrace_register(made_up(6), 8, "temporary", ""));
  // A search looks at 256 slots; where live ones fill them, a new slot is taken: at most one a
  // search, one chunk in all.
  EXPECT_LE(capacity(), bounded + COWTRACE_MAX_CHUNK_SLOTS);
  EXPECT_GT(cowtrace_registry.reused, reused + 200000);
  EXPECT_GE(cowtrace_registry.retired, COWTRACE_RETIRED_KEPT - 1);
  EXPECT_STREQ(slots_at(made_up(7)).at(0).name, "kept");
  EXPECT_EQ(cowtrace_unregister_handle(kept), 1);
}

TEST(ObjectsHeader, AHandleOfAReusedSlotEndsNothing) {
  std::vector<cowtrace_handle> old;
  for (int i = 0; i < 6000; ++i) {
    old.push_back(cowtrace_register(made_up(8), 8, "old", ""));
    cowtrace_unregister_handle(old.back());
  }
  std::vector<cowtrace_handle> fresh;
  for (int i = 0; i < 2000; ++i) fresh.push_back(cowtrace_register(made_up(9), 8, "fresh", ""));
  for (const cowtrace_handle handle : old) EXPECT_EQ(cowtrace_unregister_handle(handle), 0);
  for (const cowtrace_handle handle : fresh) EXPECT_EQ(cowtrace_unregister_handle(handle), 1);
}

TEST(ObjectsHeader, HoldsAMillionObjects) {
  constexpr std::uint64_t kObjects = 1000000;
  const std::uint64_t live = cowtrace_registry.live;
  std::vector<cowtrace_handle> handles(kObjects);
  for (std::uint64_t i = 0; i < kObjects; ++i)
    handles[i] = cowtrace_register(made_up(1000000 + i), 16, "many", "");
  EXPECT_EQ(cowtrace_registry.live, live + kObjects);
  std::uint64_t ended = 0;
  for (const cowtrace_handle handle : handles)
    ended += static_cast<std::uint64_t>(cowtrace_unregister_handle(handle));
  EXPECT_EQ(ended, kObjects);
  EXPECT_EQ(cowtrace_registry.live, live);
}

}  // namespace
