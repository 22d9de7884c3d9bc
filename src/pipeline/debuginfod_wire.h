// SPDX-License-Identifier: Apache-2.0
// What cowtrace and its debuginfod helper say to each other, over a SOCK_SEQPACKET socket. A
// request is a raw build id and nothing else. An answer is one byte, then a text for people: a
// reason, or empty. Before the last answer to a request there may be any number of `Progress`. With
// `Found` comes one descriptor (SCM_RIGHTS).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace cowtrace::pipeline {

inline constexpr std::size_t kLeastBuildId = 2, kMostBuildId = 64;  // bytes
inline constexpr std::size_t kMostReason = 256;                     // bytes

enum class Said : std::uint8_t {
  Found = 1,
  NotFound,  // no server has it
  Failed,    // this one could not be had
  Late,      // a server did not answer in time
  Unusable,  // nothing can be had, now or later
  Progress,  // bytes of it are coming in
};

struct Answer {
  Said said = Said::Failed;
  std::string reason;
  Fd file;  // of Found alone
};

// False: the other end has gone, or cannot take it. A longer reason is cut.
bool send_answer(int socket, Said said, std::string_view reason, int file = -1);

// None: the other end has gone, or said what is no answer. Never waits.
[[nodiscard]] std::optional<Answer> receive_answer(int socket);

}  // namespace cowtrace::pipeline
