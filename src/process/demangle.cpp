// SPDX-License-Identifier: Apache-2.0
#include "process/demangle.h"

#include <cxxabi.h>

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace cowtrace::process {
namespace {

constexpr std::size_t kMaxMangled = 2048;
constexpr std::size_t kMaxDemangled = 65'536;

// Each reference back (S_, S1_, T_, T0_) can repeat all that stands before it, so n of them can
// make the result 3^(n/3) times as long, and __cxa_demangle cannot be stopped. Names of real
// programs stay far below.
constexpr std::size_t kMaxReferences = 36;

std::size_t count_references(std::string_view mangled) {
  std::size_t count = 0;
  for (std::size_t i = 0; i + 1 < mangled.size(); ++i) {
    if (mangled[i] != 'S' && mangled[i] != 'T') continue;
    const std::size_t end =
        mangled.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", i + 1);
    if (end != std::string_view::npos && mangled[end] == '_') ++count;
  }
  return count;
}

}  // namespace

std::string demangle(std::string_view mangled) {
  std::string name(mangled);
  if (!name.starts_with("_Z") || name.size() > kMaxMangled) return name;
  if (count_references(name) > kMaxReferences) return name;
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
  if (status != 0 || text == nullptr) return name;
  std::string result(text.get());
  return result.size() <= kMaxDemangled ? result : name;
}

}  // namespace cowtrace::process
