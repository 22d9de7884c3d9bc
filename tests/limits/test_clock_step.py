#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The time of day jumps by an hour, forth and back, while cowtrace traces: only the moment of the start is told by it.

Others work on the machine, so it is the clock of cowtrace and of its family alone that steps: a preloaded library. With COWTRACE_STEP_CLOCK=1 in the environment the clock
of the machine itself is stepped as well, and put right again.
"""
import datetime
import os
import time
import unittest

from measuring import LimitsTest
from support import program

HOUR = 3600
CHILDREN, PAGES = 20, 50


class ClockStep(LimitsTest):
    def setUp(self):
        super().setUp()
        self.step_file = self.directory / "step"

    def set_step(self, seconds):
        new = self.directory / "step.new"
        new.write_text(f"{seconds}\n")
        new.rename(self.step_file)

    def run_with(self, before, after, step, environment=None):
        """The clock is `before` seconds ahead at the start, and `after` when half of the family's time is over."""
        step(before)
        self.addCleanup(step, 0)
        started = time.time(), time.monotonic()
        sized = self.sized("children", CHILDREN, PAGES, environment=environment)
        sized.until_ready()
        step(after)
        sized.go_on()
        trace = sized.end()
        step(0)
        ended = time.monotonic()
        self.assert_nothing_lost(trace)
        self.assert_exactly(trace, sized.written())
        self.assert_all_explained(trace)
        duration = trace.capture["duration_ns"]
        self.assertLess(duration, (ended - started[1]) * 1e9)
        self.assertGreater(duration, 0)
        for page in trace.report["pages"]:
            self.assertLessEqual(0, page["first_ns"])
            self.assertLessEqual(page["first_ns"], page["last_ns"])
            self.assertLessEqual(page["last_ns"], duration)
        for process in trace.processes:
            self.assertLessEqual(process["start_ns"], process["exit_ns"])
            self.assertLessEqual(process["exit_ns"], duration)
        self.assertLessEqual(max(row["t_ns"] for row in trace.report["timeline"]), duration)
        started_at = datetime.datetime.fromisoformat(trace.capture["started_at"].replace("Z", "+00:00")).timestamp()
        return started_at - started[0], ended - started[1], duration

    def test_of_cowtrace_and_its_family(self):
        environment = {"LD_PRELOAD": program("libclock_step.so"), "COWTRACE_CLOCK_STEP": str(self.step_file)}
        shown = {}
        for before, after in ((0, HOUR), (HOUR, 0), (HOUR, -HOUR)):
            with self.subTest(before=before, after=after):
                late, took, duration = self.run_with(before, after, self.set_step, environment)
                # What the clock said when it began, whatever it said later.
                self.assertGreater(late, before - 1)
                self.assertLess(late, before + took + 1)
                shown[f"{before:+}_to_{after:+}"] = round(duration / 1e6)
        self.figures("clock_step", duration_ms=shown, children=CHILDREN, written_pages=CHILDREN * PAGES)

    @unittest.skipUnless(os.environ.get("COWTRACE_STEP_CLOCK"), "others use this clock: set COWTRACE_STEP_CLOCK=1 to step it")
    def test_of_the_machine(self):
        ahead = 0

        def step(seconds):
            nonlocal ahead
            time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds - ahead)
            ahead = seconds

        for after in (HOUR, -HOUR):
            with self.subTest(after=after):
                late, took, _ = self.run_with(0, after, step)
                self.assertGreater(late, -1)
                self.assertLess(late, took + 1)


if __name__ == "__main__":
    unittest.main()
