// SPDX-License-Identifier: Apache-2.0
// Traces that are damaged: what is left is read and reported, or an error of one line says that it
// is none. The corpus of the fuzzers is read as well, with whatever they found.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>
#include <trace.pb.h>
#include <zstd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "../fuzz/report_everything.h"
#include "trace/reader.h"
#include "trace/zstd_frames.h"

namespace cowtrace {
namespace {

namespace fs = std::filesystem;

const fs::path kCorpus = fs::path(COWTRACE_TEST_DATA) / "fuzz" / "corpus";

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// A real one, of Python processes.
std::string whole_trace() {
  return content(kCorpus / "files" / "python.cow");
}

std::string messages_of(std::string_view file) {
  std::string messages;
  trace::FrameReader frames(file);
  for (auto frame = frames.next(); !frame.empty(); frame = frames.next()) messages += frame;
  return messages;
}

std::size_t resolutions(const model::Session& session) {
  std::size_t count = 0;
  for (const model::AddressSpace& space : session.spaces) count += space.resolutions.size();
  return count;
}

struct Outcome {
  bool read = false, complete = false;
  std::size_t resolutions = 0;
};

Outcome outcome_of(const Result<trace::Trace>& trace) {
  if (!trace) {
    EXPECT_EQ(trace.error().message().find('\n'), std::string::npos) << trace.error().message();
    EXPECT_NE(trace.error().message().find("t.cow"), std::string::npos) << trace.error().message();
    return {};
  }
  EXPECT_TRUE(fuzz::report_everything(*trace));
  return {true, trace->complete, resolutions(*trace->session)};
}

TEST(TraceDamaged, CutOffAnywhereHasWhatCameBefore) {
  const std::string file = whole_trace();
  const Outcome whole = outcome_of(trace::read_bytes(file, "t.cow"));
  ASSERT_TRUE(whole.complete);
  ASSERT_GT(whole.resolutions, 50U);
  std::size_t before = 0, read = 0;
  for (std::size_t percent = 0; percent < 100; ++percent) {
    const Outcome cut = outcome_of(
        trace::read_bytes(std::string_view(file).substr(0, file.size() * percent / 100), "t.cow"));
    EXPECT_FALSE(cut.complete) << percent;
    EXPECT_GE(cut.resolutions, before) << percent;
    EXPECT_TRUE(cut.read || read == 0) << percent;
    before = cut.resolutions;
    read += cut.read ? 1 : 0;
  }
  EXPECT_EQ(before, whole.resolutions);  // the last frame has none
  EXPECT_GT(read, 0U);
  EXPECT_LT(read, 100U);
}

TEST(TraceDamaged, MessagesCutOffAnywhereHaveWhatCameBefore) {
  const std::string messages = messages_of(whole_trace());
  std::size_t before = 0;
  for (std::size_t percent = 0; percent < 100; ++percent) {
    const Outcome cut = outcome_of(trace::read_messages(
        std::string_view(messages).substr(0, messages.size() * percent / 100), "t.cow"));
    EXPECT_FALSE(cut.complete) << percent;
    EXPECT_GE(cut.resolutions, before) << percent;
    before = cut.resolutions;
  }
}

TEST(TraceDamaged, AWrongByteOfAFileIsFound) {
  const std::string file = whole_trace();
  const std::size_t whole = resolutions(*trace::read_bytes(file, "t.cow")->session);
  std::mt19937 random(1);
  std::size_t unnoticed = 0;
  for (int i = 0; i < 200; ++i) {
    std::string damaged = file;
    char& byte = damaged[random() % damaged.size()];
    byte = static_cast<char>(byte ^ (1 + random() % 255));
    const Outcome outcome = outcome_of(trace::read_bytes(damaged, "t.cow"));
    EXPECT_LE(outcome.resolutions, whole);
    unnoticed += outcome.complete ? 1 : 0;
  }
  // In the header of a frame are bits that change nothing, and one that turns its checksum off.
  EXPECT_LT(unnoticed, 4U);
}

TEST(TraceDamaged, AWrongByteOfAMessageBreaksNothing) {
  const std::string messages = messages_of(whole_trace());
  std::mt19937 random(2);
  std::size_t read = 0;
  for (int i = 0; i < 200; ++i) {
    std::string damaged = messages;
    char& byte = damaged[random() % damaged.size()];
    byte = static_cast<char>(byte ^ (1 + random() % 255));
    read += outcome_of(trace::read_messages(damaged, "t.cow")).read ? 1 : 0;
  }
  EXPECT_GT(read, 100U);
}

TEST(TraceDamaged, AFrameThatIsNothingButOneByteIsNone) {
  const auto frame_of = [](std::size_t size) {
    const std::string bytes(size, '\0');
    std::string frame(ZSTD_compressBound(size), '\0');
    frame.resize(ZSTD_compress(frame.data(), frame.size(), bytes.data(), bytes.size(), 3));
    return frame;
  };
  EXPECT_EQ(trace::FrameReader(frame_of(1 << 20)).next().size(), 1U << 20);
  const std::string bomb = frame_of(64 << 20);
  ASSERT_LT(bomb.size(), 16'384U);
  EXPECT_TRUE(trace::FrameReader(bomb).next().empty());
}

// Blocks that nobody wrote, with their lengths.
class Forged {
 public:
  Forged() {
    block.mutable_header()->set_format(1);
    block.mutable_capture();
    block.set_complete(true);
  }
  [[nodiscard]] Result<trace::Trace> read() const {
    std::string messages;
    {
      google::protobuf::io::StringOutputStream stream(&messages);
      google::protobuf::io::CodedOutputStream out(&stream);
      out.WriteVarint64(block.ByteSizeLong());
      block.SerializeToCodedStream(&out);
    }
    return trace::read_messages(messages, "t.cow");
  }
  // With one process and its space, number 1.
  void add_process() {
    block.add_processes()->add_spaces(1);
    block.add_spaces()->set_id(1);
  }

  trace::Block block;
};

TEST(TraceForged, IsReadIfItMakesSense) {
  Forged forged;
  forged.add_process();
  const Outcome outcome = outcome_of(forged.read());
  EXPECT_TRUE(outcome.complete);
}

TEST(TraceForged, ALongNameIsNotKeptAThousandTimes) {
  Forged forged;
  forged.block.add_strings(std::string(20'000, 'x'));
  for (int i = 0; i < 30'000; ++i) forged.block.add_objects()->set_name(1);
  EXPECT_FALSE(outcome_of(forged.read()).complete);
}

TEST(TraceForged, ALongListIsNotGivenOutAThousandTimes) {
  Forged forged;
  forged.add_process();
  forged.block.add_objects();
  forged.block.mutable_lists()->add_size(50'000);
  forged.block.mutable_lists()->add_numbers(1);
  for (int i = 1; i < 50'000; ++i) forged.block.mutable_lists()->add_numbers(0);
  trace::AnswerRows& rows = *forged.block.mutable_ranges();
  for (int i = 0; i < 20'000; ++i) {
    rows.add_space(i == 0 ? 1 : 0);
    rows.add_address(4096);
    rows.add_second(4096);
    rows.add_until_ns(0);
    rows.add_answer(1);
    rows.add_cause(0);
    rows.add_field(0);
    rows.add_owner(0);
  }
  EXPECT_FALSE(outcome_of(forged.read()).complete);
}

TEST(TraceForged, AnAuditExplainsNoMoreThanThereWas) {
  Forged forged;
  forged.add_process();
  forged.block.mutable_processes(0)->mutable_audit()->set_explained(1);
  EXPECT_FALSE(outcome_of(forged.read()).complete);
}

TEST(TraceForged, AStackIsNoDeeperThanACaptureMakesIt) {
  Forged forged;
  trace::Stack& stack = *forged.block.add_events()->mutable_stack();
  for (int i = 0; i < model::Stack::kMostFrames; ++i) stack.add_frames(1);
  EXPECT_TRUE(outcome_of(forged.read()).complete);
  stack.add_frames(1);
  EXPECT_FALSE(outcome_of(forged.read()).complete);
}

TEST(TraceDamaged, TheCorpusIsReadOrRefused) {
  for (const fs::path& path : files_in(kCorpus / "files")) {
    SCOPED_TRACE(path.string());
    const std::string file = content(path);
    const Outcome outcome = outcome_of(trace::read_bytes(file, "t.cow"));
    EXPECT_TRUE(outcome.read || path.extension() != ".cow");
    outcome_of(trace::read_messages(messages_of(file), "t.cow"));
  }
  for (const fs::path& path : files_in(kCorpus / "messages")) {
    SCOPED_TRACE(path.string());
    outcome_of(trace::read_messages(content(path), "t.cow"));
  }
}

}  // namespace
}  // namespace cowtrace
