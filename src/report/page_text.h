// SPDX-License-Identifier: Apache-2.0
// The rows of the JSON report that there are a million of, as text: to make a JSON value of each,
// and to destroy it, would be most of the time.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "analysis/pages.h"

namespace cowtrace::report {

class PageText {
 public:
  // Valid until the next call.
  std::string_view of(const analysis::PageRow& page);

 private:
  // Most rows have the mapping of the row before.
  std::string mapping_, mapping_json_ = "null";
  fmt::memory_buffer text_;
};

}  // namespace cowtrace::report
