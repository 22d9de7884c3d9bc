// SPDX-License-Identifier: Apache-2.0
// What people call a mapping: the name that /proc/PID/maps would show for it.
#pragma once

#include <string>

#include "model/events.h"

namespace cowtrace::objects {

// "[heap]", "[stack]", a file's path (or its last component where the path is not known),
// "[anon:NAME]", "[anon]". Untrusted.
[[nodiscard]] std::string mapping_label(const model::Mapping& mapping);

}  // namespace cowtrace::objects
