// SPDX-License-Identifier: Apache-2.0
// The style and the script of a diff's page, from the files beside this one, with their SHA-256 in
// hexadecimal digits.
#pragma once

#include <string_view>

namespace cowtrace::report {

extern const std::string_view kDiffStyle, kDiffStyleHash;
extern const std::string_view kDiffScript, kDiffScriptHash;

}  // namespace cowtrace::report
