#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""--allocators: each copied page is laid at the door of the function that wrote it first, across forks, as the program itself counts."""
import collections
import json
import subprocess
import unittest

from support import COWTRACE, TIMEOUT, IntegrationTest, has_zero_page, program, report_errors


class Allocators(IntegrationTest):
    def assert_counts(self, trace):
        expected = {name: int(pages) for name, pages in (line.split() for line in trace.stdout.decode().splitlines())}
        if not has_zero_page():
            # Reading gave these a page of their own: nobody writes it for the first time.
            expected = {"load_table": expected["load_table"]}
        found = collections.Counter()
        for site in trace.report["allocators"]:
            for frame in site["stack"]:
                if frame["function"] in expected:
                    found[frame["function"]] += site["breaks"]
                    self.assertEqual(site["copied_bytes"], 4096 * site["breaks"])
                    break
        self.assertEqual(dict(found), expected)

    def test_as_the_program_counts(self):
        trace = self.trace(program("allocators"), options=("--allocators", "-o", self.directory / "t.cow"))
        self.assert_nothing_lost(trace)
        self.assert_counts(trace)
        self.assertGreaterEqual(trace.count("first-write"), 300)
        self.assertGreaterEqual(trace.count("zero-fill"), 200 + 50 if has_zero_page() else 0)
        self.assertIn("Allocators (who first wrote the pages that were copied)", trace.stderr)
        self.assertEqual(report_errors(trace.report), [])
        # By the page tables too, all that was copied is in there.
        self.assertEqual(trace.audited("unexplained"), 0)
        self.assertGreaterEqual(trace.audited("private_pages"), 130 + 10 + 40)
        # Nothing that was copied is left out, and the trace file knows the same.
        all_of = sum(site["breaks"] for site in trace.report["allocators"]) + trace.report["allocators_unknown"]["breaks"]
        self.assertEqual(all_of, trace.report["totals"]["breaks"])
        again = subprocess.run([COWTRACE, "report", "--format", "json", self.directory / "t.cow"], capture_output=True, check=True, timeout=TIMEOUT)
        self.assertEqual(json.loads(again.stdout), trace.report)
        # Not a function of the shell that has forked us, nor of the program before exec.
        reasons = {frame["why_unnamed"] for site in trace.report["allocators"] for frame in site["stack"]}
        self.assertNotIn("nothing is mapped there", reasons)

    def test_without_it_nothing_is_told(self):
        trace = self.trace(program("allocators"))
        self.assertEqual(trace.count("first-write"), 0)
        self.assertEqual(trace.report["allocators"], [])
        self.assertIsNone(trace.report["allocators_unknown"])
        self.assertNotIn("Allocators", trace.stderr)

    def test_it_needs_events_and_stacks(self):
        for options in (("--detail", "counts"), ("--stacks", "none")):
            refused = self.cowtrace("run", "--allocators", *options, "--", "true")
            self.assertEqual(refused.returncode, 125)
            self.assertRegex(refused.stderr, rb"\Acowtrace: --allocators: [^\n]*\n\Z")


if __name__ == "__main__":
    unittest.main()
