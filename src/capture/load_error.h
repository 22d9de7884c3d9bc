// SPDX-License-Identifier: Apache-2.0
// Why BPF programs do not load, and what to do, in the order in which people meet the reasons.
#pragma once

#include <string>

#include "base/result.h"
#include "capture/bpf_log.h"

namespace cowtrace::capture {

// `number` is the errno of the failed load, of either sign.
[[nodiscard]] Error load_error(const std::string& what, const BpfLog& log, int number);

// /sys/kernel/security/lockdown says confidentiality.
[[nodiscard]] bool locked_down();
[[nodiscard]] bool kernel_has_types();

}  // namespace cowtrace::capture
