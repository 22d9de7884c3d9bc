// SPDX-License-Identifier: Apache-2.0
// What stands in the file of a report that is not whole: yet, or for ever.
#pragma once

#include <string>
#include <string_view>

namespace cowtrace::report {

// In the form of the format of this name (formats.h, diff.h), so that what reads it says so or
// shows it; less than 2 KiB. Empty if there is no such format.
[[nodiscard]] std::string incomplete(std::string_view format);

}  // namespace cowtrace::report
