#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of src/python/layouts/ (struct Layout of src/python/layout.h) from CPython's own types, as a compiler laid them out.

Usage: python-layouts.py [--output FOLDER] PREFIX...
A PREFIX is like /usr: include/python3.X is there, with internal/; up to 3.11, where structs are private to .c files, lib/libpython3.X.so.1.0
too, with debug information, which is preferred to the headers where it is there. Needs gdb and gcc; see docs/python-support.md.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import gdb  # Inside gdb, which reads the types.
except ImportError:
    gdb = None

SIZE = "sizeof"

# For each struct of Layout: the C type, and what its fields are called there. The first of several types or names that exists is taken, one
# that does not exist is left out. "TYPE:field" is a field of another type.
FIELDS = {
    "runtime": (["_PyRuntimeState"], {
        "interpreters_head": ["interpreters.head"], "interpreters_main": ["interpreters.main"],
        "auto_tss_key": ["autoTSSkey", "gilstate.autoTSSkey"], "gc": ["gc"], "static_objects": ["static_objects", "global_objects"],
        "size": SIZE}),
    "interpreter": (["PyInterpreterState"], {
        "next": ["next"], "id": ["id"], "threads_head": ["threads.head", "tstate_head"], "modules": ["imports.modules", "modules"],
        "sysdict": ["sysdict"], "builtins": ["builtins"], "modules_by_index": ["imports.modules_by_index", "modules_by_index"],
        "gc": ["gc"], "obmalloc": ["obmalloc"], "obmalloc_is_pointer": ["is pointer obmalloc"],
        "types_builtins": ["types.builtins.initialized", "types.builtins"],
        "types_builtins_count": ["length types.builtins.initialized", "length types.builtins"],
        "types_extensions": ["types.for_extensions.initialized"], "types_extensions_count": ["length types.for_extensions.initialized"],
        "size": SIZE}),
    "static_type": (["managed_static_type_state", "static_builtin_state"], {
        "size": SIZE, "type": ["type"], "tp_dict": ["tp_dict"], "tp_subclasses": ["tp_subclasses"], "tp_weaklist": ["tp_weaklist"]}),
    "gc": (["struct _gc_runtime_state"], {
        "enabled": ["enabled"], "collecting": ["collecting"], "generations": ["generations"], "generation_size": ["struct gc_generation:sizeof"],
        "generation_count": ["length generations"], "young": ["young"], "old": ["old"], "permanent": ["permanent_generation"],
        "garbage": ["garbage"]}),
    "thread": (["PyThreadState"], {
        "next": ["next"], "prev": ["prev"], "interp": ["interp"], "frame": ["current_frame", "frame"], "cframe": ["cframe"],
        "cframe_current_frame": ["struct _PyCFrame:current_frame"], "thread_id": ["thread_id"], "native_thread_id": ["native_thread_id"],
        "size": SIZE}),
    "interpreter_frame": (["struct _PyInterpreterFrame"], {
        "executable": ["f_executable", "f_code"], "previous": ["previous"], "instruction": ["instr_ptr", "prev_instr"],
        "funcobj": ["f_funcobj", "f_func"], "globals": ["f_globals"], "builtins": ["f_builtins"], "locals": ["f_locals"],
        "frame_obj": ["frame_obj"], "owner": ["owner"], "stack_pointer": ["stackpointer", "stacktop"], "localsplus": ["localsplus"],
        "size": SIZE}),
    "frame": (["struct _frame"], {
        "back": ["f_back"], "code": ["f_code"], "builtins": ["f_builtins"], "globals": ["f_globals"], "locals": ["f_locals"],
        "valuestack": ["f_valuestack"], "stacktop": ["f_stacktop"], "stackdepth": ["f_stackdepth"], "lasti": ["f_lasti"],
        "localsplus": ["f_localsplus"], "frame": ["f_frame"], "own_frame": ["_f_frame_data"], "size": SIZE}),
    "code": (["PyCodeObject"], {
        "argcount": ["co_argcount"], "kwonlyargcount": ["co_kwonlyargcount"], "flags": ["co_flags"], "firstlineno": ["co_firstlineno"],
        "nlocals": ["co_nlocals"], "nlocalsplus": ["co_nlocalsplus"], "stacksize": ["co_stacksize"], "code": ["co_code"],
        "code_adaptive": ["co_code_adaptive"], "consts": ["co_consts"], "names": ["co_names"], "varnames": ["co_varnames"],
        "freevars": ["co_freevars"], "cellvars": ["co_cellvars"], "localsplusnames": ["co_localsplusnames"],
        "localspluskinds": ["co_localspluskinds"], "filename": ["co_filename"], "name": ["co_name"], "qualname": ["co_qualname"],
        "linetable": ["co_linetable"], "lnotab": ["co_lnotab"], "exceptiontable": ["co_exceptiontable"], "cached": ["_co_cached"],
        "weakreflist": ["co_weakreflist"], "extra": ["co_extra"], "zombieframe": ["co_zombieframe"], "executors": ["co_executors"],
        "monitoring": ["_co_monitoring"], "size": SIZE}),
    "object": (["PyObject"], {"refcnt": ["ob_refcnt"], "type": ["ob_type"], "size": SIZE, "var_size": ["PyVarObject:ob_size"]}),
    "type": (["PyTypeObject"], {
        "name": ["tp_name"], "basicsize": ["tp_basicsize"], "itemsize": ["tp_itemsize"], "flags": ["tp_flags"], "as_async": ["tp_as_async"],
        "methods": ["tp_methods"], "members": ["tp_members"], "getset": ["tp_getset"], "base": ["tp_base"], "bases": ["tp_bases"],
        "mro": ["tp_mro"], "dict": ["tp_dict"], "cache": ["tp_cache"], "subclasses": ["tp_subclasses"], "weaklist": ["tp_weaklist"],
        "dictoffset": ["tp_dictoffset"], "weaklistoffset": ["tp_weaklistoffset"], "traverse": ["tp_traverse"], "size": SIZE}),
    "heap_type": (["PyHeapTypeObject"], {
        "name": ["ht_name"], "qualname": ["ht_qualname"], "slots": ["ht_slots"], "cached_keys": ["ht_cached_keys"], "module": ["ht_module"],
        "size": SIZE}),
    "member": (["PyMemberDef"], {
        "name": ["name"], "type": ["type"], "offset": ["offset"], "flags": ["flags"], "size": SIZE, "object": ["constant T_OBJECT"],
        "object_ex": ["constant T_OBJECT_EX"]}),
    "dict": (["PyDictObject"], {"used": ["ma_used"], "keys": ["ma_keys"], "values": ["ma_values"], "size": SIZE}),
    "dict_keys": (["struct _dictkeysobject"], {
        "refcnt": ["dk_refcnt"], "usable": ["dk_usable"], "nentries": ["dk_nentries"], "table_size": ["dk_size"], "log2_size": ["dk_log2_size"],
        "log2_index_bytes": ["dk_log2_index_bytes"], "kind": ["dk_kind"], "indices": ["dk_indices"],
        "general_entry_size": ["PyDictKeyEntry:sizeof"], "unicode_entry_size": ["PyDictUnicodeEntry:sizeof", "PyDictKeyEntry:sizeof"]}),
    "dict_values": (["struct _dictvalues"], {
        "capacity": ["capacity"], "size": ["size"], "embedded": ["embedded"], "valid": ["valid"], "values": ["values"]}),
    "list": (["PyListObject"], {"items": ["ob_item"], "allocated": ["allocated"], "size": SIZE}),
    "tuple": (["PyTupleObject"], {"items": ["ob_item"], "size": SIZE}),
    "set": (["PySetObject"], {
        "fill": ["fill"], "used": ["used"], "mask": ["mask"], "table": ["table"], "smalltable": ["smalltable"], "weakreflist": ["weakreflist"],
        "size": SIZE, "entry_size": ["setentry:sizeof"]}),
    "unicode": (["PyUnicodeObject"], {
        "length": ["PyASCIIObject:length"], "hash": ["PyASCIIObject:hash"], "state": ["PyASCIIObject:state"],
        "ascii_size": ["PyASCIIObject:sizeof"], "compact_size": ["PyCompactUnicodeObject:sizeof"],
        "utf8_length": ["PyCompactUnicodeObject:utf8_length"], "utf8": ["PyCompactUnicodeObject:utf8"], "data": ["data"], "size": SIZE,
        "kind_shift": ["PyASCIIObject:bit state.kind"], "compact_shift": ["PyASCIIObject:bit state.compact"],
        "ascii_shift": ["PyASCIIObject:bit state.ascii"]}),
    "integer": (["PyLongObject"], {"digits": ["long_value.ob_digit", "ob_digit"], "tag": ["long_value.lv_tag"], "size": SIZE}),
    "bytes": (["PyBytesObject"], {"data": ["ob_sval"], "hash": ["ob_shash"], "size": SIZE}),
    "bytearray": (["PyByteArrayObject"], {"alloc": ["ob_alloc"], "data": ["ob_bytes"], "start": ["ob_start"],
                                          "bytes_object": ["ob_bytes_object"], "size": SIZE}),
    "function": (["PyFunctionObject"], {
        "globals": ["func_globals"], "builtins": ["func_builtins"], "name": ["func_name"], "qualname": ["func_qualname"], "code": ["func_code"],
        "defaults": ["func_defaults"], "kwdefaults": ["func_kwdefaults"], "closure": ["func_closure"], "doc": ["func_doc"],
        "dict": ["func_dict"], "weakreflist": ["func_weakreflist"], "module": ["func_module"], "annotations": ["func_annotations"],
        "annotate": ["func_annotate"], "typeparams": ["func_typeparams"], "size": SIZE}),
    "module": (["PyModuleObject"], {"dict": ["md_dict"], "state": ["md_state"], "weaklist": ["md_weaklist"], "name": ["md_name"], "size": SIZE}),
    "cell": (["PyCellObject"], {"ref": ["ob_ref"], "size": SIZE}),
    "method": (["PyMethodObject"], {"func": ["im_func"], "self": ["im_self"], "weakreflist": ["im_weakreflist"], "size": SIZE}),
    "cfunction": (["PyCFunctionObject"], {"self": ["m_self"], "module": ["m_module"], "weakreflist": ["m_weakreflist"], "size": SIZE}),
    "weakref": (["PyWeakReference"], {"object": ["wr_object"], "callback": ["wr_callback"], "size": SIZE}),
    "generator": (["PyGenObject"], {
        "frame": ["gi_frame"], "own_frame": ["gi_iframe"], "frame_state": ["gi_frame_state"], "code": ["gi_code"], "name": ["gi_name"],
        "qualname": ["gi_qualname"], "weakreflist": ["gi_weakreflist"], "size": SIZE}),
    "slice": (["PySliceObject"], {"start": ["start"], "stop": ["stop"], "step": ["step"], "size": SIZE}),
    "gc_head": (["PyGC_Head"], {"size": SIZE}),
    "pool": (["struct pool_header"], {
        "size": ["constant POOL_SIZE"], "ref": ["ref"], "freeblock": ["freeblock"], "arena_index": ["arenaindex"], "size_class": ["szidx"],
        "next_offset": ["nextoffset"], "max_next_offset": ["maxnextoffset"], "header_size": SIZE}),
    "arena": (["struct arena_object"], {
        "arena_size": ["constant ARENA_SIZE"], "address": ["address"], "pool_address": ["pool_address"], "nfreepools": ["nfreepools"],
        "ntotalpools": ["ntotalpools"], "size": SIZE, "in_obmalloc": ["struct _obmalloc_state:mgmt.arenas"],
        "count_in_obmalloc": ["struct _obmalloc_state:mgmt.maxarenas"]}),
}

# Written in Objects/obmalloc.c, which no header shows before 3.12. The radix tree of 3.10 made pools and arenas larger.
OBMALLOC = {
    (3, 8): {"POOL_SIZE": 4 << 10, "ARENA_SIZE": 256 << 10}, (3, 9): {"POOL_SIZE": 4 << 10, "ARENA_SIZE": 256 << 10},
    (3, 10): {"POOL_SIZE": 16 << 10, "ARENA_SIZE": 1 << 20}, (3, 11): {"POOL_SIZE": 16 << 10, "ARENA_SIZE": 1 << 20},
}

CONSTANTS = ["POOL_SIZE", "ARENA_SIZE", "T_OBJECT", "T_OBJECT_EX", "PY_MAJOR_VERSION", "PY_MINOR_VERSION", "PY_MICRO_VERSION", "Py_GIL_DISABLED"]
HEADERS = ["Python.h", "stdbool.h", "structmember.h", "frameobject.h", "internal/pycore_code.h", "internal/pycore_dict.h",
           "internal/pycore_frame.h", "internal/pycore_function.h", "internal/pycore_gc.h", "internal/pycore_genobject.h",
           "internal/pycore_interp.h", "internal/pycore_interpframe.h", "internal/pycore_interpframe_structs.h",
           "internal/pycore_interp_structs.h", "internal/pycore_moduleobject.h", "internal/pycore_object.h", "internal/pycore_obmalloc.h",
           "internal/pycore_pystate.h", "internal/pycore_runtime.h", "internal/pycore_runtime_structs.h", "internal/pycore_typeobject.h"]


# -- inside gdb -----------------------------------------------------------------------------------------------------------------------


def find_type(name):
    try:
        return gdb.lookup_type(name).strip_typedefs()
    except gdb.error:
        return None


def find_field(kind, path):
    """(bits from the start, type) of a field of a type, or None; the members of anonymous structs count as the type's own."""
    first, _, rest = path.partition(".")
    if kind.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        return None
    for field in kind.fields():
        inner = field.type.strip_typedefs()
        if not field.name:
            found = find_field(inner, path)
        elif field.name == first:
            found = find_field(inner, rest) if rest else (0, inner)
        else:
            continue
        if found:
            return field.bitpos + found[0], found[1]
    return None


def evaluate(kind, wanted):
    """The value of one name of FIELDS, or None."""
    other, _, name = wanted.rpartition(":")
    kind = find_type(other) if other else kind
    if kind is None or not name:
        return None
    if name == SIZE:
        return kind.sizeof
    question, _, path = name.rpartition(" ")
    if question == "constant":
        return None
    found = find_field(kind, path)
    if found is None:
        return None
    bits, inner = found
    if question == "is pointer":
        return True if inner.code == gdb.TYPE_CODE_PTR else None
    if question == "length":
        return inner.range()[1] + 1 if inner.code == gdb.TYPE_CODE_ARRAY else None
    if question == "bit":
        return bits - find_field(kind, path.rpartition(".")[0])[0]
    return bits // 8


def read_types():
    """All that FIELDS asks for and the constants, as JSON."""
    sections = {}
    for section, (kinds, fields) in FIELDS.items():
        kind = next((found for found in map(find_type, kinds) if found is not None and found.fields()), None)
        for field, names in fields.items():
            values = [evaluate(kind, name) for name in ([names] if isinstance(names, str) else names)]
            value = next((value for value in values if value is not None), None)
            if value is not None:
                sections.setdefault(section, {})[field] = value
    constants = {}
    for name in CONSTANTS:
        try:
            constants[name] = int(gdb.parse_and_eval(f"layout_{name}"))
        except gdb.error:
            pass
    print(json.dumps({"sections": sections, "constants": constants}))


# -- outside --------------------------------------------------------------------------------------------------------------------------


class LayoutError(Exception):
    """A table cannot be made, and why."""


def run(command, what):
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise LayoutError(f"{what}: {next((line for line in lines if 'error' in line), lines[-1])}")
    return done.stdout


def types_of(binary):
    said = run(["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-x", os.path.abspath(__file__), str(binary)],
               f"reading the types of {binary.name} with gdb")
    answer = [line for line in said.splitlines() if line.startswith("{")]
    if not answer:
        raise LayoutError(f"gdb said nothing of the types of {binary.name}")
    return json.loads(answer[-1])


def compile_headers(include, folder):
    """An object file with debug information of all that the headers declare, and with the constants as enumerators."""
    lines = ["#define Py_BUILD_CORE 1"]
    for header in HEADERS:
        lines += [f"#if __has_include(<{header}>)", f"#include <{header}>", "#endif"]
    for name in CONSTANTS:
        lines += [f"#ifdef {name}", f"enum {{ layout_{name} = {name} }};", "#endif"]
    source = folder / "layout.c"
    source.write_text("\n".join(lines) + "\n", encoding="ascii")
    # include itself: Debian's pyconfig.h is in a folder of the architecture beside it.
    run(["gcc", "-std=gnu11", "-w", "-g", "-fno-eliminate-unused-debug-types", "-I", str(include), "-I", str(include / "internal"),
         "-I", str(include.parent), "-c", str(source), "-o", str(source.with_suffix(".o"))], f"compiling the headers of {include.name}")
    return source.with_suffix(".o")


def has_debug_info(library):
    return library.exists() and ".debug_info" in run(["readelf", "-SW", str(library)], f"reading {library.name}")


def read_prefix(prefix):
    """(version, constants, sections, where they come from) of one prefix."""
    found = sorted(prefix.glob("include/python3.*/Python.h"))
    if len(found) != 1:
        raise LayoutError(f"{prefix}: not one but {len(found)} of include/python3.*/Python.h")
    include = found[0].parent
    with tempfile.TemporaryDirectory() as folder:
        read = types_of(compile_headers(include, pathlib.Path(folder)))
    constants, sections = read["constants"], read["sections"]
    version = (constants["PY_MAJOR_VERSION"], constants["PY_MINOR_VERSION"])
    if constants.get("Py_GIL_DISABLED"):
        raise LayoutError(f"{include.name} is of a free-threaded build, for which there are no tables")
    library = prefix / f"lib/lib{include.name}.so.1.0"
    full = f"CPython {version[0]}.{version[1]}.{constants['PY_MICRO_VERSION']}"
    if has_debug_info(library):
        return version, constants, types_of(library)["sections"], f"the debug information of {full}'s {library.name}"
    if version < (3, 12):
        raise LayoutError(f"{prefix}: no lib/{library.name} with debug information; up to 3.11 headers do not show all structs")
    return version, constants, sections, f"the headers of {full}"


def complete(version, constants, sections):
    """Puts the constants in, and takes out what only shares a name."""
    constants = {**constants, **OBMALLOC.get(version, {})}
    for section, (_, fields) in FIELDS.items():
        for field, names in fields.items():
            if names[0].startswith("constant "):
                sections.setdefault(section, {})[field] = constants[names[0].split()[1]]
    # 3.10 has a cframe that knows of no frame.
    if "cframe_current_frame" not in sections["thread"]:
        sections["thread"].pop("cframe", None)
    # pymalloc rounds the header up to its alignment.
    sections["pool"]["header_size"] = -(-sections["pool"]["header_size"] // 16) * 16
    return sections


def initialiser(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def table(version, sections, origin):
    """The text of an .inc file: designated initialisers in the order of the struct."""
    lines = ["// SPDX-License-Identifier: Apache-2.0",
             f"// Made by scripts/python-layouts.py from {origin}, for x86-64.",
             f".version = {{.major = {version[0]}, .minor = {version[1]}}},"]
    for section, (_, fields) in FIELDS.items():
        known = [f".{field} = {initialiser(sections[section][field])}" for field in fields if field in sections.get(section, {})]
        # Compilers warn of a struct that is left out, not of its fields.
        lines += [f".{section} = {{", *wrapped(known), "},"] if known else [f".{section} = {{}},"]
    return "\n".join(lines) + "\n"


def wrapped(parts, width=120):
    line = "   "
    for part in parts:
        if len(line) + len(part) + 2 > width:
            yield line
            line = "   "
        line += f" {part},"
    yield line


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = pathlib.Path(__file__).resolve().parent.parent / "src/python/layouts"
    parser.add_argument("--output", type=pathlib.Path, default=default, metavar="FOLDER", help="where the tables go (src/python/layouts)")
    parser.add_argument("prefixes", type=pathlib.Path, nargs="+", metavar="PREFIX", help="has include/python3.X and perhaps lib")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for prefix in arguments.prefixes:
        version, constants, sections, origin = read_prefix(prefix)
        path = arguments.output / f"cpython_{version[0]}_{version[1]}.inc"
        path.write_text(table(version, complete(version, constants, sections), origin), encoding="ascii")
        print(f"{path.name}: from {origin}")


if gdb:
    read_types()
elif __name__ == "__main__":
    try:
        main()
    except LayoutError as error:
        sys.exit(f"scripts/python-layouts.py: {error}")
