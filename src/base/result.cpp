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
  return fail(std::move(what), std::generic_category().message(number), std::move(remedy));
}

}  // namespace cowtrace
