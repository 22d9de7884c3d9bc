// SPDX-License-Identifier: Apache-2.0
#include "capture/decoder.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "abi/events.h"

namespace cowtrace::capture {
namespace {

template <typename Raw>
Raw raw_event(__u16 kind) {
  Raw raw;
  std::memset(&raw, 0, sizeof(raw));
  raw.header.size = sizeof(raw);
  raw.header.kind = kind;
  raw.header.pid = 7;
  raw.header.tid = 8;
  raw.header.time_ns = 1234;
  return raw;
}

template <typename Raw>
Result<model::Event> decode_raw(const Raw& raw, std::size_t size = sizeof(Raw)) {
  // Exactly as long as it says: a sanitizer sees any read past the end.
  std::vector<std::byte> bytes(size);
  // An empty vector has no data() to copy to.
  if (size > 0) std::memcpy(bytes.data(), &raw, std::min(size, sizeof(raw)));
  return decode(bytes);
}

TEST(Decoder, WhoRanAlready) {
  auto raw = raw_event<cowtrace_attach>(COWTRACE_EVENT_ATTACH);
  raw.start_ns = 55;
  raw.parent_pid = 6;
  raw.parent_space = 3;
  raw.space = 4;
  std::memset(raw.command, 'x', sizeof(raw.command));  // without an end
  const auto event = decode_raw(raw);
  ASSERT_TRUE(event);
  const auto& attach = std::get<model::Attach>(*event);
  EXPECT_EQ(attach.pid, 7);
  EXPECT_EQ(attach.time_ns, 1234U);
  EXPECT_EQ(attach.start_ns, 55U);
  EXPECT_EQ(attach.parent_pid, 6);
  EXPECT_EQ(attach.parent_space, model::SpaceId(3));
  EXPECT_EQ(attach.space, model::SpaceId(4));
  EXPECT_EQ(attach.command, std::string(COWTRACE_COMM, 'x'));
  EXPECT_FALSE(decode_raw(raw, sizeof(raw) - 1));
}

TEST(Decoder, AResolutionKeepsEveryField) {
  auto raw = raw_event<cowtrace_resolution>(COWTRACE_EVENT_RESOLUTION);
  raw.address = 0x1234567;
  raw.ip = 0x42;
  raw.old_pte = 5 << 12 | 0x25;
  raw.new_pte = 0x8000'0000'0000'0067 | 6 << 12;
  raw.old_level = raw.new_level = 1;
  raw.stack = 77;
  raw.mapping = 88;
  raw.space = 3;
  raw.latency_ns = 900;
  raw.mechanism = COWTRACE_KSM_COPY;
  raw.cause = COWTRACE_CAUSE_SYSCALL;
  raw.flags = COWTRACE_IN_KERNEL | COWTRACE_LATE | COWTRACE_PYTHON_THREAD | COWTRACE_GC_COLLECTING;
  const auto event = decode_raw(raw);
  ASSERT_TRUE(event);
  const auto& resolution = std::get<model::Resolution>(*event);
  EXPECT_EQ(resolution.address, 0x1234567u);
  EXPECT_EQ(resolution.ip, 0x42u);
  EXPECT_EQ(resolution.old_frame, 5u);
  EXPECT_EQ(resolution.new_frame, 6u);
  EXPECT_EQ(resolution.stack.value, 77u);
  EXPECT_EQ(resolution.mapping.value, 88u);
  EXPECT_EQ(resolution.space.value, 3u);
  EXPECT_EQ(resolution.pid, 7);
  EXPECT_EQ(resolution.tid, 8);
  EXPECT_EQ(resolution.time_ns, 1234u);
  EXPECT_EQ(resolution.latency_ns, 900u);
  EXPECT_EQ(resolution.mechanism, model::Mechanism::KsmCopy);
  EXPECT_EQ(resolution.cause, model::Cause::Syscall);
  EXPECT_TRUE(resolution.in_kernel);
  EXPECT_TRUE(resolution.late);
  EXPECT_TRUE(resolution.in_python);
  EXPECT_TRUE(resolution.gc_collecting);
  EXPECT_FALSE(resolution.has_before);
}

// Anywhere in a page, also where the window does not lie around the address.
TEST(Decoder, TheWordBeforeTheWriteComesFromTheWindow) {
  for (std::uint64_t offset = 0; offset < 4096; ++offset) {
    auto raw = raw_event<cowtrace_resolution>(COWTRACE_EVENT_RESOLUTION);
    raw.address = 0x7000 + offset;
    raw.window_size = COWTRACE_WINDOW;
    const std::uint64_t start = cowtrace_window_start(raw.address), word = raw.address & ~7ULL;
    const std::uint64_t value = 0x1122'3344'5566'7788;
    ASSERT_LE(start, word);
    ASSERT_LE(word + 8, start + COWTRACE_WINDOW);
    std::memcpy(raw.window + (word - start), &value, sizeof(value));
    const auto event = decode_raw(raw);
    ASSERT_TRUE(event);
    const auto& resolution = std::get<model::Resolution>(*event);
    EXPECT_TRUE(resolution.has_before);
    EXPECT_EQ(resolution.before, value) << offset;
  }
}

TEST(Decoder, AWindowThatIsShortOrTooLongTellsNoWord) {
  auto raw = raw_event<cowtrace_resolution>(COWTRACE_EVENT_RESOLUTION);
  raw.address = 0x7800;
  raw.window_size = 32;
  EXPECT_FALSE(std::get<model::Resolution>(*decode_raw(raw)).has_before);
  raw.window_size = 255;
  EXPECT_FALSE(std::get<model::Resolution>(*decode_raw(raw)).has_before);
}

TEST(Decoder, AnActorHasANameThatMayFillItsField) {
  auto raw = raw_event<cowtrace_actor>(COWTRACE_EVENT_ACTOR);
  std::memset(raw.command, 'a', sizeof(raw.command));
  const auto event = decode_raw(raw);
  ASSERT_TRUE(event);
  const auto& visitor = std::get<model::Visitor>(*event);
  EXPECT_EQ(visitor.pid, 7);
  EXPECT_EQ(visitor.command, std::string(sizeof(raw.command), 'a'));
  EXPECT_FALSE(decode_raw(raw, sizeof(raw) - 1));
}

// A huge entry has the frame of its first base page, and PAT in bit 12 (Intel SDM 3A, table 4-18).
TEST(Decoder, AHugeEntryGivesTheFrameOfTheAddress) {
  auto raw = raw_event<cowtrace_resolution>(COWTRACE_EVENT_RESOLUTION);
  raw.address = 0x7f00'0034'5678;
  raw.old_pte = 0x8000'0000'4020'10e7;
  raw.old_level = 2;
  raw.new_pte = 0x8000'0000'1234'5067;
  raw.new_level = 1;
  auto event = decode_raw(raw);
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<model::Resolution>(*event).old_frame, 0x40200u + 0x145);
  EXPECT_EQ(std::get<model::Resolution>(*event).new_frame, 0x12345u);
  EXPECT_EQ(std::get<model::Resolution>(*event).size, 4096u);
  raw.new_pte = 0x8000'0000'8060'00e7;
  raw.new_level = 2;
  event = decode_raw(raw);
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<model::Resolution>(*event).new_frame, 0x80600u + 0x145);
  EXPECT_EQ(std::get<model::Resolution>(*event).size, 2u << 20);
  raw.new_level = 3;
  EXPECT_EQ(std::get<model::Resolution>(*decode_raw(raw)).size, 1u << 30);
  raw.old_level = 0;
  EXPECT_EQ(std::get<model::Resolution>(*decode_raw(raw)).old_frame, 0u);
  raw.new_level = 4;
  EXPECT_FALSE(decode_raw(raw));
}

TEST(Decoder, AWakeIsItsHeaderOnly) {
  const auto wake = raw_event<cowtrace_populate>(COWTRACE_EVENT_WAKE);
  const auto bytes = std::as_bytes(std::span(&wake, 1));
  EXPECT_TRUE(is_wake(bytes.first(sizeof(cowtrace_header))));
  EXPECT_FALSE(is_wake(bytes.first(sizeof(cowtrace_header) - 1)));
  const auto other = raw_event<cowtrace_populate>(COWTRACE_EVENT_POPULATE);
  EXPECT_FALSE(is_wake(std::as_bytes(std::span(&other, 1))));
}

TEST(Decoder, UnknownKindsMechanismsAndCausesAreErrors) {
  EXPECT_FALSE(decode_raw(raw_event<cowtrace_resolution>(99)));
  auto raw = raw_event<cowtrace_resolution>(COWTRACE_EVENT_RESOLUTION);
  raw.mechanism = COWTRACE_MECHANISMS;
  EXPECT_FALSE(decode_raw(raw));
  raw.mechanism = 0;
  raw.cause = COWTRACE_CAUSES;
  EXPECT_FALSE(decode_raw(raw));
}

TEST(Decoder, EveryTruncationIsAnError) {
  const auto raw = raw_event<cowtrace_resolution>(COWTRACE_EVENT_RESOLUTION);
  for (std::size_t size = 0; size < sizeof(raw); ++size)
    EXPECT_FALSE(decode_raw(raw, size)) << size;
  EXPECT_TRUE(decode_raw(raw));
}

TEST(Decoder, ASizeFieldThatLiesIsAnError) {
  auto raw = raw_event<cowtrace_fork>(COWTRACE_EVENT_FORK);
  raw.header.size = sizeof(raw) + 1;
  EXPECT_FALSE(decode_raw(raw));
  raw.header.size = sizeof(raw) - 1;
  EXPECT_FALSE(decode_raw(raw));
}

TEST(Decoder, TextWithoutAnEndStopsAtItsField) {
  auto raw = raw_event<cowtrace_fork>(COWTRACE_EVENT_FORK);
  std::memset(raw.command, 'x', sizeof(raw.command));
  const auto event = decode_raw(raw);
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<model::Fork>(*event).command, std::string(COWTRACE_COMM, 'x'));
}

TEST(Decoder, AStackHasAsManyFramesAsItSays) {
  auto raw = raw_event<cowtrace_stack>(COWTRACE_EVENT_STACK);
  raw.depth = 2;
  raw.ip[0] = 10;
  raw.ip[1] = 20;
  const auto event = decode_raw(raw);
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<model::Stack>(*event).frames, (std::vector<std::uint64_t>{10, 20}));
  raw.depth = COWTRACE_MAX_FRAMES + 1;
  EXPECT_FALSE(decode_raw(raw));
  raw.depth = 0;
  EXPECT_FALSE(decode_raw(raw));
}

TEST(Decoder, AStackEndsBehindItsPythonFrames) {
  auto raw = raw_event<cowtrace_stack>(COWTRACE_EVENT_STACK);
  raw.python_depth = 3;
  raw.python_truncated = 1;
  raw.python[0] = {0x1000, 0x1040, 1, {}};
  raw.python[1] = {0, 7, 0, {}};  // being made
  raw.python[2] = {0x2000, 0x2040, 3, {}};
  raw.header.size = COWTRACE_STACK_BYTES(3);
  const auto event = decode_raw(raw, raw.header.size);
  ASSERT_TRUE(event);
  const auto& stack = std::get<model::Stack>(*event);
  EXPECT_TRUE(stack.frames.empty());
  EXPECT_EQ(stack.python,
            (std::vector<model::PythonFrame>{{0x1000, 0x1040, 1}, {0x2000, 0x2040, 3}}));
  EXPECT_TRUE(stack.python_truncated);
  raw.header.size -= 1;
  EXPECT_FALSE(decode_raw(raw, raw.header.size));
  raw.python_depth = COWTRACE_MAX_FRAMES + 1;
  raw.header.size = sizeof(raw);
  EXPECT_FALSE(decode_raw(raw));
  raw.python_depth = COWTRACE_MAX_FRAMES;
  EXPECT_TRUE(decode_raw(raw));
}

TEST(Decoder, ExitCarriesTheThreadsCounters) {
  auto raw = raw_event<cowtrace_exit>(COWTRACE_EVENT_EXIT);
  raw.space = 4;
  raw.process_ended = 1;
  raw.wait_status = 3 << 8;
  std::memcpy(raw.command, "worker", sizeof("worker"));
  raw.counts.of[COWTRACE_COPY].count = 12;
  raw.counts.of[COWTRACE_COPY].bytes = 12 * 4096;
  const auto event = decode_raw(raw);
  ASSERT_TRUE(event);
  const auto& exit = std::get<model::Exit>(*event);
  EXPECT_TRUE(exit.process_ended);
  EXPECT_EQ(exit.wait_status, 3U << 8);
  EXPECT_EQ(exit.command, "worker");
  EXPECT_EQ(exit.counts.space.value, 4u);
  EXPECT_EQ(exit.counts.count[0], 12u);
  EXPECT_EQ(exit.counts.bytes[0], 12u * 4096);
}

// Random bytes under every kind: no crash, and nothing outside the enums comes out.
TEST(Decoder, RandomBytesAreDecodedOrRefused) {
  std::mt19937 random(1);
  std::size_t decoded = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> bytes(random() % 2400);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    if (bytes.size() >= sizeof(cowtrace_header)) {
      cowtrace_header header{};
      std::memcpy(&header, bytes.data(), sizeof(header));
      header.size = static_cast<__u32>(bytes.size() - random() % 2);
      header.kind = static_cast<__u16>(random() % 24);
      std::memcpy(bytes.data(), &header, sizeof(header));
    }
    const auto event = decode(bytes);
    if (!event) continue;
    ++decoded;
    if (const auto* resolution = std::get_if<model::Resolution>(&*event)) {
      EXPECT_LT(static_cast<std::size_t>(resolution->mechanism), model::kMechanisms);
      EXPECT_LT(static_cast<std::size_t>(resolution->cause), model::kCauseNames.size());
    }
  }
  EXPECT_GT(decoded, 100u);
}

}  // namespace
}  // namespace cowtrace::capture
