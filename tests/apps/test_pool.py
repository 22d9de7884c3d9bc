#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""multiprocessing.Pool and concurrent.futures, with each start method."""
import unittest

from app_test import PROGRAMS, PYTHON, AppTest

WORKERS = 4
DATA = 4 << 20  # of either program, a worker that is given work copies more; not each of them may be given any


class Pools(AppTest):
    def run_program(self, name, *words):
        trace = self.watched(PYTHON, "-B", PROGRAMS / name, *words)
        self.assert_nothing_lost(trace)
        return trace, self.witness.changes()

    def check_forked(self, name, *words):
        trace, changes = self.run_program(name, *words)
        self.assertEqual(len(changes), WORKERS)
        copies = trace.copies()
        self.assert_same_pages(copies, changes)
        self.assert_smaps(copies, changes)
        return trace

    def check_spawned(self, name, *words):
        """Nothing is shared: by the page tables every page is the process's own, and nothing is reported."""
        trace, changes = self.run_program(name, *words, "spawn")
        self.assertEqual(changes, {})
        self.assertEqual(len(self.witness.at_exit), WORKERS + 2, "the command and the resource tracker too")
        self.figure("shared pages", 0, trace.report["totals"]["breaks"])
        for pid, pages in self.witness.at_exit.items():
            self.assertEqual(set(pages.frames) - pages.exclusive, set())
            process = trace.process(pid)
            self.assertIsNone(process["inherited_bytes"])
            self.assertEqual(process["copied_bytes"], 0)
        self.assertEqual(trace.report["totals"]["breaks"], 0)
        self.assertEqual(trace.report["advice"], [])

    def test_pool_over_objects(self):
        trace = self.check_forked("pool.py", "objects")
        self.assertGreater(self.copied_of(trace, "__main__.PRICES["), DATA)
        self.assertIn("refcounts", {row["id"] for row in trace.report["advice"]})

    def test_pool_over_an_array(self):
        trace = self.check_forked("pool.py", "array")
        self.assertLess(self.copied_of(trace, "__main__.PRICES"), 64 << 10)

    def test_executor(self):
        trace = self.check_forked("executor.py")
        self.assertGreater(trace.report["totals"]["by_cause"]["gc-header"]["bytes"], DATA)

    def test_executor_with_a_frozen_parent(self):
        trace = self.check_forked("executor.py", "frozen")
        self.assertLess(trace.report["totals"]["by_cause"]["gc-header"]["bytes"], DATA / 4)

    def test_forkserver_shares_its_server(self):
        """What the parent has loaded is not there: children share the server's memory, and load the table themselves."""
        trace = self.check_forked("pool.py", "objects", "forkserver")
        (server,) = {process["forked_from"] for process in trace.processes if process["inherited_bytes"]}
        command = next(process for process in trace.processes if process["forked_from"] is None)
        self.assertNotEqual(server, command["process"])
        self.assertEqual(command["copied_bytes"], 0)

    def test_spawned_pool(self):
        self.check_spawned("pool.py", "objects")

    def test_spawned_executor(self):
        self.check_spawned("executor.py", "before")


if __name__ == "__main__":
    unittest.main()
