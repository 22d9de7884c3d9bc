// SPDX-License-Identifier: Apache-2.0
// Messages on standard error. Where nothing takes them (closed, full, a broken pipe), they are lost
// and nothing else happens: what cowtrace was asked for goes on.
#pragma once

#include <string_view>

namespace cowtrace {

// Writes "cowtrace: LINE\n", in one piece.
void say(std::string_view line);

// Writes all of `bytes` to a descriptor. Returns 0, or the errno value that kept the rest from it.
int write_all(int fd, std::string_view bytes);

}  // namespace cowtrace
