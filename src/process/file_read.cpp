// SPDX-License-Identifier: Apache-2.0
#include "process/file_read.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/units.h"

namespace cowtrace::process {

Result<std::string> read_whole_file(const std::string& path, std::size_t limit) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return fail_errno("cannot read " + path, errno);
  constexpr std::size_t kBlock = 65'536;
  std::string text;
  std::size_t used = 0;
  for (;;) {
    // seq_file gives at most what one of its buffers holds, so a short read is not the end.
    if (text.size() - used < kBlock) text.resize(std::max(text.size() * 2, kBlock));
    const ssize_t got = ::read(file.get(), text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("cannot read " + path, errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > limit) return fail("cannot read " + path, "it is larger than " + human_bytes(limit));
  }
  text.resize(used);
  return text;
}

Result<Fd> open_regular(const std::string& path) {
  return open_place(Fd(::open(path.c_str(), O_PATH | O_CLOEXEC)), path);
}

Result<Fd> open_place(Fd place, const std::string& path,
                      const std::function<bool(const struct stat&)>& may) {
  struct stat about = {};
  if (!place || ::fstat(place.get(), &about) != 0)
    return fail_errno("cannot open " + printable(path), errno);
  if (!S_ISREG(about.st_mode))
    return fail("cannot open " + printable(path), "it is not a regular file");
  if (may && !may(about))
    return fail("cannot open " + printable(path), "it is not for everybody to read");
  // The very file that was looked at, whatever has its name by now.
  const std::string name = "/proc/self/fd/" + std::to_string(place.get());
  Fd file(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return fail_errno("cannot open " + printable(path), errno);
  return file;
}

}  // namespace cowtrace::process
