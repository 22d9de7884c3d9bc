// SPDX-License-Identifier: Apache-2.0
// Which breaks each backend sees, and what it needs for that: the one place that says it.
// docs/kernel-support.md is checked against it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "model/mechanism.h"

namespace cowtrace::capture {

// What has to be there for a kind of break to be seen.
enum class Need : std::uint8_t {
  Nothing,
  PageTables,  // calibration found the direct map
  FindVma,     // bpf_find_vma, kernel 5.17
  WriteHook,   // do_wp_page can be attached to
  ForkHooks,   // copy_page_range and the reverse mapping of a new anonymous page can be attached to
  Never,       // this backend has no way to see it
};

// "yes", "no", or the condition, for people.
std::string_view describe(Need need);

// A kind of break as users know it.
struct Coverage {
  std::string_view what;                 // follows "blind to"
  std::span<const model::Mechanism> as;  // how it is reported where it is seen
  Need by_static;
  Need by_path;  // fentry and kprobe
};

std::span<const Coverage> coverage();

// The table of docs/kernel-support.md, in Markdown.
std::string coverage_table();

}  // namespace cowtrace::capture
