#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""--detail counts gives the same pages and totals from the kernel's own map: no events, no stacks."""
import unittest

from support import PLAYED, IntegrationTest

OPTIONS = ("--detail", "counts")


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

    def test_objects_and_mappings_are_joined_all_the_same(self):
        trace = self.check("mutate", pages=500, children=1)
        (buffer,) = [item for item in trace.report["objects"] if item["name"] == "buffer"]
        self.assertEqual((buffer["kind"], buffer["breaks"]), ("registered", 500))
        self.assertEqual(buffer["copied_bytes"], 500 * 4096)
        labels = {mapping["label"]: mapping["breaks"] for mapping in trace.report["mappings"]}
        self.assertGreaterEqual(labels["[anon]"], 500)


if __name__ == "__main__":
    unittest.main()
