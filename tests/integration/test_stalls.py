#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long forks and breaks keep a process, against its own clock around fork() and the number of pages that it wrote."""
import unittest

from support import IntegrationTest, program

MIB = 256
FORKS = 8
WRITTEN = 100 * FORKS


class Stalls(IntegrationTest):
    def measured(self, *options):
        trace = self.trace(program("fork_times"), MIB, FORKS, options=("-q", *options))
        return trace, [int(line) for line in trace.stdout.split()]

    def test_forks_take_what_the_program_measures(self):
        """Without stops, which the program cannot tell from the fork."""
        trace, around = self.measured("--snapshot", "passive")
        self.assertEqual(len(around), FORKS)
        took = [process["fork_took_ns"] for process in trace.processes[1:]]
        self.assertEqual(len(took), FORKS)
        self.assertIsNone(trace.processes[0]["fork_took_ns"])
        for inside, outside in zip(took, around):
            self.assertGreater(inside, 0)
            self.assertLessEqual(inside, outside)
        # The tables of 256 MiB are nearly all of a fork. Preemption may come between the two clocks, of some.
        close = [inside for inside, outside in zip(took, around) if inside > 0.8 * outside]
        self.assertGreaterEqual(len(close), FORKS - 2, f"{took} {around}")
        stall = next(one for one in trace.report["stalls"] if one["process"] == 0)
        self.assertEqual((stall["forks"], stall["fork_max_ns"], stall["fork_total_ns"]), (FORKS, max(took), sum(took)))

    def test_stops_are_no_part_of_a_fork(self):
        """Exact snapshots stop the parent after the fork, which is not the fork's time."""
        trace, around = self.measured()
        for process, outside in zip(trace.processes[1:], around):
            self.assertLess(process["fork_took_ns"], outside)

    def test_breaks(self):
        trace, _ = self.measured()
        stall = next(one for one in trace.report["stalls"] if one["process"] == 0)
        process = trace.processes[0]
        self.assertGreaterEqual(stall["breaks"], WRITTEN)
        self.assertEqual(stall["breaks"], process["breaks"])
        self.assertGreaterEqual(stall["latency_ns"]["max"] * stall["breaks"], stall["break_total_ns"])
        # Of 100 % the middle: not less than the bucket of p50 holds, and not more.
        below = sum(bucket["count"] for bucket in stall["histogram"] if bucket["below_ns"] and bucket["below_ns"] <= stall["latency_ns"]["p50"])
        self.assertLess(below, (stall["breaks"] + 1) / 2 + 1)


if __name__ == "__main__":
    unittest.main()
