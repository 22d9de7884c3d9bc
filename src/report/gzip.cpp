// SPDX-License-Identifier: Apache-2.0
#include "report/gzip.h"

#include <limits>

namespace cowtrace::report {

GzipWriter::GzipWriter(std::ostream& out) : out_(out) {
  constexpr int kGzip = 16 + MAX_WBITS;  // zlib's way to ask for a gzip header
  constexpr int kMemory = 8;             // zlib's default
  works_ = deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, kMemory,
                        Z_DEFAULT_STRATEGY) == Z_OK;
}

GzipWriter::~GzipWriter() {
  deflateEnd(&stream_);
}

bool GzipWriter::finish() {
  deflate_all({}, Z_FINISH);
  return works_;
}

void GzipWriter::deflate_all(std::string_view bytes, int flush) {
  if (!works_) return;
  do {
    constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
    const std::string_view part = bytes.substr(0, kMost);
    bytes.remove_prefix(part.size());
    // zlib does not write to it; its interface is older than const.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
    stream_.avail_in = static_cast<uInt>(part.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      if (deflate(&stream_, flush) == Z_STREAM_ERROR) {
        works_ = false;
        return;
      }
      out_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size() - stream_.avail_out));
    } while (stream_.avail_out == 0);
  } while (!bytes.empty());
}

}  // namespace cowtrace::report
