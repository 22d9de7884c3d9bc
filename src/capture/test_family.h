// SPDX-License-Identifier: Apache-2.0
// Two processes of our own that break pages, to see whether the hooks that were attached are
// called.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "base/fd.h"
#include "base/result.h"

namespace cowtrace::capture {

// The first process stands still until run(). Then it writes to a page that it shares with us, and
// forks the second one. That writes to a page that all three share, and to an absent page of a
// private file mapping. Both end at once.
class TestFamily {
 public:
  // Errors: there is no memory or no process left.
  [[nodiscard]] static Result<TestFamily> start();
  TestFamily(TestFamily&& other) noexcept;
  TestFamily& operator=(TestFamily&&) = delete;
  TestFamily(const TestFamily&) = delete;
  TestFamily& operator=(const TestFamily&) = delete;
  ~TestFamily();

  [[nodiscard]] pid_t first() const { return first_; }
  // Returns when both have ended. False: not all was written.
  [[nodiscard]] bool run();

  // Addresses of the pages, the same in all processes. 0: there is no such page.
  [[nodiscard]] std::uintptr_t page_of_first() const;
  [[nodiscard]] std::uintptr_t page_of_second() const;
  [[nodiscard]] std::uintptr_t absent_page() const {
    return reinterpret_cast<std::uintptr_t>(file_);
  }

 private:
  TestFamily() = default;
  Status map_pages();
  void map_file();
  [[noreturn]] void be_first(int go) const;
  [[noreturn]] void be_second() const;

  char* pages_ = nullptr;          // two, private
  char* file_ = nullptr;           // one, of a file; none if the kernel gives no such file
  volatile char* done_ = nullptr;  // one, shared: what has been written
  pid_t first_ = 0;
  Fd go_;  // its end lets the first process go on
};

}  // namespace cowtrace::capture
