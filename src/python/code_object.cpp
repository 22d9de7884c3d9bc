// SPDX-License-Identifier: Apache-2.0
#include "python/code_object.h"

#include "python/line_table.h"
#include "python/text.h"

namespace cowtrace::python {
namespace {

using process::RemoteMemory;

// None also where the field is absent or null.
std::optional<std::uint64_t> pointer_at(RemoteMemory& memory, std::uint64_t address, Offset field) {
  if (field == kAbsent) return std::nullopt;
  const auto pointer = memory.read_value<std::uint64_t>(address + field);
  if (!pointer || *pointer == 0) return std::nullopt;
  return *pointer;
}

// The contents of a bytes object of at most `limit` bytes.
std::optional<std::vector<std::byte>> read_bytes(RemoteMemory& memory, const Layout& layout,
                                                 std::uint64_t address, std::size_t limit) {
  if (layout.object.var_size == kAbsent || layout.bytes.data == kAbsent) return std::nullopt;
  const auto size = memory.read_value<std::int64_t>(address + layout.object.var_size);
  if (!size || *size < 0 || static_cast<std::uint64_t>(*size) > limit) return std::nullopt;
  std::vector<std::byte> bytes(static_cast<std::size_t>(*size));
  if (!bytes.empty() && !memory.read_exact(address + layout.bytes.data, bytes)) return std::nullopt;
  return bytes;
}

class CodeReader {
 public:
  CodeReader(RemoteMemory& memory, const Layout& layout, std::uint64_t address)
      : memory_(memory), layout_(layout), address_(address) {}

  std::optional<CodeInfo> read() {
    const auto& code = layout_.code;
    if (code.firstlineno == kAbsent) return std::nullopt;
    const auto first_line = memory_.read_value<std::int32_t>(address_ + code.firstlineno);
    if (!first_line || *first_line < 0) return std::nullopt;
    info_.first_line = *first_line;
    if (is_freed() && is_module_body()) {
      info_.name = info_.qualname = "<module>";
    } else if (const auto name = text(code.name)) {
      info_.name = *name;
      info_.qualname = text(code.qualname).value_or(*name);
    } else {
      return std::nullopt;
    }
    info_.file = text(code.filename).value_or("");
    if (code.code_adaptive != kAbsent) info_.code_start = address_ + code.code_adaptive;
    const Offset table_field = code.linetable != kAbsent ? code.linetable : code.lnotab;
    if (const auto table = pointer_at(memory_, address_, table_field)) {
      if (auto bytes = read_bytes(memory_, layout_, *table, kMaxLineTable)) {
        info_.line_table = std::move(*bytes);
        info_.has_line_table = true;
      }
    }
    return std::move(info_);
  }

 private:
  // An allocator has put its own word in the place of the reference count, of which CPython uses no
  // more than the low half, and from 3.14 on the flags in the highest 16 bits. Code of a module is
  // freed as soon as it has run.
  bool is_freed() const {
    if (layout_.object.refcnt == kAbsent) return false;
    const auto count = memory_.read_value<std::uint64_t>(address_ + layout_.object.refcnt);
    return count && ((*count & 0xFFFFFFFF) == 0 || (*count >> 32 & 0xFFFF) != 0);
  }
  // Neither optimized nor with locals of its own (CO_OPTIMIZED, CO_NEWLOCALS), and from the first
  // line on: the body of a class has another one. Its name may be freed, too, and be another string
  // by now.
  bool is_module_body() const {
    constexpr std::int32_t kOptimized = 1, kNewLocals = 2;
    if (layout_.code.flags == kAbsent || info_.first_line > 1) return false;
    const auto flags = memory_.read_value<std::int32_t>(address_ + layout_.code.flags);
    return flags && (*flags & (kOptimized | kNewLocals)) == 0;
  }
  std::optional<std::string> text(Offset field) {
    const auto pointer = pointer_at(memory_, address_, field);
    if (!pointer) return std::nullopt;
    auto read = read_text(memory_, layout_, *pointer, kMaxName);
    if (!read) return std::nullopt;
    info_.cut |= read->cut;
    return std::move(read->utf8);
  }

  RemoteMemory& memory_;
  const Layout& layout_;
  std::uint64_t address_;
  CodeInfo info_;
};

}  // namespace

std::optional<std::uint32_t> CodeInfo::line(Version version, std::uint32_t byte_offset) const {
  if (!has_line_table) return std::nullopt;
  return line_of(line_format(version), line_table, first_line, byte_offset);
}

std::optional<CodeInfo> more_complete(std::optional<CodeInfo> live,
                                      std::optional<CodeInfo> from_image) {
  if (!live || !from_image) return live ? std::move(live) : std::move(from_image);
  // Another function may have been there at the fork.
  const bool same = live->name == from_image->name && live->first_line == from_image->first_line;
  return same && !live->is_complete() && from_image->is_complete() ? std::move(from_image)
                                                                   : std::move(live);
}

std::optional<CodeInfo> read_code(RemoteMemory& memory, const Layout& layout, std::uint64_t address,
                                  std::uint64_t code_type) {
  const auto type = pointer_at(memory, address, layout.object.type);
  if (!type || (code_type != 0 && *type != code_type)) return std::nullopt;
  return CodeReader(memory, layout, address).read();
}

}  // namespace cowtrace::python
