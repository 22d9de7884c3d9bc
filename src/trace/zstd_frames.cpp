// SPDX-License-Identifier: Apache-2.0
#include "trace/zstd_frames.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/units.h"

namespace cowtrace::trace {
namespace {

constexpr std::size_t kSmallFrame = 1 << 20,
                      kLargestRatio =
                          256;  // bytes, decompressed, of any frame; times the size of a frame
constexpr int kLevel = 3;       // the next ones take twice the time for a tenth less

}  // namespace

FrameWriter::FrameWriter(Fd fd, std::string path)
    : fd_(std::move(fd)), path_(std::move(path)), context_(ZSTD_createCCtx()) {
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
}

Status FrameWriter::write(std::string_view bytes) {
  if (failed_) return {};
  compressed_.resize(ZSTD_compressBound(bytes.size()));
  const std::size_t size = ZSTD_compress2(context_.get(), compressed_.data(), compressed_.size(),
                                          bytes.data(), bytes.size());
  if (ZSTD_isError(size) != 0) {
    failed_ = true;
    return fail("cannot write " + printable(path_), ZSTD_getErrorName(size));
  }
  return put({compressed_.data(), size});
}

void FrameWriter::restart() {
  before_ = written_;
  written_ = 0;
  failed_ = false;
  static_cast<void>(lseek(fd_.get(), 0, SEEK_SET));
}

Status FrameWriter::put(std::string_view frame) {
  for (std::size_t done = 0; done < frame.size();) {
    const ssize_t now = ::write(fd_.get(), frame.data() + done, frame.size() - done);
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0) {
      failed_ = true;
      const int error = errno;
      // What stays are whole frames. A pipe keeps what it has.
      static_cast<void>(ftruncate(fd_.get(), written_));
      return fail_errno("cannot write " + printable(path_), error,
                        written_ == 0
                            ? "make room or choose another -o"
                            : "make room or choose another -o; what it holds can be read");
    }
    done += static_cast<std::size_t>(now);
  }
  written_ += static_cast<off_t>(frame.size());
  if (const off_t before = std::exchange(before_, 0); before > written_)
    static_cast<void>(ftruncate(fd_.get(), written_));
  return {};
}

std::string_view FrameReader::next() {
  if (left_.empty()) return {};
  const std::size_t size = ZSTD_findFrameCompressedSize(left_.data(), left_.size());
  if (ZSTD_isError(size) != 0) return {};
  const unsigned long long content = ZSTD_getFrameContentSize(left_.data(), left_.size());
  // Also ZSTD_CONTENTSIZE_UNKNOWN and ZSTD_CONTENTSIZE_ERROR. What frames of traces hold is some 3
  // to 7 times as much as they are.
  if (content > kLargestFrame || content > kSmallFrame + kLargestRatio * size) return {};
  bytes_.resize(content);
  const std::size_t got = ZSTD_decompress(bytes_.data(), bytes_.size(), left_.data(), size);
  if (ZSTD_isError(got) != 0 || got != content || got == 0) return {};
  left_.remove_prefix(size);
  return bytes_;
}

}  // namespace cowtrace::trace
