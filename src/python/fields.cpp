// SPDX-License-Identifier: Apache-2.0
#include "python/fields.h"

#include <fmt/format.h>

#include "python/dict.h"
#include "python/repr.h"

namespace cowtrace::python {
namespace {

using model::Cause;

FieldOfWrite entry_field(const TypeTable& types, const KeyTable& keys, std::uint64_t address) {
  if (address < keys.address + static_cast<std::uint64_t>(types.layout().dict_keys.indices))
    return {"keys header", Cause::Container};
  if (address < keys.entries) return {"keys index", Cause::Container};
  const std::uint64_t index = (address - keys.entries) / keys.entry_size;
  const std::uint64_t key = types.image().word(keys.entry(index) + keys.key_at);
  if (index < keys.used && key != 0)
    if (const auto text = repr_at(types, key))
      return {fmt::format("keys entry {}", *text), Cause::Container};
  return {fmt::format("keys entry #{}", index), Cause::Container};
}

// What precedes an object: the collector's header, and from 3.11 on words for __dict__ and weak
// references.
FieldOfWrite header_field(const Type& type, std::uint64_t distance) {
  if (type.gc() && distance <= 16) return {"gc header", Cause::GcHeader};
  return {"dict pointer", Cause::Value};
}

FieldOfWrite member_field(const TypeTable& types, const Type& type, std::uint64_t offset) {
  const std::uint64_t word = offset & ~std::uint64_t{7};
  if (const Type::Member* member = type.member_at(word))
    return {type.heap() ? fmt::format("slot {}", repr_of(member->name)) : "." + member->name,
            Cause::Value};
  const auto& layout = types.layout();
  if (layout.version >= Version{3, 13} && (type.flags & kInlineValues) != 0 &&
      offset >= type.basicsize) {
    const std::uint64_t first =
        type.basicsize + static_cast<std::uint64_t>(layout.dict_values.values);
    if (offset < first) return {"inline values", Cause::Container};
    const std::uint64_t index = (offset - first) / 8;
    const auto keys = read_key_table(types.image(), layout, type.cached_keys);
    if (keys && index < keys->used)
      if (const auto key =
              text_at(types, types.image().word(keys->entry(index) + keys->key_at), 200))
        return {fmt::format("attribute {}", repr_of(*key)), Cause::Container};
    return {fmt::format("inline values[{}]", index), Cause::Container};
  }
  if (type.dictoffset > 0 && word == static_cast<std::uint64_t>(type.dictoffset))
    return {"dict pointer", Cause::Value};
  return {fmt::format("+{}", word), Cause::Value};
}

// 3.11 and later: a generator is also the frame of its function.
std::optional<FieldOfWrite> slot_of_own_frame(const TypeTable& types, std::uint64_t object,
                                              const Type& type, std::uint64_t offset) {
  const auto frame = types.own_frame(object, type);
  if (!frame || object + offset < frame->slots) return std::nullopt;
  const std::uint64_t slot = (object + offset - frame->slots) / 8;
  if (slot >= frame->locals)
    return FieldOfWrite{fmt::format("stack[{}]", slot - frame->locals), Cause::Value};
  const Layout& layout = types.layout();
  const std::uint64_t names =
      types.image().word(frame->code + static_cast<std::uint64_t>(layout.code.localsplusnames));
  const std::uint64_t name =
      types.image().word(names + static_cast<std::uint64_t>(layout.tuple.items) + slot * 8);
  if (const auto text = text_at(types, name, 200))
    return FieldOfWrite{fmt::format("local {}", repr_of(*text)), Cause::Value};
  return std::nullopt;
}

FieldOfWrite named_offset(const TypeTable& types, std::uint64_t object, const Type& type,
                          std::uint64_t offset) {
  const Layout& layout = types.layout();
  const auto is = [&](Offset field) {
    return field != kAbsent && (offset & ~std::uint64_t{7}) == static_cast<std::uint64_t>(field);
  };
  switch (type.kind) {
    case Kind::Dict:
      if (is(layout.dict.used)) return {"ma_used", Cause::Container};
      if (is(layout.dict.keys)) return {"ma_keys", Cause::Container};
      if (is(layout.dict.values)) return {"ma_values", Cause::Container};
      if (offset < static_cast<std::uint64_t>(layout.dict.size))
        return {"ma_version_tag", Cause::Container};
      break;
    case Kind::List:
      if (is(layout.object.var_size)) return {"ob_size", Cause::Container};
      if (is(layout.list.items)) return {"ob_item", Cause::Container};
      if (is(layout.list.allocated)) return {"allocated", Cause::Container};
      break;
    case Kind::Tuple:
      if (offset >= static_cast<std::uint64_t>(layout.tuple.items) && !type.heap())
        return {
            fmt::format("items[{}]", (offset - static_cast<std::uint64_t>(layout.tuple.items)) / 8),
            Cause::Container};
      break;
    case Kind::Set:
      if (is(layout.set.fill)) return {"fill", Cause::Container};
      if (is(layout.set.used)) return {"used", Cause::Container};
      if (offset >= static_cast<std::uint64_t>(layout.set.smalltable) &&
          offset < static_cast<std::uint64_t>(layout.set.smalltable) + 8 * 16)
        return {fmt::format("table[{}]",
                            (offset - static_cast<std::uint64_t>(layout.set.smalltable)) / 16),
                Cause::Container};
      break;
    case Kind::Text:
      if (is(layout.unicode.hash)) return {"hash", Cause::Value};
      if (offset >= static_cast<std::uint64_t>(layout.unicode.ascii_size))
        return {"text", Cause::Value};
      break;
    case Kind::Integer:
      if (offset >= static_cast<std::uint64_t>(layout.integer.digits))
        return {"digits", Cause::Value};
      break;
    case Kind::Bytes:
      if (offset >= static_cast<std::uint64_t>(layout.bytes.data)) return {"data", Cause::Value};
      break;
    case Kind::Cell:
      if (is(layout.cell.ref)) return {"cell contents", Cause::Value};
      break;
    case Kind::Deque:
      if (is(layout.object.var_size)) return {"ob_size", Cause::Container};
      break;
    case Kind::Generator:
    case Kind::Frame:
      if (auto slot = slot_of_own_frame(types, object, type, offset)) return *slot;
      break;
    default:
      break;
  }
  return member_field(types, type, offset);
}

}  // namespace

FieldOfWrite field_of(const TypeTable& types, std::uint64_t object, const Type& type,
                      std::uint64_t address) {
  if (address < object) return header_field(type, object - address);
  const std::uint64_t offset = address - object;
  if (offset < 8) return {"refcount", Cause::Refcount};
  if (offset < 16) return {"type", Cause::Value};
  return named_offset(types, object, type, offset);
}

FieldOfWrite field_of_table(const TypeTable& types, std::uint64_t object, const Type& type,
                            Table table, std::uint64_t start, std::uint64_t address) {
  const Layout& layout = types.layout();
  const std::uint64_t offset = address - start;
  switch (table) {
    case Table::Keys:
      if (const auto keys = read_key_table(types.image(), layout, start))
        return entry_field(types, *keys, address);
      return {"keys", Cause::Container};
    case Table::Values: {
      const std::uint64_t header =
          layout.dict_values.values != kAbsent && layout.version >= Version{3, 13}
              ? static_cast<std::uint64_t>(layout.dict_values.values)
              : 0;
      if (offset < header) return {"values header", Cause::Container};
      const std::uint64_t index = (offset - header) / 8;
      const std::uint64_t keys_at =
          type.kind == Kind::Dict
              ? types.image().word(object + static_cast<std::uint64_t>(layout.dict.keys))
              : type.cached_keys;
      if (const auto keys = read_key_table(types.image(), layout, keys_at);
          keys && index < keys->used)
        if (const auto key =
                text_at(types, types.image().word(keys->entry(index) + keys->key_at), 200))
          return {fmt::format("attribute {}", repr_of(*key)), Cause::Container};
      return {fmt::format("values[{}]", index), Cause::Container};
    }
    case Table::Items:
      return {fmt::format("items[{}]", offset / 8), Cause::Container};
    case Table::SetTable:
      return {fmt::format("table[{}]", offset / 16), Cause::Container};
    case Table::Block:
      return {"block", Cause::Container};
    case Table::State:
      return {fmt::format("state +{}", offset & ~std::uint64_t{7}), Cause::Value};
    case Table::Text:
      return {"text", Cause::Value};
    case Table::Data:
      return {"data", Cause::Value};
    case Table::Digits:
      return {"digits", Cause::Value};
  }
  return {"memory", Cause::Value};
}

}  // namespace cowtrace::python
