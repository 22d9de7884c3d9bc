// SPDX-License-Identifier: Apache-2.0
// A file of which nothing is left.
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "base/fd.h"

namespace cowtrace::test {

class MemoryFile {
 public:
  [[nodiscard]] Fd writer() const { return Fd(::dup(file_.get())); }
  [[nodiscard]] std::uint64_t size() const {
    struct stat about {};
    ::fstat(file_.get(), &about);
    return static_cast<std::uint64_t>(about.st_size);
  }
  // Throws std::runtime_error if it cannot be read.
  [[nodiscard]] std::string content() const {
    std::string bytes(size(), '\0');
    if (::pread(file_.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("cannot read a memory file back");
    return bytes;
  }

 private:
  Fd file_{::memfd_create("trace", MFD_CLOEXEC)};
};

}  // namespace cowtrace::test
