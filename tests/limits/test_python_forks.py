#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A Python program that forks again and again: each child has a heap of its own to name objects in, and cowtrace's memory keeps its bound."""
import unittest

from measuring import A_FORK_OF_PYTHON, MIB, LimitsTest, most_memory

FEW, MANY = 50, 400
PROGRAM = """
import os, sys
TABLE = [str(i) for i in range(2000)]
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        TABLE[0] = None
        os._exit(0)
    os.wait()
"""


class PythonForks(LimitsTest):
    def run_program(self, forks):
        sized = self.sized(command=("/usr/bin/python3", "-c", PROGRAM, str(forks)), options=("-q", "--snapshot", "passive"))
        trace = sized.end(valid=False)
        self.assert_nothing_lost(trace)
        self.assertEqual(len(trace.processes), forks + 1)
        return trace, sized.peak.bytes

    def test_each_takes_little(self):
        _, few = self.run_program(FEW)
        trace, many = self.run_program(MANY)
        objects = {one["id"]: one for one in trace.report["objects"]}
        children = {process["process"] for process in trace.processes if process["forked_from"] is not None}
        named = {page["process"] for page in trace.report["pages"]
                 if page["process"] in children and page["object"] is not None and objects[page["object"]]["name"].startswith("__main__.TABLE")}
        # The first child's heap has the names of all.
        self.assertGreater(len(named), MANY * 0.9)
        self.assertGreater(many, few)
        self.assertLess(many - few, (MANY - FEW) * A_FORK_OF_PYTHON, f"{(many - few) / (MANY - FEW) / 1024:.0f} KiB for each fork")
        self.figures("python_forks", forks=MANY, named=len(named), kib_a_fork=round((many - few) / (MANY - FEW) / 1024), peak_mib=round(many / MIB),
                     bound_mib=round((most_memory(trace) + MANY * A_FORK_OF_PYTHON) / MIB))


if __name__ == "__main__":
    unittest.main()
