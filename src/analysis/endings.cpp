// SPDX-License-Identifier: Apache-2.0
#include "analysis/endings.h"

#include <algorithm>
#include <bitset>
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
  PythonMain,     // in CPython's main function and in no Python code; the end, where the thread has
                  // been in some
  EndingPython,   // exit handlers that Python code runs
  Ending,         // a function that ends a program, and returns
  EndingForGood,  // one that does not
};

bool is_ending(Sign sign) {
  return sign >= Sign::EndingPython;
}
bool may_be_ending(Sign sign) {
  return sign >= Sign::PythonMain;
}

// What a native function says, wherever it is in a stack.
struct Role {
  Sign sign = Sign::None;
  bool has_name = false;
  std::bitset<kEndingCalls.size()> called, calls;  // the rows of kEndingCalls that it is a part of
};

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
    return std::any_of(signs_.begin(), signs_.end(),
                       [](const auto& one) { return may_be_ending(one.second); });
  }

 private:
  Sign read(const model::Stack& stack);
  Sign of_native(const model::Stack& stack);
  // Python code of this forked space is seen where it runs, so that a stack without any is none of
  // its.
  [[nodiscard]] bool shows_python(model::SpaceId space) const {
    return forked_.contains(space) && with_python_.contains(space);
  }
  const Role& role_of(model::SpaceId space, std::uint64_t ip, bool is_return_address);
  bool ends_python(model::SpaceId space, const model::PythonFrame& frame);

  model::Resolver& resolver_;
  std::unordered_set<model::SpaceId> forked_, with_python_;
  std::unordered_map<model::StackHash, Sign> signs_;
  std::map<std::tuple<model::SpaceId, std::uint64_t, bool>, Role> native_;
  std::map<std::pair<model::SpaceId, std::uint64_t>, bool> python_;  // by code object
};

const Role& StackSigns::role_of(model::SpaceId space, std::uint64_t ip, bool is_return_address) {
  const auto [known, is_new] = native_.try_emplace({space, ip, is_return_address});
  Role& role = known->second;
  if (!is_new) return role;
  const std::string function = resolver_.function_at(space, ip, is_return_address);
  role.has_name = !function.empty();
  for (const EndingFunction& row : kEndingFunctions)
    if (function == row.function) role.sign = row.returns ? Sign::Ending : Sign::EndingForGood;
  for (std::size_t i = 0; i < kEndingCalls.size(); ++i) {
    role.called[i] = function == kEndingCalls[i].function;
    role.calls[i] = function == kEndingCalls[i].caller;
  }
  if (std::find(kPythonMainFunctions.begin(), kPythonMainFunctions.end(), function) !=
      kPythonMainFunctions.end())
    role.sign = Sign::PythonMain;
  return role;
}

Sign StackSigns::of_native(const model::Stack& stack) {
  Sign sign = Sign::None;
  std::bitset<kEndingCalls.size()> called;  // and since then no function with a name
  for (std::size_t depth = 0; depth < stack.frames.size(); ++depth) {
    const Role& role = role_of(stack.space, stack.frames[depth], depth != 0);
    sign = std::max(sign, (called & role.calls).any() ? Sign::EndingForGood : role.sign);
    called = role.has_name ? role.called : called;
  }
  return sign;
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
  const Sign sign = of_native(stack);
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
    const bool works = moment.sign == Sign::Work ||
                       (moment.sign == Sign::PythonWork && state_ <= Sign::EndingPython);
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
    if (may_be_ending(state_))
      endings.push_back({tid_, from_ns_, state_ == Sign::EndingForGood ? UINT64_MAX : last_ns_});
  }

 private:
  std::int32_t tid_;
  Sign state_ = Sign::None;
  bool was_in_python_ = false;
  std::uint64_t from_ns_ = 0, last_ns_ = 0;
};

// A child that an exit handler forks has that handler's callers in its stacks from the first one
// on, and is at work. When it ends itself is not known then.
bool began_in_the_end(const model::Session& session, const model::AddressSpace& space,
                      const StackSigns& signs) {
  if (space.owner.value >= session.processes.size()) return false;
  const model::Process& owner = session.processes[space.owner.value];
  if (!owner.forked_from || owner.spaces.empty() || owner.spaces.front() != space.id) return false;
  const auto first = std::min_element(
      space.resolutions.begin(), space.resolutions.end(),
      [](const model::Resolution& a, const model::Resolution& b) { return a.time_ns < b.time_ns; });
  return first != space.resolutions.end() && is_ending(signs.of(first->stack));
}

}  // namespace

std::vector<model::Ending> find_endings(const model::Session& session, model::Resolver& resolver) {
  const StackSigns signs(session, resolver);
  std::vector<model::Ending> endings;
  if (!signs.any_ending()) return endings;
  for (const model::AddressSpace& space : session.spaces) {
    if (began_in_the_end(session, space, signs)) continue;
    std::map<std::int32_t, std::vector<Moment>> threads;  // those that ended something
    for (const model::Resolution& event : space.resolutions)
      if (may_be_ending(signs.of(event.stack))) threads[event.tid];
    if (threads.empty()) continue;
    for (const model::Resolution& event : space.resolutions)
      if (const auto thread = threads.find(event.tid); thread != threads.end())
        thread->second.push_back({event.time_ns, signs.of(event.stack)});
    for (auto& [tid, moments] : threads) {
      std::sort(moments.begin(), moments.end(),
                [](const Moment& a, const Moment& b) { return a.time_ns < b.time_ns; });
      Thread thread(tid);
      for (const Moment& moment : moments) thread.take(moment, endings);
      thread.finish(endings);
    }
  }
  return endings;
}

}  // namespace cowtrace::analysis
