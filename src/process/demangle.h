// SPDX-License-Identifier: Apache-2.0
// C++ (and Rust legacy) names for people.
#pragma once

#include <string>
#include <string_view>

namespace cowtrace::process {

// The demangled name; `mangled` itself if it is none, or if its demangled form is longer than is of
// use to anyone (a short hostile name can stand for gigabytes).
[[nodiscard]] std::string demangle(std::string_view mangled);

}  // namespace cowtrace::process
