// SPDX-License-Identifier: Apache-2.0
#include "python/kept.h"

#include <charconv>
#include <optional>
#include <string>

#include "python/repr.h"

namespace cowtrace::python {
namespace {

// _PY_NSMALLNEGINTS and _PY_NSMALLPOSINTS are the same from 3.8 to 3.14.
bool is_small(const std::string& number) {
  int value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  return error == std::errc() && end == number.data() + number.size() && value >= -5 &&
         value <= 256;
}

// Nothing, or one character of Latin-1, in UTF-8.
bool is_short(const std::string& text) {
  if (text.size() == 2) return text[0] == '\xc2' || text[0] == '\xc3';
  return text.size() < 2;
}

}  // namespace

bool is_kept(const TypeTable& types, const Runtime& runtime, std::uint64_t object,
             const Type& type) {
  // Static storage of the interpreter's own file.
  if (object >= runtime.module_start && object < runtime.module_end) return true;
  // To 3.10 these are made when the interpreter starts.
  if (type.heap() || runtime.layout.version >= Version{3, 11}) return false;
  const auto size = [&] {
    return types.image().word(object + static_cast<std::uint64_t>(types.layout().object.var_size));
  };
  switch (type.kind) {
    case Kind::Integer: {
      const auto number = repr_at(types, object);
      return number && is_small(*number);
    }
    case Kind::Text: {
      const auto text = text_at(types, object, 2);
      return text && is_short(*text);
    }
    case Kind::Bytes:
      return size() < 2;
    case Kind::Tuple:
      return size() == 0;
    default:
      return false;
  }
}

}  // namespace cowtrace::python
