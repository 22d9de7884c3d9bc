// SPDX-License-Identifier: Apache-2.0
// Puts what CPython's own structures tell between what programs register and what ELF files know.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "model/objects.h"
#include "python/code_object.h"
#include "python/heap.h"

namespace cowtrace::python {

// By address space and address of the code object; none: there was no code object when it was
// looked at.
using Codes = std::map<std::pair<model::SpaceId, std::uint64_t>, std::optional<CodeInfo>>;

class PythonResolver final : public model::Resolver {
 public:
  // `others` answers for everything that is not Python's.
  explicit PythonResolver(std::unique_ptr<model::Resolver> others) : others_(std::move(others)) {}

  // How the memory of `space` was at `time_ns` (CLOCK_MONOTONIC). It counts from then on, until the
  // next one.
  void add(model::SpaceId space, std::uint64_t time_ns, std::shared_ptr<Heap> heap);
  // The functions that ran in `space`, by the addresses of their code objects, as they were read
  // while it lived.
  void add_codes(Codes codes) { codes_ = std::move(codes); }
  // Memory of Python is not looked at any more: what it takes to name one object of it is a walk
  // through all.
  void hurry() override;
  [[nodiscard]] std::shared_ptr<const void> finish() override;

  void add_code(model::SpaceId space, std::uint64_t code, std::optional<CodeInfo> info) {
    codes_.insert_or_assign({space, code}, std::move(info));
  }

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
  [[nodiscard]] std::string function_at(model::SpaceId space, std::uint64_t ip,
                                        bool is_return_address) override {
    return others_->function_at(space, ip, is_return_address);
  }
  [[nodiscard]] std::optional<std::uint32_t> store_size_at(model::SpaceId space,
                                                           std::uint64_t ip) override;
  [[nodiscard]] std::vector<model::StackFrame> python_frames(model::SpaceId space,
                                                             const model::PythonFrame& frame,
                                                             std::uint64_t time_ns) override;

 private:
  // The answers of one heap, which each report asks for again.
  struct Known {
    struct Write {
      const model::Object* object = nullptr;  // nullptr: no memory of Python's
      const std::string* field = nullptr;
      model::Cause cause = model::Cause::Unknown;
    };
    using Range = std::pair<std::uint32_t, std::uint32_t>;            // of `objects`
    std::unordered_map<std::uint64_t, Write> writes;                  // by address
    std::map<std::pair<std::uint64_t, std::uint64_t>, Range> ranges;  // by start and end
    std::vector<const model::Object*> objects;
  };
  using Identity = std::tuple<std::uint64_t, std::uint64_t, std::string, std::string>;

  [[nodiscard]] Heap* heap_at(model::SpaceId space, std::uint64_t time_ns);
  void note_asked(Heap* heap);
  const model::Object* intern(const Place& place);
  [[nodiscard]] const Known::Write& write_in(Heap& heap, std::uint64_t address);
  [[nodiscard]] std::span<const model::Object* const> objects_of(Heap& heap, std::uint64_t start,
                                                                 std::uint64_t end);
  [[nodiscard]] const CodeInfo* code_at(model::SpaceId space, std::uint64_t code, Heap& heap);

  std::unique_ptr<model::Resolver> others_;
  std::unordered_map<model::SpaceId, std::map<std::uint64_t, std::shared_ptr<Heap>>> heaps_;
  std::vector<Heap*>
      asked_;  // heaps whose images are readable, in the order of their latest questions
  bool hurried_ = false;
  std::map<Identity, model::Object> objects_;
  std::unordered_set<std::string> fields_;
  std::unordered_map<const Heap*, Known> known_;
  Codes codes_;
};

}  // namespace cowtrace::python
