// SPDX-License-Identifier: Apache-2.0
#include "capture/load_order.h"

#include <algorithm>
#include <utility>

namespace cowtrace::capture {
namespace {

constexpr int kMostAttempts = 16;  // more than any backend has hooks to leave out

}  // namespace

Status load_in_order(int most, const Load& load) {
  Status first;
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    for (int features = most; features >= std::max(most - 1, 0); --features) {
      LoadTry tried = load(features, attempt);
      if (tried.loaded) return {};
      if (first) first = std::move(tried.loaded);
      if (!tried.another) return first;
    }
  }
  return first;
}

}  // namespace cowtrace::capture
