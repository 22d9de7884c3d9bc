// SPDX-License-Identifier: Apache-2.0
// What an object refers to, with the place that does: the edges of the object graph, as a Python
// programmer would write them. Only data is read; where CPython has a field that Python code cannot
// name, the edge says so.
#pragma once

#include <cstdint>
#include <string_view>

#include "python/dict.h"
#include "python/types.h"

namespace cowtrace::python {

// How one object leads to another; `slot` is an index, an entry of a table, or an offset.
enum class Edge : std::uint8_t {
  SysModules,     // root: the dict sys.modules
  ModuleDict,     // vars(module)
  DictKey,        // slot: entry
  DictValue,      // slot: entry
  InstanceDict,   // __dict__ of an instance
  TypeDict,       // of a type: behind __dict__, which is a proxy
  InlineValue,    // slot: index into the keys that the type shares
  Item,           // list, tuple, deque; slot: index
  SetItem,        // slot: index into the table
  Field,          // slot: index into kFields
  Member,         // slot: offset; named by the type's members
  Closure,        // cell contents
  Local,          // of a frame; slot: index into co_localsplusnames or what came before it
  Temporary,      // of a frame; slot: index into its value stack
  Subclass,       // a class that only its base knows; slot: entry of tp_subclasses
  WeakReference,  // weakref.ref(class): the one that all share
  Class,          // __class__
  Word,           // a word of C memory that looks like a reference; slot: offset
  Interpreter,    // root: a word of the interpreter's own state; slot: offset
  Static,         // root: a word of a module's data
  Tracked,        // root: the garbage collector has it in its lists
  Thread,         // root: a frame of a thread; slot: which thread
};

struct FieldName {
  std::string_view name;  // without the dot
  bool python;            // Python code gets the same object by that name
};
enum class FieldId : std::uint8_t {
  Code,
  Defaults,
  KwDefaults,
  Closure,
  Name,
  QualName,
  Doc,
  Dict,
  Module,
  Annotations,
  Globals,
  Builtins,
  TypeParams,
  Annotate,
  Base,
  Bases,
  Mro,
  Cache,
  Subclasses,
  WeakList,
  HeapName,
  HeapQualName,
  HeapSlots,
  HeapModule,
  Self,
  Func,
  CodeConsts,
  CodeNames,
  CodeVarNames,
  CodeFreeVars,
  CodeCellVars,
  CodeLocals,
  CodeKinds,
  CodeFile,
  CodeName,
  CodeQualName,
  CodeLines,
  CodeBytes,
  CodeExceptions,
  CodeCached,
  Back,
  FrameCode,
  FrameGlobals,
  FrameBuiltins,
  FrameLocals,
  FrameObject,
  FrameFunction,
  GeneratorName,
  GeneratorQualName,
  GeneratorCode,
  GeneratorFrame,
  ModuleName,
  Callback,
  Annotated,
  kCount
};
extern const FieldName kFields[static_cast<std::size_t>(FieldId::kCount)];

// What an object keeps in memory of its own.
enum class Table : std::uint8_t { Keys, Values, Items, SetTable, Block, State, Text, Data, Digits };
[[nodiscard]] std::string_view name(Table table);

// Calls back for everything that `object` refers to:
//   visitor.refer(Edge, slot, target, place)
//       `target` may be 0, or no object at all: the visitor checks; `place` is the address of the
//       word that refers to it
//   visitor.table(Table, start, end) -> bool
//       memory that belongs to the object; false: it is not to be gone through
//   visitor.wants_more() -> bool
//       false: what would come next is not looked at. Objects claim as many items as they like
// `static_dict`: the dict of a static type that the interpreter keeps elsewhere (3.12 and later),
// 0: none.
class References {
 public:
  explicit References(const TypeTable& types)
      : types_(types), image_(types.image()), layout_(types.layout()) {}

  template <typename Visitor>
  void visit(std::uint64_t object, const Type& type, Visitor& visitor) const {
    switch (type.kind) {
      case Kind::Dict:
        dict(object, visitor);
        break;
      case Kind::List:
        list(object, visitor);
        break;
      case Kind::Tuple:
        tuple(object, visitor);
        break;
      case Kind::Set:
        set(object, visitor);
        break;
      case Kind::Type:
        type_object(object, visitor);
        break;
      case Kind::Module:
        module(object, visitor);
        break;
      case Kind::Function:
        function(object, visitor);
        break;
      case Kind::Cell:
        refer(Edge::Closure, 0, object, layout_.cell.ref, visitor);
        break;
      case Kind::Method:
        field(FieldId::Func, object, layout_.method.func, visitor);
        field(FieldId::Self, object, layout_.method.self, visitor);
        break;
      case Kind::BuiltinFunction:
        field(FieldId::Self, object, layout_.cfunction.self, visitor);
        field(FieldId::Module, object, layout_.cfunction.module, visitor);
        break;
      case Kind::Code:
        code(object, visitor);
        break;
      case Kind::Frame:
        frame(object, visitor);
        break;
      case Kind::Generator:
        generator(object, visitor);
        break;
      case Kind::Deque:
        deque(object, visitor);
        break;
      case Kind::ByteArray:
        buffer(object, visitor);
        break;
      case Kind::Weakref:
        field(FieldId::Callback, object, layout_.weakref.callback, visitor);
        break;
      default:
        break;
    }
    for (const Type::Member& member : type.members)
      visitor.refer(Edge::Member, member.offset, image_.word(object + member.offset),
                    object + member.offset);
    if (type.kind != Kind::Type && type.kind != Kind::Module && type.kind != Kind::Function)
      instance(object, type, visitor);
  }

  // A frame of a running function or a generator (3.11 and later), which is no object.
  template <typename Visitor>
  void visit_interpreter_frame(std::uint64_t frame, Visitor& visitor) const;

  // The same of a frame that is an object (3.8 to 3.10).
  template <typename Visitor>
  void visit_old_frame_locals(std::uint64_t object, Visitor& visitor) const;

  // tp_subclasses: a dict of weak references (3.8 to 3.15).
  template <typename Visitor>
  void subclasses(std::uint64_t dict, Visitor& visitor) const {
    const Type* type = types_.type_of(dict);
    const auto read = type != nullptr && type->kind == Kind::Dict ? read_dict(image_, layout_, dict)
                                                                  : std::nullopt;
    for (std::uint64_t i = 0; read && i < read->keys.used && visitor.wants_more(); ++i) {
      const std::uint64_t reference = read_entry(image_, *read, i).value;
      const Type* of = types_.type_of(reference);
      const bool weak = of != nullptr && of->kind == Kind::Weakref;
      refer(Edge::Subclass, static_cast<std::uint32_t>(i), reference,
            weak ? layout_.weakref.object : kAbsent, visitor);
    }
  }

 private:
  [[nodiscard]] std::uint64_t word(std::uint64_t object, Offset offset) const {
    return offset == kAbsent ? 0 : image_.word(object + static_cast<std::uint64_t>(offset));
  }
  template <typename Visitor>
  void refer(Edge edge, std::uint32_t slot, std::uint64_t object, Offset offset,
             Visitor& visitor) const {
    const std::uint64_t place = offset == kAbsent ? 0 : object + static_cast<std::uint64_t>(offset);
    visitor.refer(edge, slot, word(object, offset), place);
  }
  template <typename Visitor>
  void field(FieldId id, std::uint64_t object, Offset offset, Visitor& visitor) const {
    if (offset != kAbsent)
      refer(Edge::Field, static_cast<std::uint32_t>(id), object, offset, visitor);
  }

  template <typename Visitor>
  void dict(std::uint64_t object, Visitor& visitor) const {
    const auto read = read_dict(image_, layout_, object);
    if (!read) return;
    const bool keys = visitor.table(Table::Keys, read->keys.address, read->keys.end);
    if (read->values != 0) {
      if (!visitor.table(Table::Values, read->values_start, read->values_end) && !keys) return;
    } else if (!keys) {
      return;
    }
    for (std::uint64_t i = 0; i < read->keys.used && visitor.wants_more(); ++i) {
      const Entry entry = read_entry(image_, *read, i);
      if (keys)
        visitor.refer(Edge::DictKey, static_cast<std::uint32_t>(i), entry.key, key_place(*read, i));
      visitor.refer(Edge::DictValue, static_cast<std::uint32_t>(i), entry.value,
                    value_place(*read, i));
    }
  }

  template <typename Visitor>
  void items(Edge edge, std::uint64_t first, std::uint64_t count, Visitor& visitor) const {
    if (first % 8 != 0 || count > (std::uint64_t{1} << 40) || !image_.has(first, count * 8)) return;
    const std::uint64_t end = first + count * 8;
    for (std::uint64_t at = first; at < end && visitor.wants_more(); at += 8) {
      // A claimed array may be much larger than what the process has of it.
      if (at == first || at % kPageSize == 0) at = image_.skip_holes(at, end);
      if (at < end)
        visitor.refer(edge, static_cast<std::uint32_t>((at - first) / 8), image_.word(at), at);
    }
  }

  template <typename Visitor>
  void list(std::uint64_t object, Visitor& visitor) const {
    const std::uint64_t first = word(object, layout_.list.items);
    const std::uint64_t allocated = word(object, layout_.list.allocated);
    const std::uint64_t size = word(object, layout_.object.var_size);
    if (first == 0 || size > allocated || allocated > (std::uint64_t{1} << 40)) return;
    if (!image_.has(first, allocated * 8) ||
        !visitor.table(Table::Items, first, first + allocated * 8))
      return;
    items(Edge::Item, first, size, visitor);
  }

  template <typename Visitor>
  void tuple(std::uint64_t object, Visitor& visitor) const {
    items(Edge::Item, object + static_cast<std::uint64_t>(layout_.tuple.items),
          word(object, layout_.object.var_size), visitor);
  }

  template <typename Visitor>
  void set(std::uint64_t object, Visitor& visitor) const {
    const std::uint64_t table = word(object, layout_.set.table);
    const std::uint64_t slots = word(object, layout_.set.mask) + 1;
    const auto entry = static_cast<std::uint64_t>(layout_.set.entry_size);
    if (slots == 0 || slots > (std::uint64_t{1} << 36) || !image_.has(table, slots * entry)) return;
    if (table != object + static_cast<std::uint64_t>(layout_.set.smalltable) &&
        !visitor.table(Table::SetTable, table, table + slots * entry))
      return;
    for (std::uint64_t i = 0; i < slots && visitor.wants_more(); ++i)
      visitor.refer(Edge::SetItem, static_cast<std::uint32_t>(i), image_.word(table + i * entry),
                    table + i * entry);
  }

  template <typename Visitor>
  void type_object(std::uint64_t object, Visitor& visitor) const {
    const auto& at = layout_.type;
    refer(Edge::TypeDict, 0, object, at.dict, visitor);
    field(FieldId::Base, object, at.base, visitor);
    field(FieldId::Bases, object, at.bases, visitor);
    field(FieldId::Mro, object, at.mro, visitor);
    field(FieldId::Cache, object, at.cache, visitor);
    field(FieldId::Subclasses, object, at.subclasses, visitor);
    refer(Edge::WeakReference, 0, object, at.weaklist, visitor);
    if ((image_.word(object + static_cast<std::uint64_t>(at.flags)) & kHeapType) == 0) return;
    field(FieldId::HeapName, object, layout_.heap_type.name, visitor);
    field(FieldId::HeapQualName, object, layout_.heap_type.qualname, visitor);
    field(FieldId::HeapSlots, object, layout_.heap_type.slots, visitor);
    field(FieldId::HeapModule, object, layout_.heap_type.module, visitor);
    if (const auto keys =
            read_key_table(image_, layout_, word(object, layout_.heap_type.cached_keys)))
      if (visitor.table(Table::Keys, keys->address, keys->end))
        for (std::uint64_t i = 0; i < keys->used && visitor.wants_more(); ++i)
          visitor.refer(Edge::Word, 0, image_.word(keys->entry(i) + keys->key_at),
                        keys->entry(i) + keys->key_at);
  }

  template <typename Visitor>
  void module(std::uint64_t object, Visitor& visitor) const {
    refer(Edge::ModuleDict, 0, object, layout_.module.dict, visitor);
    field(FieldId::ModuleName, object, layout_.module.name, visitor);
  }

  template <typename Visitor>
  void function(std::uint64_t object, Visitor& visitor) const {
    const auto& at = layout_.function;
    field(FieldId::Code, object, at.code, visitor);
    field(FieldId::Defaults, object, at.defaults, visitor);
    field(FieldId::KwDefaults, object, at.kwdefaults, visitor);
    field(FieldId::Closure, object, at.closure, visitor);
    field(FieldId::Dict, object, at.dict, visitor);
    field(FieldId::Doc, object, at.doc, visitor);
    field(FieldId::Name, object, at.name, visitor);
    field(FieldId::QualName, object, at.qualname, visitor);
    field(FieldId::Annotations, object, at.annotations, visitor);
    field(FieldId::Annotate, object, at.annotate, visitor);
    field(FieldId::TypeParams, object, at.typeparams, visitor);
    field(FieldId::Globals, object, at.globals, visitor);
    field(FieldId::Builtins, object, at.builtins, visitor);
    field(FieldId::Module, object, at.module, visitor);
  }

  template <typename Visitor>
  void code(std::uint64_t object, Visitor& visitor) const {
    const auto& at = layout_.code;
    field(FieldId::CodeConsts, object, at.consts, visitor);
    field(FieldId::CodeNames, object, at.names, visitor);
    field(FieldId::CodeVarNames, object, at.varnames, visitor);
    field(FieldId::CodeFreeVars, object, at.freevars, visitor);
    field(FieldId::CodeCellVars, object, at.cellvars, visitor);
    field(FieldId::CodeLocals, object, at.localsplusnames, visitor);
    field(FieldId::CodeKinds, object, at.localspluskinds, visitor);
    field(FieldId::CodeFile, object, at.filename, visitor);
    field(FieldId::CodeName, object, at.name, visitor);
    field(FieldId::CodeQualName, object, at.qualname, visitor);
    field(FieldId::CodeLines, object, at.linetable != kAbsent ? at.linetable : at.lnotab, visitor);
    field(FieldId::CodeBytes, object, at.code, visitor);
    field(FieldId::CodeExceptions, object, at.exceptiontable, visitor);
    if (layout_.version >= Version{3, 11} && layout_.version < Version{3, 12})
      field(FieldId::CodeCached, object, at.cached, visitor);
  }

  template <typename Visitor>
  void frame(std::uint64_t object, Visitor& visitor) const {
    const auto& at = layout_.frame;
    field(FieldId::Back, object, at.back, visitor);
    field(FieldId::FrameCode, object, at.code, visitor);
    field(FieldId::FrameGlobals, object, at.globals, visitor);
    field(FieldId::FrameBuiltins, object, at.builtins, visitor);
    field(FieldId::FrameLocals, object, at.locals, visitor);
    if (at.localsplus != kAbsent) visit_old_frame_locals(object, visitor);
    if (at.frame != kAbsent) visit_interpreter_frame(word(object, at.frame), visitor);
  }

  template <typename Visitor>
  void generator(std::uint64_t object, Visitor& visitor) const {
    const auto& at = layout_.generator;
    field(FieldId::GeneratorFrame, object, at.frame, visitor);
    field(FieldId::GeneratorCode, object, at.code, visitor);
    field(FieldId::GeneratorName, object, at.name, visitor);
    field(FieldId::GeneratorQualName, object, at.qualname, visitor);
    // FRAME_CLEARED has no frame any more: 1 and 4 in 3.11 to 3.13, and what is not sane in all of
    // them fails the checks below.
    if (at.own_frame != kAbsent)
      visit_interpreter_frame(object + static_cast<std::uint64_t>(at.own_frame), visitor);
  }

  // Modules/_collectionsmodule.c: {PyVarObject; block *leftblock, *rightblock; Py_ssize_t
  // leftindex, rightindex; ...} and block {leftlink; PyObject *data[64]; rightlink}, the same
  // from 3.8 to 3.15.
  template <typename Visitor>
  void deque(std::uint64_t object, Visitor& visitor) const {
    constexpr std::uint64_t kLength = 64;
    std::uint64_t block = image_.word(object + 24);
    std::uint64_t index = image_.word(object + 40);
    const std::uint64_t size = word(object, layout_.object.var_size);
    bool wanted = false;
    for (std::uint64_t i = 0; i < size && index < kLength && visitor.wants_more(); ++i) {
      if (!wanted) {
        if (!image_.has(block, (kLength + 2) * 8) ||
            !visitor.table(Table::Block, block, block + (kLength + 2) * 8))
          return;
        wanted = true;
      }
      visitor.refer(Edge::Item, static_cast<std::uint32_t>(i), image_.word(block + 8 + index * 8),
                    block + 8 + index * 8);
      if (++index == kLength) {
        index = 0;
        block = image_.word(block + 8 + kLength * 8);
        wanted = false;
      }
    }
  }

  template <typename Visitor>
  void buffer(std::uint64_t object, Visitor& visitor) const {
    const std::uint64_t data = word(object, layout_.bytearray.data);
    const std::uint64_t size = word(object, layout_.bytearray.alloc);
    if (data != 0 && size < (std::uint64_t{1} << 40) && image_.has(data, size))
      visitor.table(Table::Data, data, data + size);
  }

  template <typename Visitor>
  void instance(std::uint64_t object, const Type& type, Visitor& visitor) const {
    if (layout_.version >= Version{3, 11} && (type.flags & kManagedDict) != 0) {
      managed_dict(object, type, visitor);
      return;
    }
    if (type.dictoffset == 0) return;
    std::int64_t offset = type.dictoffset;
    if (offset < 0) {
      // From the end, which is aligned: _PyObject_GetDictPtr().
      const std::uint64_t many =
          magnitude(image_.word(object + static_cast<std::uint64_t>(layout_.object.var_size)));
      if (many > (std::uint64_t{1} << 40)) return;
      offset += static_cast<std::int64_t>((type.basicsize + many * type.itemsize + 7) &
                                          ~std::uint64_t{7});
    }
    if (offset < 16) return;
    const std::uint64_t place = object + static_cast<std::uint64_t>(offset);
    visitor.refer(Edge::InstanceDict, 0, image_.word(place), place);
  }

  // 3.11: values at -32, dict at -24. 3.12: one word at -24, whose low bit set says "values, less
  // one". 3.13 and later: dict at -24, values inside the object.
  template <typename Visitor>
  void managed_dict(std::uint64_t object, const Type& type, Visitor& visitor) const {
    std::uint64_t values = 0, dict = image_.word(object - 24);
    if (layout_.version >= Version{3, 13}) {
      if ((type.flags & kInlineValues) != 0) {
        values = object + type.basicsize;
        if (image_.load<std::uint8_t>(values +
                                      static_cast<std::uint64_t>(layout_.dict_values.valid)) == 0)
          values = 0;
      }
    } else if (layout_.version >= Version{3, 12}) {
      if ((dict & 1) != 0) values = std::exchange(dict, 0) + 1;
    } else {
      values = image_.word(object - 32);
    }
    if (dict != 0) visitor.refer(Edge::InstanceDict, 0, dict, object - 24);
    if (values == 0 || type.cached_keys == 0) return;
    const auto keys = read_key_table(image_, layout_, type.cached_keys);
    if (!keys) return;
    if (layout_.version < Version{3, 13}) {
      // The bytes before the values tell how many there are and in which order they were set; the
      // array is followed by nothing.
      if (dict != 0 || !visitor.table(Table::Values, values, values + keys->room * 8)) return;
    }
    const std::uint64_t first =
        values + (layout_.dict_values.values != kAbsent && layout_.version >= Version{3, 13}
                      ? static_cast<std::uint64_t>(layout_.dict_values.values)
                      : 0);
    items(Edge::InlineValue, first, keys->used, visitor);
  }

  const TypeTable& types_;
  const image::MemoryImage& image_;
  const Layout& layout_;
};

template <typename Visitor>
void References::visit_interpreter_frame(std::uint64_t frame, Visitor& visitor) const {
  const auto& at = layout_.interpreter_frame;
  if (frame == 0 || !image_.has(frame, static_cast<std::uint64_t>(at.size))) return;
  const std::uint64_t code = word(frame, at.executable) & ~std::uint64_t{7};
  const Type* type = types_.type_of(code);
  if (type == nullptr || type->kind != Kind::Code) return;
  field(FieldId::FrameFunction, frame, at.funcobj, visitor);
  visitor.refer(Edge::Field, static_cast<std::uint32_t>(FieldId::FrameCode), code,
                frame + static_cast<std::uint64_t>(at.executable));
  field(FieldId::FrameGlobals, frame, at.globals, visitor);
  field(FieldId::FrameLocals, frame, at.locals, visitor);
  field(FieldId::FrameObject, frame, at.frame_obj, visitor);
  const std::uint64_t locals =
      image_.load<std::uint32_t>(code + static_cast<std::uint64_t>(layout_.code.nlocalsplus));
  const std::uint64_t first = frame + static_cast<std::uint64_t>(at.localsplus);
  if (locals > 65536) return;
  for (std::uint64_t i = 0; i < locals && visitor.wants_more(); ++i)
    visitor.refer(Edge::Local, static_cast<std::uint32_t>(i),
                  image_.word(first + i * 8) & ~std::uint64_t{7}, first + i * 8);
  std::uint64_t depth = 0;
  if (layout_.version >= Version{3, 14}) {
    const std::uint64_t top = word(frame, at.stack_pointer);
    if (top > first + locals * 8) depth = (top - first) / 8 - locals;
  } else {
    const auto top =
        image_.load<std::int32_t>(frame + static_cast<std::uint64_t>(at.stack_pointer));
    if (top > 0 && static_cast<std::uint64_t>(top) > locals)
      depth = static_cast<std::uint64_t>(top) - locals;
  }
  const std::uint64_t most =
      image_.load<std::uint32_t>(code + static_cast<std::uint64_t>(layout_.code.stacksize));
  if (depth > most || most > 65536) depth = 0;
  for (std::uint64_t i = 0; i < depth; ++i)
    visitor.refer(Edge::Temporary, static_cast<std::uint32_t>(i),
                  image_.word(first + (locals + i) * 8) & ~std::uint64_t{7},
                  first + (locals + i) * 8);
}

// 3.8 to 3.10: locals, cells and free variables, then the value stack.
template <typename Visitor>
void References::visit_old_frame_locals(std::uint64_t object, Visitor& visitor) const {
  const std::uint64_t code = word(object, layout_.frame.code);
  const Type* type = types_.type_of(code);
  if (type == nullptr || type->kind != Kind::Code) return;
  const auto count_of = [&](Offset offset) {
    const std::uint64_t tuple = word(code, offset);
    const Type* of = types_.type_of(tuple);
    return of != nullptr && of->kind == Kind::Tuple
               ? image_.word(tuple + static_cast<std::uint64_t>(layout_.object.var_size))
               : 0;
  };
  const std::uint64_t locals =
      image_.load<std::uint32_t>(code + static_cast<std::uint64_t>(layout_.code.nlocals)) +
      count_of(layout_.code.cellvars) + count_of(layout_.code.freevars);
  const std::uint64_t most =
      image_.load<std::uint32_t>(code + static_cast<std::uint64_t>(layout_.code.stacksize));
  if (locals > 65536 || most > 65536) return;
  items(Edge::Local, object + static_cast<std::uint64_t>(layout_.frame.localsplus), locals,
        visitor);
  std::uint64_t depth = 0;
  const std::uint64_t stack =
      object + static_cast<std::uint64_t>(layout_.frame.localsplus) + locals * 8;
  if (layout_.frame.stackdepth != kAbsent) {
    const auto top =
        image_.load<std::int32_t>(object + static_cast<std::uint64_t>(layout_.frame.stackdepth));
    depth = top > 0 ? static_cast<std::uint64_t>(top) : 0;
  } else if (const std::uint64_t top = word(object, layout_.frame.stacktop); top > stack) {
    depth = (top - stack) / 8;
  }
  if (depth <= most) items(Edge::Temporary, stack, depth, visitor);
}

}  // namespace cowtrace::python
