#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Refuses an #include that points the wrong way between the folders of src/, or a library where it does not belong.

usage: check_layers.py [ROOT]      check a tree; default: the one that holds this file
       check_layers.py --self-test every wrong include is refused, in a tree made for it
Exit status: 0 all is well, 1 with one line an offence on standard error, 2 used wrongly.
"""
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

# A folder of src/ and the folders that it may include besides itself; src/*/CMakeLists.txt has the same as LAYERS.
MAY_INCLUDE = {
    "base": (),
    "model": ("base",),
    "process": ("base",),
    "objects": ("process", "model", "base"),
    "image": ("process", "base"),
    "python": ("image", "process", "model", "base"),
    "capture": ("model", "base"),
    "analysis": ("model", "base"),
    "report": ("analysis", "model", "base"),
    "trace": ("analysis", "model", "base"),
    "top": ("report", "analysis", "model", "base"),
    "pipeline": ("capture", "objects", "python", "image", "process", "analysis", "report", "trace", "top", "model", "base"),
    "cli": ("pipeline", "top", "report", "trace", "base"),
    "scenario": (),
}
# Single headers that a folder may include although it may not include their folder.
EXCEPTIONS = {"cli": ("capture/probe.h",)}
# What else is spelt like an include of ours or belongs to a library, and the only folders that may have it.
CONFINED = (
    (r"abi/", ("capture",)),
    (r".*\.skel\.h$", ("capture",)),
    (r"bpf/|linux/bpf", ("capture",)),
    (r"elfutils/|libelf\.h$|gelf\.h$|dwarf\.h$", ("process",)),
    (r"Zydis", ("process",)),
    (r"lz4\.h$", ("image",)),
    (r"zstd\.h$|trace\.pb\.h$", ("trace",)),
    (r"zlib\.h$", ("process", "report")),
    (r"(profile|perfetto_trace)\.pb\.h$", ("report",)),
    (r"google/protobuf/", ("report", "trace")),
    (r"n?curses\.h$", ("top",)),
    (r"sys/capability\.h$", ("pipeline",)),
    (r"dlfcn\.h$", ("pipeline",)),
    (r"nlohmann/", ("report", "cli")),
    (r"CLI/", ("cli", "scenario")),
    (r"cowtrace/", ("objects", "scenario")),
)
SOURCES = (".h", ".c", ".cpp", ".in")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.MULTILINE)


def offence(folder, quote, header):
    """Why `folder` must not include `header`, or None."""
    for pattern, owners in CONFINED:
        if re.match(pattern, header):
            return None if folder in owners else f"only {' and '.join(owners)} may"
    target, slash, _ = header.partition("/")
    if target in MAY_INCLUDE and slash:
        if target == folder or target in MAY_INCLUDE[folder] or header in EXCEPTIONS.get(folder, ()):
            return None
        return f"{folder} may include {', '.join((*MAY_INCLUDE[folder], *EXCEPTIONS.get(folder, ()))) or 'no other folder'}"
    if quote == '"':
        return 'our headers are included as "folder/file.h"'
    return None


def include_offences(root):
    for folder in MAY_INCLUDE:
        for path in sorted((root / "src" / folder).rglob("*")):
            if path.suffix not in SOURCES:
                continue
            for match in INCLUDE.finditer(path.read_text(encoding="utf-8")):
                reason = offence(folder, *match.groups())
                if reason:
                    yield f"{path.relative_to(root)}: includes {match[2]}: {reason}"


def declared_layers(cmake):
    """The LAYERS of a folder's cowtrace_layer(); None where it is no layer."""
    call = re.search(r"cowtrace_layer\(([^)]*)\)", cmake)
    if call is None:
        return None
    _, *words = call[1].split()
    layers, inside = [], False
    for word in words:
        if word in ("LAYERS", "LIBRARIES"):
            inside = word == "LAYERS"
        elif inside:
            layers.append(word)
    return layers


def table_offences(root):
    found = {path.parent.name: path for path in (root / "src").glob("*/CMakeLists.txt")}
    for folder in sorted(found.keys() ^ MAY_INCLUDE.keys()):
        yield f"src/{folder}: {'not in the table of check_layers.py' if folder in found else 'in the table, but has no CMakeLists.txt'}"
    for folder, path in sorted(found.items()):
        layers = declared_layers(path.read_text(encoding="utf-8"))
        if folder in MAY_INCLUDE and layers is not None and set(layers) != set(MAY_INCLUDE[folder]):
            yield f"{path.relative_to(root)}: LAYERS {' '.join(layers)}, but the table says {' '.join(MAY_INCLUDE[folder])}"


def offences(root):
    return [*table_offences(root), *include_offences(root)]


class SelfTest(unittest.TestCase):
    """A small tree that is well; each test spoils it in one way."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="check-layers-"))
        self.addCleanup(shutil.rmtree, self.root)
        for folder, layers in MAY_INCLUDE.items():
            self.write(f"{folder}/CMakeLists.txt", f"cowtrace_layer({folder} LAYERS {' '.join(layers)} LIBRARIES fmt::fmt)\n")
            self.write(f"{folder}/unit.cpp", "".join(f'#include "{layer}/x.h"\n' for layer in (folder, *layers)) + "#include <vector>\n")
        self.assertEqual(offences(self.root), [])

    def write(self, name, text):
        path = self.root / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def assert_refused(self, name, text, *words):
        self.write(name, text)
        found = offences(self.root)
        self.assertEqual(len(found), 1, found)
        for word in (f"src/{name}", *words):
            self.assertIn(word, found[0])

    def test_every_direction_that_is_not_in_the_table(self):
        for folder, layers in MAY_INCLUDE.items():
            for other in MAY_INCLUDE:
                if other != folder and other not in layers:
                    with self.subTest(folder=folder, other=other):
                        self.assert_refused(f"{folder}/wrong.h", f'#include "{other}/x.h"\n', f"{other}/x.h")
                        (self.root / "src" / folder / "wrong.h").unlink()

    def test_angle_brackets_and_spaces_do_not_hide_it(self):
        self.assert_refused("model/wrong.cpp", "  #  include <report/text.h>\n", "report/text.h")

    def test_an_exception_is_one_header(self):
        self.write("cli/doctor.cpp", '#include "capture/probe.h"\n')
        self.assertEqual(offences(self.root), [])
        self.assert_refused("cli/doctor.cpp", '#include "capture/capture.h"\n', "capture/capture.h")

    def test_libraries_stay_where_they_belong(self):
        for folder, header in (("pipeline", "bpf/libbpf.h"), ("analysis", "nlohmann/json.hpp"), ("report", "CLI/CLI.hpp"),
                               ("model", "abi/events.h"), ("objects", "elfutils/libdw.h"), ("pipeline", "curses.h"), ("pipeline", "cowtrace/objects.h")):
            with self.subTest(folder=folder, header=header):
                self.assert_refused(f"{folder}/wrong.h", f"#include <{header}>\n", header)
                (self.root / "src" / folder / "wrong.h").unlink()

    def test_a_header_without_its_folder(self):
        self.assert_refused("base/wrong.cpp", '#include "units.h"\n', "folder/file.h")

    def test_cmake_says_the_same(self):
        self.assert_refused("model/CMakeLists.txt", "cowtrace_layer(model LAYERS base process)\n", "LAYERS base process")

    def test_a_folder_that_the_table_does_not_know(self):
        self.write("extra/CMakeLists.txt", "cowtrace_layer(extra)\n")
        self.assertEqual(offences(self.root), ["src/extra: not in the table of check_layers.py"])


def main(argv):
    if argv == ["--self-test"]:
        return 0 if unittest.main(argv=["check_layers"], exit=False).result.wasSuccessful() else 1
    if len(argv) > 1 or (argv and argv[0].startswith("-")):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    root = pathlib.Path(argv[0]) if argv else pathlib.Path(__file__).resolve().parents[1]
    if not (root / "src").is_dir():
        print(f"check_layers: no src in {root}", file=sys.stderr)
        return 2
    found = offences(root)
    for line in found:
        print(f"check_layers: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
