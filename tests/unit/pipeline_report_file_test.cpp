// SPDX-License-Identifier: Apache-2.0
#include "pipeline/report_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <ostream>
#include <string>

#include "report/diff.h"
#include "report/formats.h"
#include "report/incomplete.h"

namespace cowtrace::pipeline {
namespace {

const std::string kMarker = "this is not whole\n";

class ReportFileTest : public testing::Test {
 protected:
  ReportFileTest() {
    std::string name = "/tmp/cowtrace-report-file-XXXXXX";
    const Fd made(mkstemp(name.data()));
    path_ = name;
  }
  ~ReportFileTest() override { std::filesystem::remove(path_); }

  std::unique_ptr<ReportFile> open(const std::string& marker = kMarker) {
    return std::make_unique<ReportFile>(Fd(::open(path_.c_str(), O_WRONLY | O_CLOEXEC)), marker);
  }
  [[nodiscard]] std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // Many writes of different sizes.
  static std::string write(ReportFile& file, std::size_t size) {
    std::ostream out(&file);
    std::string all;
    for (std::size_t i = 0; all.size() < size; ++i) {
      std::string piece = std::to_string(i) + std::string(i % 977, 'x') + '\n';
      piece.resize(std::min(piece.size(), size - all.size()));
      out << piece;
      all += piece;
    }
    EXPECT_TRUE(out);
    return all;
  }

  std::string path_;
};

TEST_F(ReportFileTest, SaysThatItIsNotWholeUntilItIs) {
  for (const std::size_t size : {0, 1, 17, 18, 19, 4095, 4096, 4097, 262144, 3000000}) {
    const auto file = open();
    EXPECT_EQ(content(), kMarker);
    const std::string all = write(*file, size);
    EXPECT_TRUE(content().starts_with(kMarker)) << size;
    EXPECT_EQ(file->finish(), 0);
    EXPECT_EQ(content(), all) << size;
    std::filesystem::resize_file(path_, 0);
  }
}

TEST_F(ReportFileTest, IsItsMarkerWhenItIsLeft) {
  auto file = open();
  write(*file, 1000000);
  file.reset();
  EXPECT_EQ(content(), kMarker);
}

TEST_F(ReportFileTest, BeginsAnew) {
  const auto file = open();
  write(*file, 1000000);
  file->restart();
  EXPECT_EQ(content(), kMarker);
  const std::string all = write(*file, 5000);
  EXPECT_EQ(file->finish(), 0);
  EXPECT_EQ(content(), all);
}

TEST_F(ReportFileTest, TellsWhatDidNotFit) {
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto file = open();
  std::ostream out(file.get());
  out << std::string(1000000, 'x') << std::flush;
  EXPECT_FALSE(out);
  EXPECT_EQ(file->finish(), EFBIG);
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(content(), kMarker);
}

TEST_F(ReportFileTest, WritesIntoAPipeAsItComes) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Fd read_end(ends[0]);
  ReportFile file(Fd(ends[1]), kMarker);
  std::ostream(&file) << "all of it\n";
  EXPECT_EQ(file.finish(), 0);
  char bytes[64];
  EXPECT_EQ(
      std::string(bytes, static_cast<std::size_t>(read(read_end.get(), bytes, sizeof(bytes)))),
      "all of it\n");
}

// So that a page has room for it, and the beginning of a report covers it.
TEST(Incomplete, EveryFormatHasASmallFormOfIt) {
  for (const report::Format& format : report::formats()) {
    const std::string text = report::incomplete(format.name);
    EXPECT_EQ(text.empty(), format.write == nullptr)
        << format.name;  // a trace has blocks that end it
    EXPECT_LT(text.size(), 2048U) << format.name;
  }
  for (const report::DiffFormat& format : report::diff_formats())
    EXPECT_FALSE(report::incomplete(format.name).empty()) << format.name;
}

}  // namespace
}  // namespace cowtrace::pipeline
