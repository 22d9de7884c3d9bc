// SPDX-License-Identifier: Apache-2.0
// Pages that were swapped out before a fork. A child reads them back, which shows their frames; the
// parent, whose page tables still have the swap entries, writes: each page comes back and is copied
// in the same fault, because the child maps it too.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include "scenario/memory.h"
#include "scenario/message.h"
#include "scenario/trial.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

#ifndef MADV_PAGEOUT
constexpr int MADV_PAGEOUT = 21;  // kernel 5.4
#endif
constexpr int kAttempts = 50;

bool has_swap() {
  std::ifstream swaps("/proc/swaps");
  std::string line;
  std::getline(swaps, line);  // the names of the columns
  return static_cast<bool>(std::getline(swaps, line));
}

Result<void> page_out(const Region& region) {
  for (int i = 0; i < kAttempts; ++i) {
    if (::madvise(reinterpret_cast<void*>(region.start), region.size, MADV_PAGEOUT) != 0)
      return unavailable("cannot ask for pages to be swapped out", std::strerror(errno));
    const auto pages = observe({&region, 1});
    if (!pages) return tl::unexpected<Failure>(pages.error());
    if (std::all_of(pages->begin(), pages->end(), [](const PageState& p) { return p.swapped; }))
      return {};
    ::usleep(20'000);
  }
  return unavailable("cannot get all pages swapped out", "the kernel kept some in memory",
                     "use fewer --pages or more swap");
}

// Where the child leaves what it sees: memory that it shares with the parent.
Result<PageState*> map_notes(std::uint64_t pages) {
  void* notes = ::mmap(nullptr, pages * sizeof(PageState), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (notes == MAP_FAILED)
    return unavailable("cannot map shared memory", std::strerror(errno), "use fewer --pages");
  return static_cast<PageState*>(notes);
}

// A child that says what it found and then keeps its memory until its Holder ends.
class Holder {
 public:
  Holder() = default;
  ~Holder() {
    if (release_ < 0) return;
    ::close(release_);
    while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  Result<ProcessTruth> start(const std::function<Result<ProcessTruth>()>& body) {
    auto channel = Channel::open();
    if (!channel) return tl::unexpected<Failure>(channel.error());
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      return unavailable("cannot make a pipe", std::strerror(errno),
                         "raise the limit of open files");
    const pid_t parent = ::getpid();
    child_ = ::fork();
    if (child_ < 0) return unavailable("cannot fork", std::strerror(errno), "raise the limits");
    if (child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(ends[1]);
      if (::getppid() != parent || !channel->send(body())) ::_exit(1);
      { const Channel told = std::move(*channel); }  // its end ends the message
      char nothing = 0;
      while (::read(ends[0], &nothing, 1) < 0 && errno == EINTR) {
      }
      ::_exit(0);
    }
    ::close(ends[0]);
    release_ = ends[1];
    return channel->receive();
  }

 private:
  pid_t child_ = 0;
  int release_ = -1;
};

// In the child: reads all pages and notes how they are mapped.
Result<ProcessTruth> read_back(const Region& region, PageState* notes) {
  const Cost start = cost_so_far();
  for (const std::uint64_t address : each_page(region))
    static_cast<void>(load<std::uint64_t>(reinterpret_cast<const std::byte*>(address)));
  const Cost cost = cost_since(start);
  const auto pages = observe({&region, 1});
  if (!pages) return tl::unexpected<Failure>(pages.error());
  std::copy(pages->begin(), pages->end(), notes);
  ProcessTruth truth;
  truth.pid = ::getpid();
  truth.role = Role::Child;
  truth.cost = cost;
  truth.breaks.emplace();
  return truth;
}

}  // namespace

Result<Truth> swapped(const Options& options) {
  if (!has_swap())
    return unavailable("cannot swap", "this machine has no swap space in use", "see swapon(8)");
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const auto notes = map_notes(options.pages);
  if (!notes) return tl::unexpected<Failure>(notes.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  if (auto filled = fill_and_settle([&] { static_cast<void>(write_each_page(region)()); }); !filled)
    return tl::unexpected<Failure>(filled.error());
  if (auto out = page_out(region); !out) return tl::unexpected<Failure>(out.error());
  Holder child;
  auto read = child.start([&] { return read_back(region, *notes); });
  if (!read) return tl::unexpected<Failure>(read.error());
  const Trial trial{true, {region}};
  const auto mine = look(trial);
  if (!mine) return tl::unexpected<Failure>(mine.error());
  if (!std::all_of(mine->pages.begin(), mine->pages.end(),
                   [](const PageState& p) { return p.swapped; }))
    return failed("swap", "pages came back that nobody has touched", "run it again");
  const Look before{{*notes, *notes + options.pages}, {}};
  const Cost start = cost_so_far();
  const Written written = *write_each_page(region)();
  const Cost cost = cost_since(start);
  auto parent = compare(trial, Role::Parent, before, written);
  if (!parent) return tl::unexpected<Failure>(parent.error());
  parent->cost = cost;
  if (auto all = expect(*parent, Mechanism::Copy, options.pages); !all)
    return tl::unexpected<Failure>(all.error());
  Truth truth = truth_of(options, trial, {*parent, *read});
  truth.measured = options.measure;
  truth.from_swap = true;
  return truth;
}

}  // namespace scenario
