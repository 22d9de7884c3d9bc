// SPDX-License-Identifier: Apache-2.0
#include "analysis/endings.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "analysis/ending_functions.h"

namespace cowtrace::analysis {

namespace {

// What a stack says about its thread.
enum class Sign : std::uint8_t {
  None,           // no stack, or one that was cut short
  Work,           // whole, and nothing in it ends a program
  PythonWork,     // its Python stack frames are whole; the interpreter's own callers are not in it
  PythonMain,     // in CPython's main function and in no Python code; the end, where the thread has been in some
  EndingPython,   // exit handlers that Python code runs
  Ending,         // a function that ends a program, and returns
  EndingForGood,  // one that does not
};

bool is_ending(Sign sign) { return sign >= Sign::EndingPython; }
bool may_be_ending(Sign sign) { return sign >= Sign::PythonMain; }

class StackSigns {
 public:
  StackSigns(const model::Session& session, model::Resolver& resolver) : resolver_(resolver) {
    for (const model::Process& process : session.processes)
      if (process.forked_from && !process.spaces.empty()) forked_.insert(process.spaces.front());
    for (const auto& [hash, stack] : session.stacks)
      if (!stack.python.empty()) with_python_.insert(stack.space);
    for (const auto& [hash, stack] : session.stacks) signs_.emplace(hash, read(stack));
  }

  [[nodiscard]] Sign of(model::StackHash hash) const {
    const auto found = signs_.find(hash);
    return found != signs_.end() ? found->second : Sign::None;
  }
  [[nodiscard]] bool any_ending() const {
    return std::any_of(signs_.begin(), signs_.end(), [](const auto& one) { return may_be_ending(one.second); });
  }

 private:
  Sign read(const model::Stack& stack);
  // Python code of this forked space is seen where it runs, so that a stack without any is none of its.
  [[nodiscard]] bool shows_python(model::SpaceId space) const { return forked_.contains(space) && with_python_.contains(space); }
  Sign of_native(model::SpaceId space, std::uint64_t ip, bool is_return_address);
  bool ends_python(model::SpaceId space, const model::PythonFrame& frame);

  model::Resolver& resolver_;
  std::unordered_set<model::SpaceId> forked_, with_python_;
  std::unordered_map<model::StackHash, Sign> signs_;
  std::map<std::tuple<model::SpaceId, std::uint64_t, bool>, Sign> native_;
  std::map<std::pair<model::SpaceId, std::uint64_t>, bool> python_;  // by code object
};

Sign StackSigns::of_native(model::SpaceId space, std::uint64_t ip, bool is_return_address) {
  const auto [known, is_new] = native_.try_emplace({space, ip, is_return_address}, Sign::None);
  if (!is_new) return known->second;
  const std::string function = resolver_.function_at(space, ip, is_return_address);
  for (const EndingFunction& row : kEndingFunctions)
    if (function == row.function) known->second = row.returns ? Sign::Ending : Sign::EndingForGood;
  if (std::find(kPythonMainFunctions.begin(), kPythonMainFunctions.end(), function) != kPythonMainFunctions.end())
    known->second = Sign::PythonMain;
  return known->second;
}

bool StackSigns::ends_python(model::SpaceId space, const model::PythonFrame& frame) {
  const auto [known, is_new] = python_.try_emplace({space, frame.code}, false);
  if (!is_new) return known->second;
  for (const model::StackFrame& named : resolver_.python_frames(space, frame, UINT64_MAX))
    for (const EndingPythonFunction& row : kEndingPythonFunctions)
      known->second |= named.function == row.function && named.file.ends_with(row.file);
  return known->second;
}

Sign StackSigns::read(const model::Stack& stack) {
  Sign sign = Sign::None;
  for (std::size_t depth = 0; depth < stack.frames.size(); ++depth)
    sign = std::max(sign, of_native(stack.space, stack.frames[depth], depth != 0));
  if (is_ending(sign)) return sign;
  if (sign == Sign::PythonMain && stack.python.empty() && shows_python(stack.space)) return sign;
  for (const model::PythonFrame& frame : stack.python)
    if (ends_python(stack.space, frame)) return Sign::EndingPython;
  if (!stack.python.empty()) return stack.python_truncated ? Sign::None : Sign::PythonWork;
  return stack.truncated || stack.frames.empty() ? Sign::None : Sign::Work;
}

struct Moment {
  std::uint64_t time_ns;
  Sign sign;
};

// The state of one thread over time.
class Thread {
 public:
  explicit Thread(std::int32_t tid) : tid_(tid) {}

  void take(const Moment& moment, std::vector<model::Ending>& endings) {
    if (state_ == Sign::EndingForGood) return;
    const bool works = moment.sign == Sign::Work || (moment.sign == Sign::PythonWork && state_ <= Sign::EndingPython);
    was_in_python_ |= moment.sign == Sign::PythonWork;
    // Before Python code is seen for the first time, it may only not have been found yet.
    if (is_ending(moment.sign) || (moment.sign == Sign::PythonMain && was_in_python_)) {
      if (!may_be_ending(state_)) from_ns_ = moment.time_ns;
      state_ = std::max(state_, moment.sign);
    } else if (works) {
      finish(endings);
      state_ = Sign::None;
    }
    last_ns_ = moment.time_ns;
  }

  void finish(std::vector<model::Ending>& endings) const {
    if (may_be_ending(state_)) endings.push_back({tid_, from_ns_, state_ == Sign::EndingForGood ? UINT64_MAX : last_ns_});
  }

 private:
  std::int32_t tid_;
  Sign state_ = Sign::None;
  bool was_in_python_ = false;
  std::uint64_t from_ns_ = 0, last_ns_ = 0;
};

}  // namespace

std::vector<model::Ending> find_endings(const model::Session& session, model::Resolver& resolver) {
  const StackSigns signs(session, resolver);
  std::vector<model::Ending> endings;
  if (!signs.any_ending()) return endings;
  for (const model::AddressSpace& space : session.spaces) {
    std::map<std::int32_t, std::vector<Moment>> threads;  // those that ended something
    for (const model::Resolution& event : space.resolutions)
      if (may_be_ending(signs.of(event.stack))) threads[event.tid];
    if (threads.empty()) continue;
    for (const model::Resolution& event : space.resolutions)
      if (const auto thread = threads.find(event.tid); thread != threads.end())
        thread->second.push_back({event.time_ns, signs.of(event.stack)});
    for (auto& [tid, moments] : threads) {
      std::sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) { return a.time_ns < b.time_ns; });
      Thread thread(tid);
      for (const Moment& moment : moments) thread.take(moment, endings);
      thread.finish(endings);
    }
  }
  return endings;
}

}  // namespace cowtrace::analysis
