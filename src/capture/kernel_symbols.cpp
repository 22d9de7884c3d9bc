// SPDX-License-Identifier: Apache-2.0
#include "capture/kernel_symbols.h"

#include <istream>
#include <sstream>

namespace cowtrace::capture {
namespace {

// ".isra.0.constprop.1": pairs of a known word and a number.
bool is_suffix(std::string_view text) {
  while (!text.empty()) {
    bool known = false;
    for (const std::string_view word : {".isra.", ".constprop.", ".part."}) {
      if (!text.starts_with(word)) continue;
      text.remove_prefix(word.size());
      const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
      if (digits == 0) return false;
      text.remove_prefix(digits);
      known = true;
      break;
    }
    if (!known) return false;
  }
  return true;
}

}  // namespace

std::optional<std::string> suffixed_symbol(std::istream& kallsyms, std::string_view name) {
  for (std::string line; std::getline(kallsyms, line);) {
    std::istringstream words(line);
    std::string address, kind, symbol, module;
    if (!(words >> address >> kind >> symbol) || words >> module) continue;
    if ((kind == "t" || kind == "T") && symbol.size() > name.size() && symbol.starts_with(name) &&
        is_suffix(std::string_view(symbol).substr(name.size())))
      return symbol;
  }
  return std::nullopt;
}

}  // namespace cowtrace::capture
