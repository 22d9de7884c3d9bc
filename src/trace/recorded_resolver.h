// SPDX-License-Identifier: Apache-2.0
// Answers from a trace file. What was not asked when it was recorded is not known.
#pragma once

#include <utility>
#include <vector>

#include "model/objects.h"
#include "trace/answers.h"

namespace cowtrace::trace {

class RecordedResolver final : public model::Resolver {
 public:
  // Numbers in `answers` are all valid.
  explicit RecordedResolver(Answers answers) : answers_(std::move(answers)) {}

  [[nodiscard]] const model::Object* object_at(model::SpaceId space, std::uint64_t address, std::uint64_t time_ns) override;
  [[nodiscard]] model::Write write_at(model::SpaceId space, std::uint64_t address, std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<const model::Object*> objects_in(model::SpaceId space, std::uint64_t start, std::uint64_t end,
                                                             std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<model::StackFrame> frames_at(model::SpaceId space, std::uint64_t ip, bool is_return_address,
                                                         std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<model::StackFrame> python_frames(model::SpaceId space, const model::PythonFrame& frame,
                                                             std::uint64_t time_ns) override;
  [[nodiscard]] std::optional<std::uint32_t> store_size_at(model::SpaceId space, std::uint64_t ip) override;

 private:
  [[nodiscard]] std::vector<model::StackFrame> frames_of(const Answer* answer) const;

  Answers answers_;
};

}  // namespace cowtrace::trace
