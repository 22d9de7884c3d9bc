// SPDX-License-Identifier: Apache-2.0
#include "capture/python_probe.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <cstring>
#include <vector>

#include "abi/python.h"

namespace cowtrace::capture {
namespace {

PythonProbe probe_312() {
  PythonProbe probe;
  probe.interpreter = 0x1000;
  probe.gc_collecting = 0x1138;
  probe.slot = {0x318, std::nullopt};
  probe.thread = {16, 56, 0};
  probe.frame = {0, 8, 56, 70, false, 0};
  return probe;
}

TEST(PythonProbe, FieldsAreCountedFromWhereAFrameIsRead) {
  const auto new_kind = encode(probe_312());
  ASSERT_TRUE(new_kind);
  EXPECT_EQ(new_kind->frame_start, 0);
  EXPECT_EQ(new_kind->frame_size, 71);
  EXPECT_EQ(new_kind->owner, 70);
  EXPECT_EQ(new_kind->block_slot, -1);
  EXPECT_EQ(new_kind->cframe_frame, 0);
  EXPECT_EQ(new_kind->kind, COWTRACE_PYTHON_NEW);

  PythonProbe old = probe_312();
  old.thread = {16, 24, std::nullopt};
  old.frame = {32, 24, 104, std::nullopt, true, 0};
  const auto old_kind = encode(old);
  ASSERT_TRUE(old_kind);
  EXPECT_EQ(old_kind->frame_start, 24);
  EXPECT_EQ(old_kind->code, 8);
  EXPECT_EQ(old_kind->previous, 0);
  EXPECT_EQ(old_kind->instruction, 80);
  EXPECT_EQ(old_kind->frame_size, 84);
  EXPECT_EQ(old_kind->owner, old_kind->frame_size);
  EXPECT_EQ(old_kind->cframe_frame, -1);
  EXPECT_EQ(old_kind->kind, COWTRACE_PYTHON_OLD);
}

TEST(PythonProbe, OffsetsThatBpfCouldNotUseAreErrors) {
  std::vector<PythonProbe> bad(7, probe_312());
  bad[0].interpreter = 0;
  bad[1].thread.interp = -1;
  bad[2].frame.previous = -1;
  bad[3].frame.instruction = 54;
  bad[4].frame.instruction = COWTRACE_PYTHON_FRAME_BYTES;
  bad[5].thread.frame = 1 << 20;
  bad[6].frame = {32, 48, 56, 8, false, 0};  // an owner before all else
  for (const PythonProbe& probe : bad) EXPECT_FALSE(encode(probe)) << &probe - bad.data();
}

#if defined(__x86_64__) && defined(__GLIBC__)
// What BPF reads, for keys of the first block and of later ones.
void* value_at(const ThreadSlot& slot) {
  std::uintptr_t self = 0;
  asm("mov %%fs:0, %0" : "=r"(self));  // struct pthread begins with its own address
  void* at = nullptr;
  std::memcpy(&at, reinterpret_cast<void*>(self + static_cast<std::uintptr_t>(slot.offset)),
              sizeof(at));
  if (at != nullptr && slot.in_block)
    std::memcpy(&at, static_cast<char*>(at) + *slot.in_block, sizeof(at));
  return at;
}

TEST(PythonProbe, KeysOfThisGlibcAreWhereTheyAreSaidToBe) {
  std::vector<pthread_key_t> keys(80);
  for (auto& key : keys) {
    ASSERT_EQ(pthread_key_create(&key, nullptr), 0);
    pthread_setspecific(key, &key);
  }
  EXPECT_GE(keys.back(), 32u);
  for (auto& key : keys) {
    const auto slot = glibc_slot(key);
    ASSERT_TRUE(slot);
    EXPECT_EQ(value_at(*slot), &key) << key;
    pthread_key_delete(key);
  }
  EXPECT_FALSE(glibc_slot(1024));
}
#endif

}  // namespace
}  // namespace cowtrace::capture
