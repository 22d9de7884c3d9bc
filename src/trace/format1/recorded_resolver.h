// SPDX-License-Identifier: Apache-2.0
// Answers from a trace file of format 1. What was not asked when it was recorded is not known.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "model/objects.h"
#include "trace/format1/answers.h"
#include "trace/table_codec.h"

namespace cowtrace::trace::format1 {

class RecordedResolver final : public model::Resolver {
 public:
  // Numbers in `answers` and `tables` are all valid.
  RecordedResolver(Answers answers, std::shared_ptr<const Tables> tables)
      : answers_(std::move(answers)), tables_(std::move(tables)) {}

  [[nodiscard]] std::shared_ptr<const void> finish() override { return tables_; }

  [[nodiscard]] const model::Object* object_at(model::SpaceId space, std::uint64_t address,
                                               std::uint64_t time_ns) override;
  [[nodiscard]] model::Write write_at(model::SpaceId space, std::uint64_t address,
                                      std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<const model::Object*> objects_in(model::SpaceId space,
                                                             std::uint64_t start, std::uint64_t end,
                                                             std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<model::StackFrame> frames_at(model::SpaceId space, std::uint64_t ip,
                                                         bool is_return_address,
                                                         std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<model::StackFrame> python_frames(model::SpaceId space,
                                                             const model::PythonFrame& frame,
                                                             std::uint64_t time_ns) override;
  [[nodiscard]] std::optional<std::uint32_t> store_size_at(model::SpaceId space,
                                                           std::uint64_t ip) override;

 private:
  [[nodiscard]] std::vector<model::StackFrame> frames_of(const Answer* answer) const;

  Answers answers_;
  std::shared_ptr<const Tables> tables_;
};

}  // namespace cowtrace::trace::format1
