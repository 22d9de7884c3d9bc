// SPDX-License-Identifier: Apache-2.0
#include "process/symbolizer.h"

#include <string_view>

#include "base/interrupt.h"
#include "base/units.h"
#include "process/dwarf_info.h"

namespace cowtrace::process {
namespace {

constexpr std::string_view kNotLookedUp = "cowtrace was interrupted before it was looked up in ";

std::vector<CodeFrame> look_up(ElfModule& module, std::uint64_t address) {
  const DebugBudget::Spending spending(module.budget());
  if (module.elf() == nullptr) {
    return {unnamed_frame(address, base_name(module.path()) + ": " + module.why_unavailable())};
  }
  std::vector<DwarfFrame> found;
  if (DwarfInfo* dwarf = module.dwarf()) found = dwarf->frames_at(address);
  if (found.empty()) found.emplace_back();
  // The last one is the function itself. DWARF leaves out functions that were assembled and those
  // that are in .dwo files, and names local ones without their scope; the symbol table has them
  // all, with clone suffixes for what is C.
  auto symbol = module.symbols().find(SymbolKind::Function, address);
  DwarfFrame& outermost = found.back();
  if (symbol && (outermost.function.empty() ||
                 (!outermost.qualified && symbol->name.find("::") != std::string::npos))) {
    outermost.function = std::move(symbol->name);
  }
  std::vector<CodeFrame> frames;
  for (DwarfFrame& frame : found) {
    frames.push_back(
        {std::move(frame.function), std::move(frame.file), frame.line, frame.inlined, {}});
    if (!frames.back().function.empty()) continue;
    const std::string& defect = module.symbols().defect();
    frames.back().function = hex(address);
    frames.back().why_unnamed = "no symbol covers it in " + base_name(module.path()) +
                                (defect.empty() ? "" : " (" + defect + ")");
  }
  return frames;
}

}  // namespace

const std::vector<CodeFrame>& Symbolizer::frames_at(ElfModule& module, std::uint64_t address) {
  const std::pair<const ElfModule*, std::uint64_t> key(&module, address);
  const auto known = known_.lower_bound(key);
  if (known != known_.end() && known->first == key) return known->second;
  if (hurried_) {
    const std::string why = std::string(kNotLookedUp) + base_name(module.path());
    return known_.emplace_hint(known, key, std::vector{unnamed_frame(address, why)})->second;
  }
  // Nothing is kept of what this leaves half-way.
  check_interrupt();
  return known_.emplace_hint(known, key, look_up(module, address))->second;
}

CodeFrame unnamed_frame(std::uint64_t address, std::string why) {
  CodeFrame frame;
  frame.function = hex(address);
  frame.why_unnamed = std::move(why);
  return frame;
}

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace cowtrace::process
