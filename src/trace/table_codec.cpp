// SPDX-License-Identifier: Apache-2.0
#include "trace/table_codec.h"

#include <algorithm>

#include "trace/deltas.h"

namespace cowtrace::trace {
namespace {

// Of one instruction: calls that were inlined there, and the names of all of them. Each stack has
// it again.
constexpr std::size_t kMostInlined = 256;
constexpr std::uint64_t kMostFrameBytes = 128 << 10;

model::Object object_of(const Object& from, const StringTable& strings) {
  model::Object object;
  object.kind = static_cast<model::ObjectKind>(from.kind());
  object.address = from.address();
  object.size = from.size();
  object.name = strings.at(from.name());
  object.type = strings.at(from.type());
  object.born_ns = from.born_ns();
  if (from.lives_ns() != 0) object.died_ns = from.born_ns() + (from.lives_ns() - 1);
  object.group = strings.at(from.group());
  object.kept_by_interpreter = from.kept_by_interpreter();
  object.group_items = from.group_items();
  return object;
}

model::StackFrame frame_of(const StackFrame& from, const StringTable& strings) {
  model::StackFrame frame;
  frame.function = strings.at(from.function());
  frame.file = strings.at(from.file());
  frame.line = from.line();
  frame.module = strings.at(from.module());
  frame.why_unnamed = strings.at(from.why_unnamed());
  frame.inlined = from.inlined();
  frame.not_code = from.not_code();
  frame.python = from.python();
  frame.interpreter = from.interpreter();
  return frame;
}

// In memory, with their texts, which the file has once.
std::uint64_t bytes_of(const model::Object& object) {
  return sizeof(object) + object.name.size() + object.type.size() + object.group.size();
}
std::uint64_t bytes_of(const model::StackFrame& frame) {
  return sizeof(frame) + frame.function.size() + frame.file.size() + frame.module.size() +
         frame.why_unnamed.size();
}

}  // namespace

void put(const model::Object& object, StringTable& strings, Block& block) {
  Object& to = *block.add_objects();
  to.set_kind(static_cast<std::uint32_t>(object.kind));
  to.set_address(object.address);
  to.set_size(object.size);
  to.set_name(strings.number_of(object.name, block));
  to.set_type(strings.number_of(object.type, block));
  to.set_born_ns(object.born_ns);
  if (object.died_ns != UINT64_MAX) to.set_lives_ns(object.died_ns - object.born_ns + 1);
  to.set_group(strings.number_of(object.group, block));
  to.set_kept_by_interpreter(object.kept_by_interpreter);
  to.set_group_items(object.group_items);
}

void put(const model::StackFrame& frame, StringTable& strings, Block& block) {
  StackFrame& to = *block.add_frames();
  to.set_function(strings.number_of(frame.function, block));
  to.set_file(strings.number_of(frame.file, block));
  to.set_line(frame.line);
  to.set_module(strings.number_of(frame.module, block));
  to.set_why_unnamed(strings.number_of(frame.why_unnamed, block));
  to.set_inlined(frame.inlined);
  to.set_not_code(frame.not_code);
  to.set_python(frame.python);
  to.set_interpreter(frame.interpreter);
}

void put(const std::vector<std::uint32_t>& list, Lists& to) {
  to.add_size(static_cast<std::uint32_t>(list.size()));
  ShortDelta delta;
  for (const std::uint32_t number : list) to.add_numbers(delta.put(number));
}

bool Tables::take(const Block& block, const StringTable& strings, Allowance& allowance) {
  for (const Object& from : block.objects()) {
    if (from.kind() >= model::kObjectKindNames.size()) return false;
    if (!allowance.take(bytes_of(objects.emplace_back(object_of(from, strings))))) return false;
  }
  for (const StackFrame& from : block.frames())
    if (!allowance.take(bytes_of(frames.emplace_back(frame_of(from, strings))))) return false;
  return take(block.lists());
}

bool Tables::take(const Lists& from) {
  int at = 0;
  for (const std::uint32_t size : from.size()) {
    if (size > static_cast<std::uint32_t>(from.numbers_size() - at)) return false;
    auto& list = lists.emplace_back();
    ListFacts& facts = facts_.emplace_back();
    ShortDelta delta;
    for (std::uint32_t i = 0; i < size; ++i) {
      const std::uint32_t number = delta.get(from.numbers(at++));
      list.push_back(number);
      facts.smallest = std::min(facts.smallest, number);
      facts.largest = std::max(facts.largest, number);
    }
  }
  return at == from.numbers_size();
}

bool Tables::take_functions(std::uint32_t& list, Allowance& allowance) {
  if (list == 0) return true;
  if (list > lists.size()) return false;
  const ListFacts& facts = facts_[list - 1];
  if (facts.smallest == 0 || facts.largest > frames.size()) return false;
  const auto [size, is_new] = frames_size_.try_emplace(list);
  if (is_new)
    for (const std::uint32_t frame : lists[list - 1]) size->second += bytes_of(frames[frame - 1]);
  if (lists[list - 1].size() > kMostInlined || size->second > kMostFrameBytes) list = 0;
  return list == 0 || allowance.take(size->second);
}

}  // namespace cowtrace::trace
