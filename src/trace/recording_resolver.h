// SPDX-License-Identifier: Apache-2.0
// Passes questions on to another resolver, and keeps the answers.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/objects.h"
#include "trace/answers.h"

namespace cowtrace::trace {

class RecordingResolver final : public model::Resolver {
 public:
  explicit RecordingResolver(model::Resolver& asked) : asked_(asked) {}

  void hurry() override { asked_.hurry(); }
  [[nodiscard]] const model::Object* object_at(model::SpaceId space, std::uint64_t address, std::uint64_t time_ns) override;
  [[nodiscard]] model::Write write_at(model::SpaceId space, std::uint64_t address, std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<const model::Object*> objects_in(model::SpaceId space, std::uint64_t start, std::uint64_t end,
                                                             std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<model::StackFrame> frames_at(model::SpaceId space, std::uint64_t ip, bool is_return_address,
                                                         std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<model::StackFrame> python_frames(model::SpaceId space, const model::PythonFrame& frame,
                                                             std::uint64_t time_ns) override;
  [[nodiscard]] std::optional<std::uint32_t> store_size_at(model::SpaceId space, std::uint64_t ip) override;

  // Everything that was answered until now. No more is to be asked.
  [[nodiscard]] Answers take();

 private:
  using FrameKey = std::tuple<std::string, std::string, std::uint32_t, std::string, std::string, unsigned>;

  [[nodiscard]] std::uint32_t number_of(const model::Object* object);
  [[nodiscard]] std::uint32_t number_of(const model::StackFrame& frame);
  [[nodiscard]] std::uint32_t list_of(std::vector<std::uint32_t> numbers);
  [[nodiscard]] std::uint32_t list_of(const std::vector<model::StackFrame>& frames);

  model::Resolver& asked_;
  Answers answers_;
  std::unordered_map<const model::Object*, std::uint32_t> objects_;
  std::map<FrameKey, std::uint32_t> frames_;
  std::map<std::vector<std::uint32_t>, std::uint32_t> lists_;
  std::unordered_map<std::string, std::uint32_t> fields_;
};

}  // namespace cowtrace::trace
