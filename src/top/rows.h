// SPDX-License-Identifier: Apache-2.0
// What rows are called, for tables, steps and plain lines; all of it printable.
#pragma once

#include <string>

#include "analysis/live_snapshot.h"

namespace cowtrace::top {

[[nodiscard]] std::string label_of(const analysis::LiveProcess& process);
[[nodiscard]] std::string label_of(const analysis::LiveObject& object);
[[nodiscard]] std::string label_of(const analysis::LiveType& type);
// "dict_resize <- write_config (app.py:15) <- main (app.py:40)": as much of it as anybody reads.
[[nodiscard]] std::string label_of(const analysis::LiveSite& site);
[[nodiscard]] std::string label_of_cause(std::uint32_t id);
// "write_config (app.py:15)".
[[nodiscard]] std::string label_of(const model::StackFrame& frame);
// "-" if none is known.
[[nodiscard]] std::string main_cause(const analysis::LiveRow& row);

}  // namespace cowtrace::top
