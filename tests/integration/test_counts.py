#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""--detail counts gives the same pages and totals from the kernel's own map: no events, no stacks."""
import unittest

from support import PLAYED, IntegrationTest

OPTIONS = ("--detail", "counts")
# PAGES STRIDE: a child writes PAGES shared pages, each STRIDE pages after the one before; prints where the first is, and who they are.
SPARSE = """
import ctypes, mmap, os, sys
pages, stride = int(sys.argv[1]), int(sys.argv[2])
memory = mmap.mmap(-1, pages * stride * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_NOHUGEPAGE)
for page in range(0, pages * stride, stride):
    memory[page * 4096] = 1
child = os.fork()
if child == 0:
    for page in range(0, pages * stride, stride):
        memory[page * 4096] = 2
    os._exit(0)
os.waitpid(child, 0)
print(ctypes.addressof(ctypes.c_char.from_buffer(memory)), os.getpid(), child)
"""


class Counts(IntegrationTest):
    def check(self, name, **sizes):
        trace = self.trace_scenario(name, options=OPTIONS, **sizes)
        self.assertEqual(trace.capture["detail"], "counts")
        self.assertEqual(trace.capture["events"], 0)
        self.assert_nothing_lost(trace)
        self.assert_same_copies(trace)
        totals = trace.report["totals"]
        for mechanism, sums in totals["by_mechanism"].items():
            in_pages = sum(page["by_mechanism"].get(mechanism, 0) for page in trace.report["pages"])
            self.assertEqual(in_pages, sums["count"], mechanism)
        self.assertEqual(totals["breaks"], sum(page["breaks"] for page in trace.report["pages"]))
        self.assertEqual(totals["breaks"], sum(process["breaks"] for process in trace.processes))
        self.assertEqual(trace.report["sites"], [])
        self.assertIn("detail counts", trace.stderr)
        for process in trace.processes:
            self.assertIsNone(process["audit"])
            self.assertIn("--detail counts", process["audit_missing"])
        return trace

    def test_each_scenario(self):
        for name in PLAYED:
            with self.subTest(name):
                self.check(name, pages=500, children=2)

    def test_more_pages_than_one_call_tells(self):
        self.check("storm", pages=40_000, children=1)

    def test_pages_far_apart(self):
        """Each is in a group of its own, at another place in it."""
        pages, stride = 3000, 17
        trace = self.trace("/usr/bin/python3", "-B", "-c", SPARSE, pages, stride, options=("-q", *OPTIONS))
        start, parent, child = map(int, trace.stdout.split())
        written = {start + page * stride * 4096 for page in range(pages)}
        seen = {int(page["address"], 16): page["by_mechanism"] for page in trace.report["pages"]
                if page["pid"] == child and start <= int(page["address"], 16) < start + pages * stride * 4096}
        self.assertEqual(set(seen), written)
        self.assertEqual({tuple(mechanisms.items()) for mechanisms in seen.values()}, {(("copy", 1),)})
        self.assertNotEqual(child, parent)

    def test_objects_and_mappings_are_joined_all_the_same(self):
        trace = self.check("mutate", pages=500, children=1)
        (buffer,) = [item for item in trace.report["objects"] if item["name"] == "buffer"]
        self.assertEqual((buffer["kind"], buffer["breaks"]), ("registered", 500))
        self.assertEqual(buffer["copied_bytes"], 500 * 4096)
        labels = {mapping["label"]: mapping["breaks"] for mapping in trace.report["mappings"]}
        self.assertGreaterEqual(labels["[anon]"], 500)


if __name__ == "__main__":
    unittest.main()
