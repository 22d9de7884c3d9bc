// SPDX-License-Identifier: Apache-2.0
// One Object for what is the same thing in several address spaces: a fork's children inherit their
// parent's objects, and reports add up over all of them.
#pragma once

#include <cstddef>
#include <deque>
#include <string_view>
#include <unordered_map>

#include "model/objects.h"

namespace cowtrace::objects {

class ObjectPool {
 public:
  // The one object of this kind, name, type and address (and `origin`, for things that only a name
  // would not tell apart). Its size and lifetime grow to cover all that were given. The pointer
  // stays valid as long as the pool.
  const model::Object* intern(model::Object object, std::string_view origin = {});

  [[nodiscard]] std::size_t size() const { return objects_.size(); }

 private:
  std::deque<model::Object> objects_;
  std::unordered_multimap<std::size_t, model::Object*> by_hash_;
};

}  // namespace cowtrace::objects
