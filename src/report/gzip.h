// SPDX-License-Identifier: Apache-2.0
// Compresses on the way to a stream. The same input gives the same bytes: there is no name and no
// time in the header.
#pragma once

#include <zlib.h>

#include <array>
#include <ostream>
#include <string_view>

namespace cowtrace::report {

class GzipWriter {
 public:
  explicit GzipWriter(std::ostream& out);
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  void write(std::string_view bytes) { deflate_all(bytes, Z_NO_FLUSH); }
  // Nothing may be written after it. False if zlib had no memory; what the stream did not take it
  // knows itself.
  [[nodiscard]] bool finish();

 private:
  void deflate_all(std::string_view bytes, int flush);

  std::ostream& out_;
  z_stream stream_{};
  bool works_ = false;
  std::array<char, 1 << 16> buffer_;
};

}  // namespace cowtrace::report
