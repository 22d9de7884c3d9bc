// SPDX-License-Identifier: Apache-2.0
// Who asked for this, and how little of root's power is enough from then on.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/result.h"

namespace cowtrace::pipeline {

struct Caller {
  uid_t uid = 0;
  gid_t gid = 0;
};

// Who called sudo (SUDO_UID and SUDO_GID); none if we are not root or nobody did.
[[nodiscard]] std::optional<Caller> caller();

// All is loaded and the command is started: the rest of this process runs as a user that no other
// process has (unused_user.h), with the capabilities that reading other processes takes, and can
// get no others. Before there are threads. Errors: this machine does not allow it, and nothing has
// changed.
[[nodiscard]] Status keep_what_tracing_needs();

// The rest of this process is `who`, or nobody if there is no such caller or it is root, without
// groups, capabilities or a way to get any; without root's power to begin with, it stays who it is.
// Errors: this machine does not allow it, and the process must not go on.
[[nodiscard]] Status become_powerless(const std::optional<Caller>& who);

// The rest of this process, which only passes bytes on, has no privilege at all, as far as this
// machine allows.
void give_up_privileges();

}  // namespace cowtrace::pipeline
