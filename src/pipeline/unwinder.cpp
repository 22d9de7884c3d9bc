// SPDX-License-Identifier: Apache-2.0
#include "pipeline/unwinder.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

#include "base/interrupt.h"
#include "base/worker_thread.h"
#include "process/maps.h"
#include "process/proc_files.h"

namespace cowtrace::pipeline {
namespace {

constexpr int kLongestWaitMs = 50;         // should nobody wake us
constexpr std::size_t kMostScopes = 1024;  // a program each, or one more library in it
constexpr int kMostFailedLooks = 100;      // to see a program, which may have ended meanwhile
constexpr std::chrono::milliseconds kLongestWait(200), kLongestEnd(5000);

// The mappings of `copy.pid`, if it still runs the program that it ran when the copy was made, with
// as much code: of a library that came since, or that went, rules would be kept for a scope that is
// not its own.
std::unique_ptr<objects::ModuleMap> read_code(const capture::StackCopy& copy,
                                              process::ModuleCache& modules) {
  const process::ProgramPlace then{copy.start_code, copy.start_stack};
  const std::uint64_t pages_then =
      copy.scope & UINT32_MAX;  // bpf/lib/unwind.h, unwind_scope(); 0: not known
  const auto is_same = [&] {
    const auto place = process::read_program_place(copy.pid);
    if (!place || *place != then) return false;
    const auto pages = process::read_executable_pages(copy.pid);
    return pages_then == 0 || (pages && *pages == pages_then);
  };
  if (copy.pid == 0 || !is_same()) return nullptr;
  auto maps = process::read_maps(copy.pid);
  if (!maps || maps->empty()) return nullptr;
  auto code = std::make_unique<objects::ModuleMap>(std::move(*maps), modules, copy.pid);
  // An exec in between would have been one of another program; a library that came or went has
  // changed the amount of code.
  return is_same() ? std::move(code) : nullptr;
}

}  // namespace

Unwinder::Unwinder(capture::Capture& capture, std::shared_ptr<process::DebugBudget> budget)
    : capture_(capture),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      poll_(epoll_create1(EPOLL_CLOEXEC)),
      modules_(nullptr, std::move(budget)),
      vdso_(objects::own_vdso()) {
  for (const int fd : {wake_.get(), capture.copies_fd()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event);
  }
}

void Unwinder::start() {
  thread_ = start_worker([this] { work(); });
}

Unwinder::~Unwinder() {
  stop();
}

void Unwinder::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

void Unwinder::wait_for_answers(std::chrono::milliseconds longest) {
  const std::uint64_t sent = capture_.copies_sent();
  std::unique_lock lock(mutex_);
  if (dealt_with_ >= sent || !thread_.joinable()) return;
  eventfd_write(wake_.get(), 1);
  constexpr std::chrono::milliseconds kLook{50};
  for (; longest.count() > 0 && interrupted_by() == 0; longest -= kLook)
    if (answered_.wait_for(lock, std::min(longest, kLook), [&] { return dealt_with_ >= sent; }))
      return;
}

void Unwinder::settle() {
  wait_for_answers(kLongestWait);
}

void Unwinder::finish() {
  wait_for_answers(kLongestEnd);
  stop();
}

std::vector<model::Stack> Unwinder::answers() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(answers_, {});
}

void Unwinder::work() {
  const auto take = [this](capture::StackCopy&& copy) {
    model::Stack stack = complete(copy);
    const std::scoped_lock lock(mutex_);
    answers_.push_back(std::move(stack));
  };
  while (true) {
    epoll_event events[2];
    epoll_wait(poll_.get(), events, 2, kLongestWaitMs);
    eventfd_t wakes = 0;
    eventfd_read(wake_.get(), &wakes);
    const std::uint64_t count = capture_.drain_copies(take);
    {
      const std::scoped_lock lock(mutex_);
      dealt_with_ += count;
      if (stopping_) return;
    }
    answered_.notify_all();
  }
}

Unwinder::Scope& Unwinder::scope_of(const capture::StackCopy& copy) {
  if (scopes_.size() >= kMostScopes && !scopes_.contains(copy.scope)) scopes_.clear();
  Scope& scope = scopes_[copy.scope];
  if (scope.rules != nullptr || scope.failures >= kMostFailedLooks) return scope;
  if (auto code = read_code(copy, modules_))
    scope.rules = std::make_unique<objects::CodeRules>(std::move(code), vdso_);
  else
    scope.failures = copy.pid == 0 ? kMostFailedLooks : scope.failures + 1;
  return scope;
}

// As bpf/lib/stack.h does it: what is walked there next has to come to the same.
model::Stack Unwinder::complete(const capture::StackCopy& copy) {
  const Scope& scope = scope_of(copy);
  const bool unreadable = scope.failures >= kMostFailedLooks;
  model::Stack stack = copy.known;
  UnwindRegisters registers = copy.registers;
  const auto word = [&](std::uint64_t address) { return copy.word(address); };
  const auto rule_of = [&](const UnwindRegisters& at) {
    const UnwindRule rule =
        scope.rules != nullptr ? scope.rules->rule_at(at.ip, at.exact) : kByFramePointer;
    if (scope.rules != nullptr || unreadable) capture_.add_rule(copy.scope, at.ip, at.exact, rule);
    return rule;
  };
  // Nobody knows then whether it has come to the end.
  stack.truncated = scope.rules == nullptr;
  UnwindRule rule = rule_of(registers);
  while (registers.ip - copy.file_start >= copy.file_size &&
         rule.kind != UnwindRule::Kind::Outermost) {
    if (stack.frames.size() >= static_cast<std::size_t>(copy.limit)) {
      stack.truncated = true;
      break;
    }
    const Unwound unwound = unwind(rule, registers, word);
    if (unwound == Unwound::Caller) rule = rule_of(registers);
    if (unwound == Unwound::Lost ||
        (unwound == Unwound::Caller && rule.kind == UnwindRule::Kind::NoCode))
      stack.truncated = true;
    if (unwound != Unwound::Caller || rule.kind == UnwindRule::Kind::NoCode) break;
    stack.frames.push_back(registers.ip);
  }
  return stack;
}

}  // namespace cowtrace::pipeline
