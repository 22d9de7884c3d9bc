// SPDX-License-Identifier: Apache-2.0
// The file of a report, which says that it is incomplete until it is whole, however this program
// ends: its beginning, which is not longer than a page, is written last.
#pragma once

#include <sys/types.h>

#include <streambuf>
#include <string>

#include "base/fd.h"

namespace cowtrace::pipeline {

class ReportFile final : public std::streambuf {
 public:
  enum class Kind { File, Stream };

  // Of an empty file; a stream, or what is no regular file, is written as it comes. `marker`: what
  // stands there instead of the report. Where it has no room, the file stays empty.
  ReportFile(Fd fd, std::string marker, Kind kind = Kind::File);
  ReportFile(const ReportFile&) = delete;
  ReportFile& operator=(const ReportFile&) = delete;
  // The file is what it is: whole after finish(), the marker otherwise.
  ~ReportFile() override;

  // Drops what was written: the file is its marker again.
  void restart();
  // Makes the file whole. Returns 0, or the errno value of the first write that failed; then the
  // file is its marker.
  int finish();

 protected:
  int_type overflow(int_type byte) override;
  std::streamsize xsputn(const char* bytes, std::streamsize size) override;
  // A flush of the stream: what is not yet much stays here.
  int sync() override { return error_ == 0 ? 0 : -1; }

 private:
  bool add(std::string_view bytes);
  bool flush();
  void write_at(std::string_view bytes, off_t offset);

  Fd fd_;
  std::string marker_;  // as far as it is in the file
  std::string head_;    // the first bytes of the report
  std::string rest_;    // bytes to be written at `offset_`
  off_t offset_ = 0;
  bool in_order_ = false;  // no regular file
  bool whole_ = false;
  int error_ = 0;
};

}  // namespace cowtrace::pipeline
