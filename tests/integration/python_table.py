#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what is found in the memory of every interpreter of this machine (test_python_heap.py) and puts the table into
docs/python-support.md, between `<!-- measured: heap -->` and `<!-- end -->`.

usage: sudo python_table.py     Exit status: 0 done, 1 an interpreter could not be judged
"""
import re
import sys
import unittest

from pythons import interpreters
from support import SOURCE
from test_python_heap import PythonHeap

PAGE = SOURCE / "docs" / "python-support.md"
PLACE = re.compile(r"(<!-- measured: heap -->\n).*?(<!-- end -->)", re.DOTALL)


class Measure(PythonHeap):
    """One test, for what the judge needs of a test; its rows are the result."""

    rows = []

    def test_objects_are_exact_and_names_evaluate(self):
        for one in interpreters():
            counts = self.judge(one)["counts"]
            exact, named = (100 * counts.get(key, 0) / counts["objects"] for key in ("exact", "named"))
            whose = "Debian's, unpacked" if ".cache" in str(one.root) else "Debian's" if one.executable.startswith("/usr/bin") else "self-built"
            version = ".".join(map(str, one.version))
            self.rows.append(f"| {version} | {whose} | {counts['objects']:,} | {exact:.3f}% | {named:.2f}% |")


def main():
    result = unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromTestCase(Measure))
    if not result.wasSuccessful():
        return 1
    table = ["| CPython | build | objects | start and type exact | name evaluates to the object |", "| --- | --- | --- | --- | --- |", *Measure.rows]
    text, count = PLACE.subn(lambda found: "\n".join([found[1].rstrip("\n"), *table, found[2]]), PAGE.read_text(encoding="utf-8"))
    if count != 1:
        sys.exit(f"{PAGE.name}: {count} places for the table")
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
