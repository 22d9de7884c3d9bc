#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The other ways to trace give the same copies: without ptrace, without page tables. What they cannot know, they say."""
import re
import unittest

from support import PLAYED, SCENARIO, IntegrationTest

BACKENDS = ("fentry", "kprobe", "static")
SINGLE_THREADED = [name for name in PLAYED if name != "threads"]


class Modes(IntegrationTest):
    def test_without_ptrace_the_copies_are_the_same(self):
        for mode in ("passive", "off"):
            for name in PLAYED:
                with self.subTest(mode=mode, scenario=name):
                    trace = self.trace_scenario(name, 500, 2, options=("--snapshot", mode))
                    self.assertEqual(trace.capture["snapshot"], mode)
                    self.assert_nothing_lost(trace)
                    self.assert_same_copies(trace)
                    for process in trace.processes:
                        self.assertIsNone(process["audit"])
                        self.assertEqual(process["audit_missing"], f"--snapshot {mode}")
                        self.assertIsNone(process["still_shared_bytes"])
                    self.assertIn("not audited", trace.stderr)

    def test_passive_still_knows_registered_objects(self):
        # Long enough for somebody who looks every 50 ms: a child that is gone sooner may be known by its mappings alone.
        trace = self.trace_scenario("mutate", 200_000, 1, options=("-q", "--snapshot", "passive"))
        self.assertEqual([item["breaks"] for item in trace.report["objects"]
                          if item["name"] == "buffer" and item["kind"] == "registered"], [200_000])

    def assert_paired(self, trace):
        """The truth, and nothing else but one page: where the global variable's page first left its file (a file-copy, which
        pairing takes for a copy, as its blind spots say), in the parent and before it forks."""
        copies, truth = trace.copies(trace.regions), dict.fromkeys(trace.truly_copied, 1)
        file_pages = {int(page["address"], 16) for page in trace.report["pages"] if (page["mapping"] or "").startswith("/")}
        first_write = {key for key in copies if key[0] == trace.processes[0]["pid"] and key[1] in file_pages}
        self.assertLessEqual(len(first_write), 1)
        for key in first_write:
            self.assertIn(copies[key] - truth.get(key, 0), (0, 1))
            truth[key] = copies[key]
        self.assertEqual(copies, truth)
        self.assertEqual(len(trace.truly_copied), trace.truth["copied_pages_expected"])

    def test_without_page_tables_the_number_of_copies_is_the_same(self):
        for name in SINGLE_THREADED:
            with self.subTest(name):
                trace = self.trace_scenario(name, 500, 2, options=("--no-page-tables",))
                self.assert_paired(trace)
                self.assertIn("page tables", " ".join(trace.capture["blind_spots"]))
                self.assertIn("page tables are not read", " ".join(trace.capture["notes"]))
                self.assertRegex(" ".join(trace.stderr.split()), r"! not seen: [^!]*page tables: faults are paired")

    def test_without_stacks(self):
        trace = self.trace_scenario("mutate", 100, 1, options=("--stacks", "none"))
        self.assert_same_copies(trace)
        with_stacks = self.trace_scenario("mutate", 100, 1, options=("--stacks", "native"))
        deepest = max(len(site["stack"]) for site in with_stacks.report["sites"])
        self.assertGreater(deepest, 3)
        self.assertLess(max((len(site["stack"]) for site in trace.report["sites"]), default=0), deepest)

    def test_frames_bounds_a_stack(self):
        short = self.trace_scenario("mutate", 100, 1, options=("-q", "--frames", "2"))
        physical = [sum(not frame["inlined"] for frame in site["stack"]) for site in short.report["sites"]]
        self.assertEqual(max(physical), 2)
        self.assertTrue(any(site["truncated"] for site in short.report["sites"]))

    def test_a_backend_that_this_kernel_refuses(self):
        """Named, it fails in one line before the command starts; `auto` takes the best of those that doctor calls usable."""
        doctor = self.cowtrace("doctor").stdout.decode()
        usable = [name for name in BACKENDS if re.search(rf"^ok +{name} ", doctor, re.MULTILINE)]
        self.assertIn("static", usable)
        for backend in BACKENDS:
            with self.subTest(backend):
                marker = self.directory / f"ran-{backend}"
                done = self.cowtrace("-q", "--backend", backend, "--", "touch", marker)
                self.assertEqual(marker.exists(), backend in usable)
                if backend in usable:
                    self.assertEqual(done.returncode, 0, done.stderr)
                else:
                    self.assertEqual(done.returncode, 125)
                    self.assert_one_error_line(done.stderr, f"cannot use {backend}", "--backend static")
        trace = self.trace(SCENARIO, "mutate", "--pages", "10", options=("-q",), truth=True)
        self.assertEqual(trace.capture["backend"], usable[0])
        self.assert_same_copies(trace)

    def test_the_static_backend_by_name(self):
        trace = self.trace(SCENARIO, "mutate", "--pages", "10", options=("-q", "--backend", "static"), truth=True)
        self.assertEqual(trace.capture["backend"], "static")
        self.assert_same_copies(trace)


if __name__ == "__main__":
    unittest.main()
