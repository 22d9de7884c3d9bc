// SPDX-License-Identifier: Apache-2.0
#include "base/say.h"

#include <unistd.h>

#include <cerrno>
#include <string>

namespace cowtrace {

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

void say(std::string_view line) {
  std::string text = "cowtrace: ";
  text += line;
  text += '\n';
  static_cast<void>(write_all(STDERR_FILENO, text));
}

}  // namespace cowtrace
