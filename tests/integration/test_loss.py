#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Events that do not fit into a small buffer lose their detail, never their count.

With one child, nobody copies a page twice: there is one fork, after a copy a page is exclusive, and the experiment unmaps
nothing that it copied. So the copies are the private pages, one for one: inside the truth's regions as many as the
truth has, outside as many as the audit found in the rest of the memory. The sum is exact whatever was lost.
"""
import os
import signal
import subprocess
import unittest

from support import COWTRACE, SCENARIO, TIMEOUT, IntegrationTest, command_of, wait_until

PAGES = 60_000
BUFFER = 64 * 1024
EVENT = 160  # struct cowtrace_resolution and the ring's header: what a full buffer holds cannot be lost
BEFORE_THE_PAUSE = 5_000  # faults of the storm
IN_THE_PAUSE = 15_000


def child_of(pid):
    """The first child of a process, or None."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return next((int(child) for child in file.read().split()), None)
    except (FileNotFoundError, ProcessLookupError):
        return None


def minor_faults(pid):
    """minflt of proc(5)."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[7])


class Loss(IntegrationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls("run_storm")
        case.setUp()
        try:
            cls.lossy = case.run_storm("--buffer", "64KiB")
        finally:
            case.doCleanups()

    def run_storm(self, *options):
        """A storm whose tracer is stopped in the midst of it: alone on its CPU, it could keep up with one child."""
        path, truth, text = (self.directory / name for name in ("report.json", "truth.json", "stderr"))
        with open(text, "wb") as stderr:
            tracer = self.start(COWTRACE, *options, "-o", path, "--", SCENARIO, "storm", "--pages", PAGES,
                                "--children", 1, "--truth", truth,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
            parent = wait_until(lambda: command_of(tracer.pid), "cowtrace starts the storm")
            child = wait_until(lambda: child_of(parent), "the storm forks")
            wait_until(lambda: minor_faults(child) > BEFORE_THE_PAUSE, "the storm begins")
            os.kill(tracer.pid, signal.SIGSTOP)
            paused_at = minor_faults(child)
            wait_until(lambda: minor_faults(child) > paused_at + IN_THE_PAUSE, "the storm goes on")
            os.kill(tracer.pid, signal.SIGCONT)
            self.assertEqual(tracer.wait(timeout=TIMEOUT), 0)
        return self.loaded(0, b"", text.read_text(encoding="utf-8"), path, truth)

    def test_something_is_lost_and_something_arrives(self):
        self.assertGreater(self.lossy.capture["lost_events"], IN_THE_PAUSE - BUFFER // EVENT)
        self.assertGreater(self.lossy.capture["events"], BEFORE_THE_PAUSE)

    def test_received_and_lost_are_what_was_counted(self):
        counted = sum(sums["count"] for sums in self.lossy.report["totals"]["by_mechanism"].values())
        self.assertEqual(self.lossy.capture["events"] + self.lossy.capture["lost_events"], counted)

    def test_copies_are_the_truth_and_what_the_audit_knows_outside(self):
        truth = self.lossy.truly_copied
        self.assertEqual(len(truth), self.lossy.truth["copied_pages_expected"])
        private = self.lossy.audited("private_pages")
        outside = private - len(truth)
        self.assertGreaterEqual(outside, 1)
        self.assertEqual(self.lossy.count("copy"), len(truth) + outside)
        self.assertEqual(self.lossy.report["totals"]["breaks"], private)

    def test_processes_hold_every_break(self):
        for process in self.lossy.processes:
            self.assertEqual(process["breaks"], process["audit"]["private_pages"], process["pid"])

    def test_pages_that_arrived_are_true(self):
        inside = self.lossy.copies(self.lossy.regions)
        self.assertLessEqual(inside.keys(), self.lossy.truly_copied)
        self.assertEqual(set(inside.values()), {1})
        missing = len(self.lossy.truly_copied) - len(inside)
        self.assertGreater(missing, 0)
        self.assertLessEqual(missing, self.lossy.capture["lost_events"])

    def test_unexplained_pages_are_put_down_to_the_loss(self):
        reasons = {}
        for process in self.lossy.processes:
            for reason, pages in process["audit"]["reasons"].items():
                reasons[reason] = reasons.get(reason, 0) + pages
        self.assertEqual(set(reasons), {"lost-event"})
        self.assertLessEqual(reasons["lost-event"], self.lossy.capture["lost_events"])
        self.assertEqual(reasons["lost-event"], self.lossy.audited("unexplained"))

    def test_the_text_says_so(self):
        lost = f"{self.lossy.capture['lost_events']:,}"
        self.assertIn(f"{lost} lost", self.lossy.stderr)
        self.assertRegex(self.lossy.stderr.replace("\n ", ""), rf"{lost} resolutions? lost their detail")
        self.assertIn("this report is incomplete", self.lossy.stderr)

    def test_the_default_buffer_loses_nothing(self):
        self.assert_nothing_lost(self.trace_scenario("storm", PAGES // 3, 1))

    def test_what_overflows_a_lane_comes_through_the_ring(self):
        """In the pause a lane is full after 1,024 breaks; the ring takes the others, and each arrives once."""
        trace = self.run_storm()
        self.assert_nothing_lost(trace)
        self.assertEqual(trace.copies(trace.regions), dict.fromkeys(trace.truly_copied, 1))
        self.assertEqual(trace.audited("unexplained"), 0)


if __name__ == "__main__":
    unittest.main()
