#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What cowtrace advises, held against a second run that follows it: the advice is given before and not after, and promised no less than
what was saved. The programs are in tests/programs/advice; advice_figures.py lists the pairs.
"""
import contextlib
import os
import pathlib
import re
import sys
import unittest

import advice_figures as figures
from pythons import furnish, interpreters, place
from support import IntegrationTest

PYTHON = "/usr/bin/python3"
IMMORTAL_SINCE = (3, 12)
# What a process copies from one run to the next differs by a few pages of the C library and of Python's own.
NOISE = 64 << 10


def bytes_of(text):
    """What human_bytes() wrote."""
    number, unit = text.split()
    return float(number) * {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[unit]


class Advice(IntegrationTest):
    """A method for each pair is added below."""

    def traced(self, run, command=(PYTHON, "-B")):
        """The trace of a program; skips the test where it cannot run."""
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        trace = self.trace(*command, figures.PROGRAMS / run.program, *run.arguments, options=("-q",), status=None, env=environment)
        if trace.returncode == figures.CANNOT:
            self.skipTest(trace.stderr.strip())
        self.assertEqual(trace.returncode, 0, trace.stderr)
        self.assert_nothing_lost(trace)
        return trace

    def check_bound(self, found, before, after):
        """What `found` says that it saves at most, against what was not copied any more in `after`."""
        saved = figures.taken(before) - figures.taken(after)
        noise = NOISE * len(before["processes"])
        self.assertLessEqual(found["saves_at_most_bytes"], 2 * saved + noise, "it promises more than twice of what is saved")
        self.assertGreaterEqual(found["saves_at_most_bytes"] + noise, saved, "more is saved than it promises")

    def check_pair(self, name):
        advice, *runs = figures.PAIRS[name]
        with figures.huge_pages() if name == "thp" else contextlib.nullcontext():
            before, after = (self.traced(run).report for run in runs)
        if name == "thp-zero" and before["totals"]["by_mechanism"]["huge-zero-fill"]["count"] == 0:
            self.skipTest("this kernel fills the huge page of zeros page by page (before 6.13)")
        found = figures.advice_of(before, advice)
        self.assertIsNotNone(found, before["advice"])
        self.check_bound(found, before, after)
        self.assertIsNone(figures.advice_of(after, advice))
        self.assertEqual(found["page"], f"docs/advice/{advice}.md")
        self.assertTrue((figures.SOURCE / found["page"]).exists())
        self.assertEqual("set_forkserver_preload()" in found["text"], name == "fork-server", found["text"])

    def test_nothing_is_advised_to_a_quiet_program(self):
        trace = self.traced(figures.QUIET)
        self.assertEqual(trace.report["advice"], [])

    def test_a_program_that_is_not_python_gets_no_advice_about_it(self):
        advised = {row["id"] for row in self.trace_scenario("mutate").report["advice"]}
        self.assertLessEqual(advised, {"workers-fit", "thp"})

    def test_what_is_only_counted_has_no_causes_and_no_advice_that_needs_them(self):
        program = figures.PROGRAMS / figures.PAIRS["end-at-once"].before.program
        report = self.trace(PYTHON, "-B", program, options=("-q", "--detail", "counts")).report
        self.assertEqual({cause for cause, sums in report["totals"]["by_cause"].items() if sums["breaks"]}, {"unknown"})
        self.assertLessEqual({row["id"] for row in report["advice"]}, {"workers-fit", "thp"})

    def test_immortal_objects_are_a_matter_of_the_version(self):
        found = interpreters()
        if not any(one.version < IMMORTAL_SINCE for one in found) or not any(one.version >= IMMORTAL_SINCE for one in found):
            self.skipTest("it needs an interpreter before 3.12 and one from then on: scripts/pythons.sh")
        furnish({one.root for one in found if one.root != pathlib.Path("/")})
        for one in found:
            with self.subTest(interpreter=str(one)):
                folder = place(self.addCleanup, one, figures.PROGRAMS)
                report = self.trace(*one.command(folder / figures.IMMORTAL.program), options=("-q",)).report
                (version,) = {process["python"] for process in report["processes"]}
                self.assertEqual(tuple(map(int, version.split(".")[:2])), one.version[:2])
                row = figures.advice_of(report, "immortal-objects")
                self.assertEqual(row is not None, one.version < IMMORTAL_SINCE, report["advice"])

    def test_gc_order(self):
        """The order that docs/advice/gc-freeze.md recommends is better than all others."""
        copied = {}
        for words in figures.ORDERS:
            copied[words] = figures.traced(figures.Run("gc_order.py", words), PYTHON)["totals"]["copied_bytes"]
        best = copied[("disable", "freeze")]
        self.assertLess(best * 3, copied[()])
        self.assertLess(best * 3, copied[("disable", "collect", "freeze")])
        self.assertLess(best, copied[("collect", "freeze")])

    def test_workers_fit(self):
        """Against the kernel's own account of the family's memory."""
        try:
            with figures.limited_group(limit=1 << 30):
                trace = self.traced(figures.Run("workers_fit.py"))
        except OSError as error:
            self.skipTest(f"no control group can be made: {error}")
        self.assertEqual(trace.capture["memory_limit_bytes"], 1 << 30)
        self.assertIn("cowtrace-figures", trace.capture["memory_limit_of"])
        text = figures.advice_of(trace.report, "workers-fit")["text"]
        self.assertIsNone(figures.advice_of(trace.report, "workers-fit")["saves_at_most_bytes"])
        needed, shared, worst = map(bytes_of, re.match(
            r"3 workers at a time needed (\S+ \S+), (\S+ \S+) of it shared by all; had they copied all of that, (\S+ \S+)\. ", text).groups())
        self.assertAlmostEqual(needed / int(trace.stdout), 1, delta=0.03)
        more, whole = (int(count.replace(",", "")) for count in re.search(r"([\d,]+) more would fit into .*, ([\d,]+) if all", text).groups())
        self.assertAlmostEqual(more, ((1 << 30) - needed) / ((needed - shared) / 3), delta=2)
        self.assertAlmostEqual(whole, ((1 << 30) - worst) / ((worst - shared) / 3), delta=2)

    def test_the_text_report_has_the_advice(self):
        done = self.cowtrace("run", "--", PYTHON, "-B", figures.PROGRAMS / figures.PAIRS["refcounts"].before.program)
        section = done.stderr.decode("utf-8").split("\nAdvice (")[1]
        self.assertIn("__main__.PRICES", section)
        self.assertIn("docs/advice/refcounts.md", section)
        self.assertLessEqual(max(map(len, section.splitlines())), 80)


def add_tests():
    for name in figures.PAIRS:
        setattr(Advice, f"test_{name.replace('-', '_')}", lambda self, name=name: self.check_pair(name))


add_tests()

if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
