// SPDX-License-Identifier: Apache-2.0
// A resolver that answers from lists, and counts how often it was asked to name an instruction
// pointer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "model/objects.h"

namespace cowtrace::test {

class FakeResolver : public model::Resolver {
 public:
  // `space` 0: in every address space. Objects added first are the more specific ones.
  const model::Object* add(model::Object object, model::SpaceId space = {}) {
    return &objects_.emplace_back(Placed{space, std::move(object)}).object;
  }
  const model::Object* add(std::string name, std::uint64_t address, std::uint64_t size,
                           std::string type = {},
                           model::ObjectKind kind = model::ObjectKind::Registered) {
    model::Object object;
    object.kind = kind;
    object.address = address;
    object.size = size;
    object.name = std::move(name);
    object.type = std::move(type);
    return add(std::move(object));
  }
  void name(std::uint64_t ip, std::vector<model::StackFrame> frames) {
    frames_[ip] = std::move(frames);
  }

  const model::Object* object_at(model::SpaceId space, std::uint64_t address,
                                 std::uint64_t time_ns) override {
    const auto found = std::find_if(objects_.begin(), objects_.end(), [&](const Placed& placed) {
      return placed.covers(space, address, address + 1, time_ns);
    });
    return found != objects_.end() ? &found->object : nullptr;
  }

  std::vector<const model::Object*> objects_in(model::SpaceId space, std::uint64_t start,
                                               std::uint64_t end, std::uint64_t time_ns) override {
    std::vector<const model::Object*> found;
    for (const Placed& placed : objects_)
      if (placed.covers(space, start, end, time_ns)) found.push_back(&placed.object);
    std::stable_sort(found.begin(), found.end(),
                     [](const auto* a, const auto* b) { return a->address < b->address; });
    return found;
  }

  std::vector<model::StackFrame> frames_at(model::SpaceId, std::uint64_t ip, bool,
                                           std::uint64_t) override {
    ++frames_asked;
    const auto found = frames_.find(ip);
    if (found != frames_.end()) return found->second;
    model::StackFrame unnamed;
    unnamed.function = hex(ip);
    unnamed.why_unnamed = "no symbol covers it";
    return {unnamed};
  }

  // The first of frames_at(), if it has a name.
  std::string function_at(model::SpaceId, std::uint64_t ip, bool) override {
    const auto found = frames_.find(ip);
    return found != frames_.end() && !found->second.empty() ? found->second.front().function
                                                            : std::string();
  }

  // A code object without a name is an entry frame.
  void name_code(std::uint64_t code, std::string function, std::string file = "app.py") {
    codes_[code] = {std::move(function), std::move(file)};
  }

  std::vector<model::StackFrame> python_frames(model::SpaceId, const model::PythonFrame& frame,
                                               std::uint64_t) override {
    ++frames_asked;
    const auto found = codes_.find(frame.code);
    if (found == codes_.end()) return {};
    model::StackFrame named;
    named.function = found->second.first;
    named.file = found->second.second;
    named.line = static_cast<std::uint32_t>(frame.instruction);
    named.python = true;
    return {named};
  }

  int frames_asked = 0;

  // Every instruction stores a word, but for those that are not known.
  std::optional<std::uint32_t> store_size_at(model::SpaceId, std::uint64_t ip) override {
    if (ip == 0) return std::nullopt;
    return 8;
  }

 private:
  struct Placed {
    model::SpaceId space;
    model::Object object;

    [[nodiscard]] bool covers(model::SpaceId in, std::uint64_t start, std::uint64_t end,
                              std::uint64_t time_ns) const {
      return (space == model::SpaceId() || space == in) && start < object.address + object.size &&
             end > object.address && time_ns >= object.born_ns && time_ns < object.died_ns;
    }
  };

  std::deque<Placed> objects_;
  std::map<std::uint64_t, std::vector<model::StackFrame>> frames_;
  std::map<std::uint64_t, std::pair<std::string, std::string>> codes_;
};

}  // namespace cowtrace::test
