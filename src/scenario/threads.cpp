// SPDX-License-Identifier: Apache-2.0
// Threads of one process race for the same pages: several take the fault, one page is copied, once.
#include <atomic>
#include <cstring>
#include <system_error>
#include <thread>

#include "scenario/experiment.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

constexpr unsigned kThreads = 4;
constexpr std::uint64_t kBatch =
    16;  // pages between two meetings, so that no thread runs far ahead

// Spins, for waking up from a futex would let the first thread finish its batch; yields, for there
// may be fewer CPUs than threads.
class Meeting {
 public:
  void wait() {
    const std::uint64_t round = round_.load();
    if (arrived_.fetch_add(1) + 1 == kThreads) {
      arrived_.store(0);
      round_.fetch_add(1);
      return;
    }
    for (unsigned spins = 0; round_.load() == round; ++spins) {
      if (spins % 256 == 255) std::this_thread::yield();
    }
  }

 private:
  std::atomic<std::uint64_t> round_{0};
  std::atomic<unsigned> arrived_{0};
};

// All threads have begun before the first one writes, or none writes because one could not begin.
enum class Start : std::uint8_t { Wait, Go, Cancel };

[[gnu::noinline]] void race_for_pages(const Ground& ground, Meeting& meeting, unsigned thread) {
  for (std::uint64_t i = 0; i < ground.pages(); ++i) {
    if (i % kBatch == 0) meeting.wait();
    store(ground.page(i) + offset_in_page(i) + thread * sizeof(std::uint64_t), i);
  }
  meeting.wait();
  write_small_objects(ground);
  meeting.wait();
  write_global();
}

Result<std::uint64_t> race(const Ground& ground) {
  Meeting meeting;
  std::atomic<Start> start{Start::Wait};
  std::vector<std::thread> threads;
  Result<std::uint64_t> wrote = ground.all_pages();
  try {
    for (unsigned i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        start.wait(Start::Wait);
        if (start.load() == Start::Go) race_for_pages(ground, meeting, i);
      });
    }
  } catch (const std::system_error& error) {
    wrote = unavailable("cannot start a thread", error.what(),
                        "use fewer --children, or raise the limits");
  }
  start.store(wrote ? Start::Go : Start::Cancel);
  start.notify_all();
  for (std::thread& thread : threads) thread.join();
  return wrote;
}

}  // namespace

Result<Truth> threads(const Options& options) {
  return play(options, {.steps = {{Role::Child, race, true}}});
}

}  // namespace scenario
