#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An interpreter that is not understood says so in the report, and all that is not Python's is as ever. Debian has no free-threaded build:
a copy of its 3.13 that claims to be one, in the _Py_DebugOffsets at the beginning of _PyRuntime, stands for it.
"""
import pathlib
import shutil
import struct
import unittest

from pythons import furnish, interpreters, place
from support import SOURCE, IntegrationTest, program

COOKIE = b"xdebugpy"  # Include/internal/pycore_debug_offsets.h: {char cookie[8]; uint64_t version, free_threaded; ...}
FREE_THREADED = 16
PROGRAM = SOURCE / "tests" / "programs" / "python" / "parent_assign.py"


def claim_to_be_free_threaded(executable):
    content = bytearray(executable.read_bytes())
    found = []
    at = content.find(COOKIE)
    while at >= 0:
        found.append(at)
        at = content.find(COOKIE, at + 1)
    # The word may also be in a constant that code compares with: what is followed by the version is the struct.
    (start,) = [at for at in found if struct.unpack_from("<Q", content, at + 8)[0] >> 16 == 0x030D]
    struct.pack_into("<Q", content, start + FREE_THREADED, 1)
    executable.write_bytes(content)


class UnknownPython(IntegrationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        found = [one for one in interpreters() if one.version[:2] == (3, 13) and one.root != pathlib.Path("/")]
        if not found:
            raise unittest.SkipTest("Debian's 3.13 is not here: scripts/pythons.sh 3.13 unpacks it")
        (cls.interpreter,) = found
        furnish({cls.interpreter.root})

    def run_it(self, change):
        """The trace of a program that writes to a list, in child and parent, by a copy of the interpreter."""
        folder = place(self.addCleanup, self.interpreter, PROGRAM.parent)
        outside = self.interpreter.root / folder.relative_to("/")
        copy = outside / pathlib.Path(self.interpreter.executable).name
        shutil.copy(self.interpreter.root / self.interpreter.executable.lstrip("/"), copy)
        change(copy)
        altered = self.interpreter._replace(executable=str(folder / copy.name))
        return self.trace(*altered.command(folder / PROGRAM.name), options=("-q",))

    def test_a_free_threaded_one_says_so_and_the_rest_works(self):
        known, unknown = self.run_it(lambda copy: None), self.run_it(claim_to_be_free_threaded)
        for trace, says_so in ((known, False), (unknown, True)):
            notes = [note for note in trace.capture["notes"] if "CPython" in note]
            self.assertEqual(notes, ["CPython, free-threaded: layout not known"] if says_so else [])
            self.assertEqual(any(item["kind"] == "python" for item in trace.report["objects"]), not says_so)
            self.assertEqual(any(frame["kind"] == "python" for site in trace.report["sites"] for frame in site["stack"]), not says_so)
            self.assertTrue(any(item["kind"] == "symbol" and item["breaks"] for item in trace.report["objects"]))
            self.assert_nothing_lost(trace)
            self.assert_all_explained(trace)
            breaks = trace.report["totals"]["breaks"]
            self.assertGreater(breaks, 10)
            self.assertEqual(sum(row["breaks"] for row in trace.report["totals"]["by_cause"].values()), breaks)
            self.assertEqual(sum(page["breaks"] for page in trace.report["pages"]), breaks)


class UnusedPython(IntegrationTest):
    """Programs that link an interpreter, for scripts that users may have, and never begin it (afl-fuzz): there is nothing to say of it."""

    def test_a_library_that_is_loaded_and_never_runs(self):
        libraries = sorted(pathlib.Path("/usr/lib").glob("*/libpython3.*.so.1*"))
        if not libraries:
            self.skipTest("there is no libpython3")
        trace = self.trace(program("loads_library"), libraries[0], options=("-q",))
        self.assertEqual([note for note in trace.capture["notes"] if "ython" in note], [])
        self.assertGreaterEqual(trace.count("copy"), 10)


if __name__ == "__main__":
    unittest.main()
