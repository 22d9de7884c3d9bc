// SPDX-License-Identifier: Apache-2.0
// Puts what CPython's own structures tell between what programs register and what ELF files know.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "model/objects.h"
#include "python/heap.h"

namespace cowtrace::python {

class PythonResolver final : public model::Resolver {
 public:
  // `others` answers for everything that is not Python's.
  explicit PythonResolver(std::unique_ptr<model::Resolver> others) : others_(std::move(others)) {}

  // How the memory of `space` was at `time_ns` (CLOCK_MONOTONIC). It counts from then on, until the next one.
  void add(model::SpaceId space, std::uint64_t time_ns, std::shared_ptr<Heap> heap);

  [[nodiscard]] const model::Object* object_at(model::SpaceId space, std::uint64_t address, std::uint64_t time_ns) override;
  [[nodiscard]] model::Write write_at(model::SpaceId space, std::uint64_t address, std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<const model::Object*> objects_in(model::SpaceId space, std::uint64_t start, std::uint64_t end,
                                                             std::uint64_t time_ns) override;
  [[nodiscard]] std::vector<model::StackFrame> frames_at(model::SpaceId space, std::uint64_t ip, bool is_return_address,
                                                         std::uint64_t time_ns) override;
  [[nodiscard]] std::optional<std::uint32_t> store_size_at(model::SpaceId space, std::uint64_t ip) override;

 private:
  using Identity = std::tuple<std::uint64_t, std::uint64_t, std::string, std::string>;

  [[nodiscard]] Heap* heap_at(model::SpaceId space, std::uint64_t time_ns);
  const model::Object* intern(const Place& place);

  std::unique_ptr<model::Resolver> others_;
  std::unordered_map<model::SpaceId, std::map<std::uint64_t, std::shared_ptr<Heap>>> heaps_;
  std::map<Identity, model::Object> objects_;
};

}  // namespace cowtrace::python
