// SPDX-License-Identifier: Apache-2.0
// One thing that is measured: main.cpp times it with Google Benchmark, guard.py counts its
// instructions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace cowtrace::bench {

// What one run did. `bytes` were read or written; 0: they say nothing about it.
struct Done {
  std::uint64_t items = 0;
  std::uint64_t bytes = 0;
};

// Throws std::runtime_error, with a message for the user, where it cannot be done: what fails is
// often fast, and would be measured as that.
class Work {
 public:
  Work() = default;
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;
  virtual ~Work() = default;
  // Not measured; before each run.
  virtual void prepare() {}
  // Measured.
  virtual Done run() = 0;
};

struct Path {
  std::string name;
  std::function<std::unique_ptr<Work>(std::uint64_t size)>
      make;                                             // not measured; for about `size` items
  std::vector<std::int64_t> sizes = {10'000, 100'000};  // that Google Benchmark runs
};

template <typename Made>
Path path(std::string name) {
  return {.name = std::move(name),
          .make = [](std::uint64_t size) { return std::make_unique<Made>(size); }};
}

Path decode();
Path session_apply();
Path join();
std::vector<Path> symbols();
Path python_walk();
Path trace_write();
Path trace_read();
std::vector<Path> reports();

}  // namespace cowtrace::bench
