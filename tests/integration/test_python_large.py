# SPDX-License-Identifier: Apache-2.0
"""The report of a large container costs what its entries cost, whatever kind of container it is.

Own CPU time is compared within one run: of each kind with a list of as many objects. The bound is far from what is measured, and a cost that
grows with the square of the entries is far beyond it.
"""
import pathlib
import sys
import unittest

import support

sys.path.insert(0, str(support.SOURCE / "tests" / "bench"))
import measure  # noqa: E402

ENTRIES = 200_000
MOST = 4       # times the CPU of a list
MOST_MEMORY = 1.5
PYTHON = "/usr/bin/python3"

PROGRAM = """
import collections, os, sys
kind, count = sys.argv[1], int(sys.argv[2])
class Key:
    pass
class Base:
    pass
def linked(count):
    last = None
    for number in range(count):
        last = (f"value {number}", last)
    return last
TABLE = {
    "list": lambda: [text for number in range(count) for text in (f"key {number}", f"value {number}")],
    "dict": lambda: {f"key {number}": f"value {number}" for number in range(count)},
    "ordered dict": lambda: collections.OrderedDict((f"key {number}", f"value {number}") for number in range(count)),
    "dict by objects": lambda: {Key(): f"value {number}" for number in range(count)},
    "dict with gaps": lambda: {number: f"value {number}" for number in range(count)},
    "set": lambda: {f"value {number}" for number in range(2 * count)},
    "dict of dicts": lambda: {f"key {number}": {"value": f"value {number}"} for number in range(count // 2)},
    "split dicts": lambda: [vars(Key()) | {"value": number} for number in range(count)],
    "linked list": lambda: linked(count),
    "subclasses": lambda: [type(f"Class{number}", (Base,), {}) for number in range(count // 20)],
}[kind]()
if kind == "dict with gaps":
    for number in range(0, count, 2):
        del TABLE[number]
child = os.fork()
if child == 0:
    sys.exit(0)  # the interpreter takes all apart
os.waitpid(child, 0)
os._exit(0)
"""
KINDS = ("dict", "ordered dict", "dict by objects", "dict with gaps", "set", "dict of dicts", "split dicts", "linked list", "subclasses")


@unittest.skipIf(support.SANITIZED, "what a sanitizer costs is not in proportion")
class Large(support.IntegrationTest):
    def setUp(self):
        super().setUp()
        self.program = self.directory / "large.py"
        self.program.write_text(PROGRAM, encoding="utf-8")

    def cost_of(self, kind):
        """Of cowtrace itself, of which the start is a part."""
        out = pathlib.Path(self.directory)
        cost = measure.run([support.COWTRACE, "--", PYTHON, str(self.program), kind, str(ENTRIES)], out)
        self.assertEqual(cost.status, 0, cost.stderr)
        return cost

    def test_every_container_costs_what_a_list_costs(self):
        of_list = self.cost_of("list")
        for kind in KINDS:
            with self.subTest(kind):
                cost = self.cost_of(kind)
                self.assertLess(cost.cpu_s, MOST * of_list.cpu_s)
                self.assertLess(cost.peak_bytes, MOST_MEMORY * of_list.peak_bytes)


if __name__ == "__main__":
    unittest.main()
