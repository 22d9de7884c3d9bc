// SPDX-License-Identifier: Apache-2.0
// The page around the data, made from src/report/web when cowtrace is built.
#pragma once

#include <string_view>

namespace cowtrace::report {

// Up to where the base64 text of the data begins, and from where it ends.
std::string_view html_head();
std::string_view html_tail();

}  // namespace cowtrace::report
