// SPDX-License-Identifier: Apache-2.0
#include "python/type_dicts.h"

namespace cowtrace::python {

std::uint64_t static_type_state(const TypeTable& types, const Runtime& runtime,
                                std::uint64_t type) {
  const auto& layout = types.layout();
  const image::MemoryImage& image = types.image();
  if (layout.interpreter.types_builtins == kAbsent || layout.static_type.type == kAbsent) return 0;
  const Type* itself = types.find(type);
  if (itself == nullptr || itself->heap()) return 0;
  const auto find = [&](Offset array, int count) -> std::uint64_t {
    for (int i = 0; array != kAbsent && i < count; ++i) {
      const std::uint64_t entry = runtime.interpreter + static_cast<std::uint64_t>(array) +
                                  static_cast<std::uint64_t>(i * layout.static_type.size);
      if (image.word(entry + layout.static_type.type) == type) return entry;
    }
    return 0;
  };
  const std::uint64_t builtin =
      find(layout.interpreter.types_builtins, layout.interpreter.types_builtins_count);
  return builtin != 0
             ? builtin
             : find(layout.interpreter.types_extensions, layout.interpreter.types_extensions_count);
}

std::uint64_t dict_of_type(const TypeTable& types, const Runtime& runtime, std::uint64_t type) {
  const auto& layout = types.layout();
  if (const std::uint64_t state = static_type_state(types, runtime, type); state != 0)
    return types.image().word(state + layout.static_type.tp_dict);
  return types.image().word(type + layout.type.dict);
}

}  // namespace cowtrace::python
