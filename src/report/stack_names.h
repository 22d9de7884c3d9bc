// SPDX-License-Identifier: Apache-2.0
// What stacks are called in the formats of other tools. All text is printable.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "analysis/break_stacks.h"
#include "analysis/sites.h"
#include "analysis/summary.h"
#include "model/objects.h"

namespace cowtrace::report {

// One stack frame as these formats know it.
struct NamedFrame {
  std::string name;  // never empty
  std::string file;  // of the source; empty if not known
  std::uint32_t line = 0;
  std::string module;    // the ELF file; empty if not known, and for Python
  bool inlined = false;  // into the frame after it
  bool python = false;

  friend auto operator<=>(const NamedFrame&, const NamedFrame&) = default;
};

// A function without a name is called after its module, "[libc.so.6]": its address means nothing
// elsewhere.
NamedFrame named(const model::StackFrame& frame);

// "python3"; "(unnamed)" if it never had a command.
std::string command_of(const analysis::ProcessSummary& process);

// The stack frames of what break_stacks() has summed up, innermost first; one in parentheses stands
// for stacks that are not known. Named once a site.
class StackNames {
 public:
  explicit StackNames(const analysis::Summary& summary)
      : summary_(summary), by_site_(summary.sites.size()) {}

  const std::vector<NamedFrame>& of(const analysis::BreakStack& stack);
  const std::vector<NamedFrame>& of_site(std::uint32_t site);
  // What break_stacks() gave, in the same order, with one row for all that differ in nothing but
  // what these formats leave out: the addresses of functions without a name.
  [[nodiscard]] std::vector<analysis::BreakStack> alike(std::vector<analysis::BreakStack> stacks);

 private:
  const analysis::Summary& summary_;
  std::vector<std::vector<NamedFrame>> by_site_;
  std::map<std::vector<NamedFrame>, std::uint32_t> first_site_;  // of all that have these names
};

}  // namespace cowtrace::report
