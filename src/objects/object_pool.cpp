// SPDX-License-Identifier: Apache-2.0
#include "objects/object_pool.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace cowtrace::objects {
namespace {

std::size_t hash_of(const model::Object& object, std::string_view origin) {
  constexpr std::size_t kMix = 0x9E3779B97F4A7C15;
  std::size_t hash =
      std::hash<std::uint64_t>{}(object.address) + static_cast<std::size_t>(object.kind);
  for (const std::string_view text :
       {std::string_view(object.name), std::string_view(object.type), origin}) {
    hash = (hash ^ std::hash<std::string_view>{}(text)) * kMix;
  }
  return hash;
}

}  // namespace

const model::Object* ObjectPool::intern(model::Object object, std::string_view origin) {
  const std::size_t hash = hash_of(object, origin);
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto known = first; known != last; ++known) {
    model::Object& one = *known->second;
    if (one.kind != object.kind || one.address != object.address || one.name != object.name ||
        one.type != object.type) {
      continue;
    }
    one.size = std::max(one.size, object.size);
    one.born_ns = std::min(one.born_ns, object.born_ns);
    one.died_ns = std::max(one.died_ns, object.died_ns);
    return &one;
  }
  objects_.push_back(std::move(object));
  by_hash_.emplace(hash, &objects_.back());
  return &objects_.back();
}

}  // namespace cowtrace::objects
