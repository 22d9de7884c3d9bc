// SPDX-License-Identifier: Apache-2.0
// A file to write a report to, by a root whom somebody else may have led here.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace cowtrace::pipeline {

// A new file, which belongs to the user that called sudo and which nobody else may read, or an old
// one, emptied, with the mode that it has. Never through a link, never one that has another name
// too, and only one of our own or of the caller's; nothing is changed before that is known.
[[nodiscard]] Result<Fd> open_output(const std::string& path);

}  // namespace cowtrace::pipeline
