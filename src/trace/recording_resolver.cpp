// SPDX-License-Identifier: Apache-2.0
#include "trace/recording_resolver.h"

#include <utility>

namespace cowtrace::trace {

std::uint32_t RecordingResolver::number_of(const model::Object* object) {
  if (object == nullptr) return 0;
  const auto [entry, is_new] = objects_.try_emplace(object, static_cast<std::uint32_t>(answers_.objects.size() + 1));
  if (is_new) answers_.objects.push_back(*object);
  return entry->second;
}

std::uint32_t RecordingResolver::number_of(const model::StackFrame& frame) {
  const unsigned flags = (frame.inlined ? 1U : 0U) | (frame.not_code ? 2U : 0U) | (frame.python ? 4U : 0U) | (frame.interpreter ? 8U : 0U);
  const auto [entry, is_new] = frames_.try_emplace({frame.function, frame.file, frame.line, frame.module, frame.why_unnamed, flags},
                                                   static_cast<std::uint32_t>(answers_.frames.size() + 1));
  if (is_new) answers_.frames.push_back(frame);
  return entry->second;
}

std::uint32_t RecordingResolver::list_of(std::vector<std::uint32_t> numbers) {
  if (numbers.empty()) return 0;
  const auto [entry, is_new] = lists_.try_emplace(std::move(numbers), static_cast<std::uint32_t>(lists_.size() + 1));
  return entry->second;
}

std::uint32_t RecordingResolver::list_of(const std::vector<model::StackFrame>& frames) {
  std::vector<std::uint32_t> numbers;
  for (const model::StackFrame& frame : frames) numbers.push_back(number_of(frame));
  return list_of(std::move(numbers));
}

// Together with the write, which has the same object and is asked for more often.
const model::Object* RecordingResolver::object_at(model::SpaceId space, std::uint64_t address, std::uint64_t time_ns) {
  return write_at(space, address, time_ns).object;
}

model::Write RecordingResolver::write_at(model::SpaceId space, std::uint64_t address, std::uint64_t time_ns) {
  model::Write write = asked_.write_at(space, address, time_ns);
  Answer answer;
  answer.number = number_of(write.object);
  answer.cause = write.cause;
  if (!write.field.empty()) {
    const auto [entry, is_new] = fields_.try_emplace(write.field, static_cast<std::uint32_t>(fields_.size() + 1));
    if (is_new) answers_.fields.push_back(write.field);
    answer.field = entry->second;
  }
  answers_.writes.note({space, address}, time_ns, answer);
  return write;
}

std::vector<const model::Object*> RecordingResolver::objects_in(model::SpaceId space, std::uint64_t start, std::uint64_t end,
                                                                std::uint64_t time_ns) {
  auto objects = asked_.objects_in(space, start, end, time_ns);
  std::vector<std::uint32_t> numbers;
  for (const model::Object* object : objects) numbers.push_back(number_of(object));
  answers_.ranges.note({space, start, end}, time_ns, {list_of(std::move(numbers))});
  return objects;
}

std::vector<model::StackFrame> RecordingResolver::frames_at(model::SpaceId space, std::uint64_t ip, bool is_return_address,
                                                            std::uint64_t time_ns) {
  auto frames = asked_.frames_at(space, ip, is_return_address, time_ns);
  answers_.native.note({space, ip, is_return_address ? 1U : 0U}, time_ns, {list_of(frames)});
  return frames;
}

std::vector<model::StackFrame> RecordingResolver::python_frames(model::SpaceId space, const model::PythonFrame& frame,
                                                                std::uint64_t time_ns) {
  auto frames = asked_.python_frames(space, frame, time_ns);
  answers_.python.note({space, frame.code, frame.instruction, frame.owner}, time_ns, {list_of(frames)});
  return frames;
}

std::optional<std::uint32_t> RecordingResolver::store_size_at(model::SpaceId space, std::uint64_t ip) {
  const auto size = asked_.store_size_at(space, ip);
  answers_.store_sizes.note({space, ip}, 0, {size ? *size + 1 : 0});
  return size;
}

Answers RecordingResolver::take() {
  answers_.lists.resize(lists_.size());
  while (!lists_.empty()) {
    auto list = lists_.extract(lists_.begin());
    answers_.lists[list.mapped() - 1] = std::move(list.key());
  }
  for (AnswerTable* table : {&answers_.writes, &answers_.ranges, &answers_.native, &answers_.python, &answers_.store_sizes}) table->settle();
  return std::move(answers_);
}

}  // namespace cowtrace::trace
