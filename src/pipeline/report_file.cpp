// SPDX-License-Identifier: Apache-2.0
#include "pipeline/report_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/say.h"
#include "pipeline/ending.h"

namespace cowtrace::pipeline {
namespace {

// Of one page, which a process that is killed has written whole or not at all: the kernel looks
// for deadly signals between pages (generic_perform_write() in mm/filemap.c of Linux 6.18).
constexpr std::size_t kHead = 4096;
constexpr std::size_t kBuffer = 256 * 1024;

// Returns 0 or an errno value.
int pwrite_all(int fd, std::string_view bytes, off_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += written;
  }
  return 0;
}

}  // namespace

ReportFile::ReportFile(Fd fd, std::string marker, Kind kind)
    : fd_(std::move(fd)), marker_(std::move(marker)), offset_(kHead) {
  struct stat about {};
  in_order_ = kind == Kind::Stream || fstat(fd_.get(), &about) != 0 || !S_ISREG(about.st_mode);
  if (in_order_) {
    offset_ = 0;
    return;
  }
  if (pwrite_all(fd_.get(), marker_, 0) != 0) {
    marker_.clear();
    static_cast<void>(ftruncate(fd_.get(), 0));
  }
  Ending::add_file(fd_.get(), static_cast<off_t>(marker_.size()));
}

ReportFile::~ReportFile() {
  if (in_order_) return;
  if (!whole_) static_cast<void>(ftruncate(fd_.get(), static_cast<off_t>(marker_.size())));
  Ending::take_back_file(fd_.get());
}

void ReportFile::restart() {
  head_.clear();
  rest_.clear();
  error_ = 0;
  if (in_order_) return;
  offset_ = kHead;
  static_cast<void>(ftruncate(fd_.get(), static_cast<off_t>(marker_.size())));
}

void ReportFile::write_at(std::string_view bytes, off_t offset) {
  if (error_ == 0)
    error_ = in_order_ ? write_all(fd_.get(), bytes) : pwrite_all(fd_.get(), bytes, offset);
}

bool ReportFile::flush() {
  write_at(rest_, offset_);
  offset_ += static_cast<off_t>(rest_.size());
  rest_.clear();
  return error_ == 0;
}

bool ReportFile::add(std::string_view bytes) {
  if (!in_order_ && head_.size() < kHead) {
    const std::size_t first = std::min(kHead - head_.size(), bytes.size());
    head_ += bytes.substr(0, first);
    bytes.remove_prefix(first);
  }
  rest_ += bytes;
  return rest_.size() < kBuffer ? error_ == 0 : flush();
}

ReportFile::int_type ReportFile::overflow(int_type byte) {
  if (traits_type::eq_int_type(byte, traits_type::eof())) return traits_type::not_eof(byte);
  const char one = traits_type::to_char_type(byte);
  return add({&one, 1}) ? byte : traits_type::eof();
}

std::streamsize ReportFile::xsputn(const char* bytes, std::streamsize size) {
  return add({bytes, static_cast<std::size_t>(size)}) ? size : 0;
}

int ReportFile::finish() {
  flush();
  if (in_order_) return error_;
  // From here on it is either cut to its marker or whole.
  const HoldSignals hold;
  const auto size =
      static_cast<off_t>(head_.size() < kHead ? head_.size() : static_cast<std::size_t>(offset_));
  if (error_ == 0 && ftruncate(fd_.get(), size) != 0) error_ = errno;
  write_at(head_, 0);
  if (error_ != 0) {
    static_cast<void>(pwrite_all(fd_.get(), marker_, 0));
    static_cast<void>(ftruncate(fd_.get(), static_cast<off_t>(marker_.size())));
    return error_;
  }
  whole_ = true;
  Ending::take_back_file(fd_.get());
  return 0;
}

}  // namespace cowtrace::pipeline
