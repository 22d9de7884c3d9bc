// SPDX-License-Identifier: Apache-2.0
#include "trace/format1/recorded_resolver.h"

#include "base/units.h"

namespace cowtrace::trace::format1 {

const model::Object* RecordedResolver::object_at(model::SpaceId space, std::uint64_t address,
                                                 std::uint64_t time_ns) {
  const Answer* answer = answers_.writes.find({space, address}, time_ns);
  return answer == nullptr || answer->number == 0 ? nullptr : &tables_->objects[answer->number - 1];
}

model::Write RecordedResolver::write_at(model::SpaceId space, std::uint64_t address,
                                        std::uint64_t time_ns) {
  const Answer* answer = answers_.writes.find({space, address}, time_ns);
  if (answer == nullptr) return {};
  return {answer->number == 0 ? nullptr : &tables_->objects[answer->number - 1], answer->cause,
          answer->field == 0 ? std::string() : answers_.fields[answer->field - 1]};
}

std::vector<const model::Object*> RecordedResolver::objects_in(model::SpaceId space,
                                                               std::uint64_t start,
                                                               std::uint64_t end,
                                                               std::uint64_t time_ns) {
  std::vector<const model::Object*> objects;
  const Answer* answer = answers_.ranges.find({space, start, end}, time_ns);
  if (answer == nullptr || answer->number == 0) return objects;
  for (const std::uint32_t number : tables_->lists[answer->number - 1])
    objects.push_back(number == 0 ? nullptr : &tables_->objects[number - 1]);
  return objects;
}

std::vector<model::StackFrame> RecordedResolver::frames_of(const Answer* answer) const {
  std::vector<model::StackFrame> frames;
  if (answer == nullptr || answer->number == 0) return frames;
  for (const std::uint32_t number : tables_->lists[answer->number - 1])
    frames.push_back(tables_->frames[number - 1]);
  return frames;
}

std::vector<model::StackFrame> RecordedResolver::frames_at(model::SpaceId space, std::uint64_t ip,
                                                           bool is_return_address,
                                                           std::uint64_t time_ns) {
  auto frames =
      frames_of(answers_.native.find_any({space, ip, is_return_address ? 1U : 0U}, time_ns));
  if (!frames.empty()) return frames;
  model::StackFrame unnamed;
  unnamed.function = hex(ip);
  unnamed.why_unnamed = "the trace does not have its name";
  return {unnamed};
}

std::vector<model::StackFrame> RecordedResolver::python_frames(model::SpaceId space,
                                                               const model::PythonFrame& frame,
                                                               std::uint64_t time_ns) {
  return frames_of(
      answers_.python.find_any({space, frame.code, frame.instruction, frame.owner}, time_ns));
}

std::optional<std::uint32_t> RecordedResolver::store_size_at(model::SpaceId space,
                                                             std::uint64_t ip) {
  const Answer* answer = answers_.store_sizes.find({space, ip}, 0);
  if (answer == nullptr || answer->number == 0) return std::nullopt;
  return answer->number - 1;
}

}  // namespace cowtrace::trace::format1
