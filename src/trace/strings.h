// SPDX-License-Identifier: Apache-2.0
// The table of strings of a trace file. Number 0 is the empty one.
#pragma once

#include <trace.pb.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace cowtrace::trace {

class StringTable {
 public:
  // The number of `text`; if it is a new one, `block` takes it in.
  std::uint32_t number_of(std::string_view text, Block& block) {
    if (text.empty()) return 0;
    const auto found = numbers_.find(text);
    if (found != numbers_.end()) return found->second;
    const std::string& kept = texts_.emplace_back(text);
    block.add_strings(kept);
    return numbers_.emplace(kept, static_cast<std::uint32_t>(texts_.size())).first->second;
  }

  // What a block adds.
  void take(const Block& block) {
    texts_.insert(texts_.end(), block.strings().begin(), block.strings().end());
  }
  // Empty if there is no such number.
  [[nodiscard]] const std::string& at(std::uint32_t number) const {
    static const std::string empty;
    return number == 0 || number > texts_.size() ? empty : texts_[number - 1];
  }

 private:
  std::deque<std::string> texts_;  // from number 1 on
  std::unordered_map<std::string_view, std::uint32_t> numbers_;
};

}  // namespace cowtrace::trace
