// SPDX-License-Identifier: Apache-2.0
// The object graph of a Python process that stands still, from its image: what heap_cost.cpp calls
// the walk. An item is an object, and the bytes are those that were read for the image.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>

#include "base/fd.h"
#include "path.h"
#include "python/heap.h"

namespace cowtrace::bench {
namespace {

// million.py with about so many objects, waiting for a line. Its addresses and hashes are the same
// each time.
class Python {
 public:
  explicit Python(std::uint64_t objects) {
    std::array<int, 2> input{}, output{};
    if (::pipe2(input.data(), O_CLOEXEC) != 0 || ::pipe2(output.data(), O_CLOEXEC) != 0)
      throw std::runtime_error("cannot make a pipe");
    const Fd child_input(input[0]), child_output(output[1]);
    input_.reset(input[1]);
    output_.reset(output[0]);
    const std::string count = std::to_string(objects);
    const std::array<const char*, 10> words = {
        "setarch",     "-R", COWTRACE_PYTHON, "-B",   "-S", COWTRACE_MILLION,
        count.c_str(), "0",  "--wait",        nullptr};
    const std::array<const char*, 3> environment = {"PATH=/usr/bin:/bin", "PYTHONHASHSEED=0",
                                                    nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, child_input.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, child_output.get(), STDOUT_FILENO);
    const int failed =
        posix_spawnp(&pid_, words[0], &actions, nullptr, const_cast<char**>(words.data()),
                     const_cast<char**>(environment.data()));
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::runtime_error("cannot start setarch");
    wait_for_line();
  }
  Python(const Python&) = delete;
  Python& operator=(const Python&) = delete;
  ~Python() {
    input_.reset();
    ::waitpid(pid_, nullptr, 0);
  }

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  void wait_for_line() const {
    for (char letter = 0; letter != '\n';)
      if (const ssize_t got = ::read(output_.get(), &letter, 1);
          got == 0 || (got < 0 && errno != EINTR))
        throw std::runtime_error("million.py said nothing: is " COWTRACE_PYTHON " there?");
  }

  Fd input_, output_;  // of million.py
  pid_t pid_ = 0;
};

class PythonWalk : public Work {
 public:
  explicit PythonWalk(std::uint64_t size) {
    const Python python(size);
    process::ModuleCache modules;
    auto image = image::MemoryImage::take(python.pid(), modules, {});
    if (!image) throw std::runtime_error(image.error().message());
    image_ = std::move(*image);
    python::Found found = python::find_runtime(*image_);
    if (!found.runtime) throw std::runtime_error("no CPython that is understood: " + found.unknown);
    runtime_ = std::move(*found.runtime);
  }

  void prepare() override {
    image_->forget(0);
    heap_ = std::make_unique<python::Heap>(image_, runtime_);
  }

  Done run() override { return {heap_->index().nodes().size(), image_->bytes_read()}; }

 private:
  std::shared_ptr<image::MemoryImage> image_;
  python::Runtime runtime_;
  std::unique_ptr<python::Heap> heap_;
};

}  // namespace

Path python_walk() {
  return path<PythonWalk>("python.walk");
}

}  // namespace cowtrace::bench
