// SPDX-License-Identifier: Apache-2.0
// Where CPython keeps things: offsets and sizes in bytes of one minor version, a GIL build for a 64-bit machine. The tables are generated
// by scripts/python-layouts.py (src/python/layouts/); what a running interpreter says of itself (_Py_DebugOffsets, 3.13 and later) is
// preferred, and everything is checked against the process before it is believed (runtime.h).
#pragma once

#include <cstdint>
#include <string>

namespace cowtrace::python {

struct Version {
  int major = 0;
  int minor = 0;
  friend constexpr auto operator<=>(const Version&, const Version&) = default;
};

// kAbsent: this version has no such field.
using Offset = std::int32_t;
inline constexpr Offset kAbsent = -1;

// The nested structs are named after CPython's own, the fields too. "size" is that of the struct.
struct Layout {
  Version version;

  struct {
    Offset interpreters_head = kAbsent, interpreters_main = kAbsent;
    Offset auto_tss_key = kAbsent;     // gilstate.autoTSSkey, a Py_tss_t {int _is_initialized; pthread_key_t _key}; to 3.14
    Offset gc = kAbsent;               // 3.8: struct _gc_runtime_state is here
    Offset static_objects = kAbsent;   // 3.11 and later: the first of the objects that are part of the runtime
    Offset size = kAbsent;
  } runtime;                           // _PyRuntimeState

  struct {
    Offset next = kAbsent, id = kAbsent, threads_head = kAbsent;
    Offset modules = kAbsent, sysdict = kAbsent, builtins = kAbsent, modules_by_index = kAbsent;
    Offset gc = kAbsent;               // 3.9 and later: struct _gc_runtime_state
    Offset obmalloc = kAbsent;         // 3.12: struct _obmalloc_state; 3.13 and later: a pointer to one
    bool obmalloc_is_pointer = false;
    Offset types_builtins = kAbsent;   // 3.12 and later: array of managed_static_type_state
    int types_builtins_count = 0;      // of its elements, most of them in use
    Offset types_extensions = kAbsent; // 3.13 and later: another such array, of the types of extension modules
    int types_extensions_count = 0;
    Offset size = kAbsent;
  } interpreter;                       // PyInterpreterState

  struct {
    Offset size = kAbsent;             // of one
    Offset type = kAbsent;             // 3.13: pointer to the type
    Offset tp_dict = kAbsent, tp_subclasses = kAbsent, tp_weaklist = kAbsent;
  } static_type;                       // static_builtin_state (3.12), managed_static_type_state (3.13 and later)

  struct {
    Offset enabled = kAbsent, collecting = kAbsent;
    Offset generations = kAbsent;      // the first generation's list head (PyGC_Head); kAbsent where there are young and old
    Offset generation_size = kAbsent;
    int generation_count = 0;
    Offset young = kAbsent, old = kAbsent;  // incremental collector (3.14.0 to 3.14.4): `old` is an array of two
    Offset permanent = kAbsent;
    Offset garbage = kAbsent;
  } gc;                                // struct _gc_runtime_state

  struct {
    Offset next = kAbsent, prev = kAbsent, interp = kAbsent;
    Offset frame = kAbsent;            // 3.8 to 3.10: PyFrameObject*; 3.13 and later: current_frame
    Offset cframe = kAbsent;           // 3.11 and 3.12: _PyCFrame*
    Offset cframe_current_frame = kAbsent;
    Offset thread_id = kAbsent, native_thread_id = kAbsent;
    Offset size = kAbsent;
  } thread;                            // PyThreadState

  struct {
    Offset executable = kAbsent, previous = kAbsent;
    Offset instruction = kAbsent;      // prev_instr or instr_ptr
    Offset funcobj = kAbsent, globals = kAbsent, builtins = kAbsent, locals = kAbsent, frame_obj = kAbsent;
    Offset owner = kAbsent;            // one byte, enum _frameowner
    Offset stack_pointer = kAbsent;    // 3.14 and later a pointer, before an int (stacktop)
    Offset localsplus = kAbsent;
    Offset size = kAbsent;
  } interpreter_frame;                 // _PyInterpreterFrame, 3.11 and later

  struct {
    Offset back = kAbsent, code = kAbsent, builtins = kAbsent, globals = kAbsent, locals = kAbsent;
    Offset valuestack = kAbsent, stacktop = kAbsent, stackdepth = kAbsent;
    Offset lasti = kAbsent;            // an int: bytes in 3.8 and 3.9, 2-byte units in 3.10
    Offset localsplus = kAbsent;
    Offset frame = kAbsent;            // 3.11 and later: _PyInterpreterFrame*
    Offset own_frame = kAbsent;        // 3.11 and later: _f_frame_data
    Offset size = kAbsent;
  } frame;                             // PyFrameObject

  struct {
    Offset argcount = kAbsent, kwonlyargcount = kAbsent, flags = kAbsent, firstlineno = kAbsent;
    Offset nlocals = kAbsent, nlocalsplus = kAbsent, stacksize = kAbsent;
    Offset code = kAbsent;             // to 3.10: a bytes object
    Offset code_adaptive = kAbsent;    // 3.11 and later: the instructions themselves
    Offset consts = kAbsent, names = kAbsent, varnames = kAbsent, freevars = kAbsent, cellvars = kAbsent;
    Offset localsplusnames = kAbsent, localspluskinds = kAbsent;
    Offset filename = kAbsent, name = kAbsent, qualname = kAbsent;
    Offset linetable = kAbsent;        // 3.10 and later
    Offset lnotab = kAbsent;           // to 3.9
    Offset exceptiontable = kAbsent, cached = kAbsent, weakreflist = kAbsent, extra = kAbsent;
    Offset zombieframe = kAbsent;      // to 3.10
    Offset executors = kAbsent, monitoring = kAbsent;
    Offset size = kAbsent;             // sizeof(PyCodeObject), with one byte or unit of code_adaptive
  } code;                              // PyCodeObject

  struct {
    Offset refcnt = kAbsent, type = kAbsent, size = kAbsent;
    Offset var_size = kAbsent;         // ob_size of a PyVarObject
  } object;                            // PyObject, PyVarObject

  struct {
    Offset name = kAbsent, basicsize = kAbsent, itemsize = kAbsent, flags = kAbsent;
    Offset as_async = kAbsent, methods = kAbsent, members = kAbsent, getset = kAbsent;
    Offset base = kAbsent, bases = kAbsent, mro = kAbsent, dict = kAbsent, cache = kAbsent, subclasses = kAbsent, weaklist = kAbsent;
    Offset dictoffset = kAbsent, weaklistoffset = kAbsent, traverse = kAbsent;
    Offset size = kAbsent;
  } type;                              // PyTypeObject

  struct {
    Offset name = kAbsent, qualname = kAbsent, slots = kAbsent, cached_keys = kAbsent, module = kAbsent;
    Offset size = kAbsent;
  } heap_type;                         // PyHeapTypeObject

  struct {
    Offset name = kAbsent, type = kAbsent, offset = kAbsent, flags = kAbsent, size = kAbsent;
    int object = 0, object_ex = 0;     // the values of `type` for references: T_OBJECT, T_OBJECT_EX
  } member;                            // PyMemberDef

  struct {
    Offset used = kAbsent, keys = kAbsent, values = kAbsent, size = kAbsent;
  } dict;                              // PyDictObject

  struct {
    Offset refcnt = kAbsent, usable = kAbsent, nentries = kAbsent;
    Offset table_size = kAbsent;       // to 3.10: dk_size, 8 bytes
    Offset log2_size = kAbsent, log2_index_bytes = kAbsent, kind = kAbsent;  // 3.11 and later: one byte each
    Offset indices = kAbsent;          // where the header ends
    int general_entry_size = 24, unicode_entry_size = 24;  // of one entry; from 3.11 16 where all keys are str
  } dict_keys;                         // PyDictKeysObject

  struct {
    Offset capacity = kAbsent, size = kAbsent, embedded = kAbsent, valid = kAbsent;  // 3.13 and later: one byte each
    Offset values = kAbsent;
  } dict_values;                       // PyDictValues; before 3.11 an array of pointers

  struct { Offset items = kAbsent, allocated = kAbsent, size = kAbsent; } list;
  struct { Offset items = kAbsent, size = kAbsent; } tuple;
  struct {
    Offset fill = kAbsent, used = kAbsent, mask = kAbsent, table = kAbsent, smalltable = kAbsent, weakreflist = kAbsent, size = kAbsent;
    int entry_size = 16;               // {key, hash}
  } set;
  struct {
    Offset length = kAbsent, hash = kAbsent, state = kAbsent;
    Offset ascii_size = kAbsent;       // sizeof(PyASCIIObject): where compact ASCII text begins
    Offset compact_size = kAbsent;     // sizeof(PyCompactUnicodeObject): where other compact text begins
    Offset utf8_length = kAbsent, utf8 = kAbsent;
    Offset data = kAbsent;             // PyUnicodeObject.data, of text that is not compact
    Offset size = kAbsent;             // sizeof(PyUnicodeObject)
    int kind_shift = 0, compact_shift = 0, ascii_shift = 0;  // bits of `state`; kind has three
  } unicode;
  struct { Offset digits = kAbsent, tag = kAbsent, size = kAbsent; } integer;  // PyLongObject; tag from 3.12, before it ob_size
  struct { Offset data = kAbsent, hash = kAbsent, size = kAbsent; } bytes;
  struct {
    Offset alloc = kAbsent, data = kAbsent, start = kAbsent;
    Offset bytes_object = kAbsent;     // 3.15: the bytes object that `data` is in
    Offset size = kAbsent;
  } bytearray;
  struct {
    Offset globals = kAbsent, builtins = kAbsent, name = kAbsent, qualname = kAbsent, code = kAbsent, defaults = kAbsent;
    Offset kwdefaults = kAbsent, closure = kAbsent, doc = kAbsent, dict = kAbsent, weakreflist = kAbsent, module = kAbsent;
    Offset annotations = kAbsent, annotate = kAbsent, typeparams = kAbsent, size = kAbsent;
  } function;
  struct { Offset dict = kAbsent, state = kAbsent, weaklist = kAbsent, name = kAbsent, size = kAbsent; } module;
  struct { Offset ref = kAbsent, size = kAbsent; } cell;
  struct { Offset func = kAbsent, self = kAbsent, weakreflist = kAbsent, size = kAbsent; } method;
  struct { Offset self = kAbsent, module = kAbsent, weakreflist = kAbsent, size = kAbsent; } cfunction;
  struct { Offset object = kAbsent, callback = kAbsent, size = kAbsent; } weakref;
  struct {
    Offset frame = kAbsent;            // to 3.10: PyFrameObject*
    Offset own_frame = kAbsent;        // 3.11 and later: gi_iframe, the frame itself
    Offset frame_state = kAbsent, code = kAbsent, name = kAbsent, qualname = kAbsent, weakreflist = kAbsent, size = kAbsent;
  } generator;                         // PyGenObject; coroutines and asynchronous generators begin alike
  struct { Offset start = kAbsent, stop = kAbsent, step = kAbsent, size = kAbsent; } slice;
  struct { Offset size = kAbsent; } gc_head;  // PyGC_Head

  struct {
    int size = 0;                      // POOL_SIZE
    Offset ref = kAbsent, freeblock = kAbsent, arena_index = kAbsent, size_class = kAbsent, next_offset = kAbsent;
    Offset max_next_offset = kAbsent, header_size = kAbsent;
  } pool;                              // struct pool_header, Objects/obmalloc.c
  struct {
    int arena_size = 0;                // ARENA_SIZE
    Offset address = kAbsent, pool_address = kAbsent, nfreepools = kAbsent, ntotalpools = kAbsent, size = kAbsent;
    Offset in_obmalloc = kAbsent;      // mgmt.arenas in struct _obmalloc_state, 3.12 and later
    Offset count_in_obmalloc = kAbsent;  // mgmt.maxarenas
  } arena;                             // struct arena_object, Objects/obmalloc.c
};

// nullptr: no table for this version.
[[nodiscard]] const Layout* find_layout(Version version);

}  // namespace cowtrace::python
