// SPDX-License-Identifier: Apache-2.0
#include "pipeline/debuginfod.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/say.h"
#include "base/units.h"
#include "pipeline/debuginfod_helper.h"
#include "pipeline/signals.h"

namespace cowtrace::pipeline {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr milliseconds kSilence{2'000};    // until a wait is told of
constexpr std::size_t kMostFailures = 16;  // different ones

bool is_told_to_end(const Signals& signals) {
  signalfd_siginfo info{};
  while (signals.next(info))
    if (info.ssi_signo != SIGCHLD) return true;
  return false;
}

std::string files(std::uint64_t count) {
  return count == 1 ? "1 debug file" : human_count(count) + " debug files";
}

}  // namespace

std::shared_ptr<Debuginfod> Debuginfod::start_if_wanted(bool say) {
  const char* servers = std::getenv("DEBUGINFOD_URLS");
  if (servers == nullptr || *servers == '\0') return nullptr;
  HelperOptions options;
  options.most_bytes = DebuginfodLimits().most_bytes;
  return std::make_shared<Debuginfod>(start_debuginfod_helper(options), say);
}

Debuginfod::Debuginfod(Result<Fd> helper, bool say, const DebuginfodLimits& limits)
    : say_(say), limits_(limits) {
  if (helper)
    helper_ = std::move(*helper);
  else
    give_up(helper.error().message());
}

void Debuginfod::give_up(const std::string& why) {
  helper_.reset();
  gave_up_ = why;
}

void Debuginfod::fail_one(const std::string& why) {
  ++failed_;
  if (failures_.size() < kMostFailures || failures_.contains(why))
    ++failures_[why];
  else
    ++failures_["other reasons"];
}

std::unique_ptr<process::ElfFile> Debuginfod::find(const std::string& build_id) {
  if (build_id.size() < kLeastBuildId || build_id.size() > kMostBuildId) return nullptr;
  if (!helper_) {
    ++not_asked_;
    return nullptr;
  }
  ++asked_;
  Answer answer = ask(build_id);
  switch (answer.said) {
    case Said::Found: {
      auto elf = checked(std::move(answer.file), build_id);
      if (!elf) {
        fail_one(elf.error().message());
        return nullptr;
      }
      ++found_;
      return std::move(*elf);
    }
    case Said::NotFound:
      return nullptr;
    case Said::Failed:
      fail_one(answer.reason);
      return nullptr;
    case Said::Late:
      fail_one("no answer in time");
      give_up("a server did not answer in time");
      return nullptr;
    case Said::Unusable:
    case Said::Progress:  // wait_for_answer() gives none
      --asked_;
      ++not_asked_;
      give_up(answer.reason);
      return nullptr;
  }
  return nullptr;
}

Answer Debuginfod::ask(const std::string& build_id) {
  // A helper that could not begin has said why before it ended.
  static_cast<void>(
      send(helper_.get(), build_id.data(), build_id.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  const auto began = Clock::now();
  Answer answer = wait_for_answer();
  waited_ += Clock::now() - began;
  return answer;
}

Answer Debuginfod::wait_for_answer() {
  // Ctrl-C means this wait, and not the report.
  const Signals signals(false);
  const auto began = Clock::now();
  const auto last = began + (limits_.all - waited_);
  auto moved = began;
  bool told = !say_;
  for (;;) {
    const auto now = Clock::now();
    const auto until = std::min(moved + limits_.still, last);
    if (now >= until) return {Said::Late, {}, {}};
    if (!told && now - began >= kSilence) {
      cowtrace::say("waiting for a debug file from debuginfod (Ctrl-C: go on without)");
      told = true;
    }
    const auto next = told ? until : std::min(until, began + kSilence);
    std::array<pollfd, 2> ready = {{{helper_.get(), POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
    poll(ready.data(), ready.size(),
         static_cast<int>(std::max<long>(1, duration_cast<milliseconds>(next - now).count())));
    if (ready[1].revents != 0 && is_told_to_end(signals))
      return {Said::Unusable, "it was interrupted", {}};
    if (ready[0].revents == 0) continue;
    auto answer = receive_answer(helper_.get());
    if (!answer) return {Said::Unusable, "the process that asks has ended", {}};
    if (answer->said != Said::Progress) return std::move(*answer);
    moved = Clock::now();
  }
}

Result<std::unique_ptr<process::ElfFile>> Debuginfod::checked(Fd file,
                                                              const std::string& build_id) const {
  struct stat about {};
  if (fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode))
    return fail("what came is no regular file");
  if (static_cast<std::uint64_t>(about.st_size) > limits_.most_bytes)
    return fail("what came is too large");
  auto elf = process::ElfFile::open(std::move(file), "a file from debuginfod");
  if (!elf) return fail("what came is no 64-bit ELF file");
  if ((*elf)->build_id() != build_id) return fail("what came has another build ID");
  return std::move(*elf);
}

std::vector<std::string> Debuginfod::notes() const {
  std::vector<std::string> notes;
  if (failed_ > 0) {
    std::string whys;
    for (const auto& [why, count] : failures_)
      whys += fmt::format("{}{} ({})", whys.empty() ? "" : ", ", printable(why), count);
    notes.push_back(fmt::format("debuginfod: {} of {} asked for could not be had: {}",
                                human_count(failed_), files(asked_), whys));
  }
  if (not_asked_ > 0)
    notes.push_back(
        fmt::format("debuginfod was not asked for {}: {}", files(not_asked_), printable(gave_up_)));
  return notes;
}

}  // namespace cowtrace::pipeline
