// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <system_error>

namespace cowtrace {

std::string Error::message() const {
  std::string text = what;
  for (const std::string* part : {&why, &remedy}) {
    if (part->empty()) continue;
    if (!text.empty()) text += ": ";
    text += *part;
  }
  return text;
}

tl::unexpected<Error> fail_errno(std::string what, int number, std::string remedy) {
  // ENOTSUPP is the kernel's own (include/linux/errno.h), but BPF gives it to user space.
  constexpr int kNotSupported = 524;
  const std::string why = number == kNotSupported ? "this kernel does not support it"
                                                  : std::generic_category().message(number);
  return fail(std::move(what), why, std::move(remedy));
}

}  // namespace cowtrace
