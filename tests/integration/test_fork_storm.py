#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A program that forks all the time is not held up by exact snapshots: they are given up, which is said. One that forks seldom keeps them.

The server's memory is large enough that a snapshot takes longer than a fork: the stops then take most of its time, at far less than 200 forks a second.
"""
import statistics
import unittest

from support import IntegrationTest, program

MIB = 128
FORKS = 600
FEW = 60      # too few to be judged, however long they take
ROUNDS = 5    # at most: others may have the processors meanwhile
LEAST = 0.75  # of the passive rate


class ForkStorm(IntegrationTest):
    def served(self, forks, *options):
        trace = self.trace(program("fork_server"), MIB, forks, options=("-q", *options))
        self.assert_nothing_lost(trace)
        self.assertEqual(len(trace.processes), 1 + forks)
        return trace, list(map(int, trace.stdout.split()))

    def rate(self, times, first=0):
        """Forks a second from the first on: the median of fifties, of which some may have met others."""
        times = times[first:]
        spans = [times[at + 50] - times[at] for at in range(0, len(times) - 50, 50)]
        return 50e9 / statistics.median(spans)

    def given_up(self):
        """The rate when there are no stops any more."""
        trace, times = self.served(FORKS)
        self.assertEqual(trace.capture["snapshot"], "passive")
        (note,) = [note for note in trace.capture["notes"] if "exact snapshots were given up" in note]
        self.assertRegex(note, r"it stood still for \d+ % of \d+\.\d s, in which \d+ processes ended and others started")
        self.assertIn(note, trace.stderr)
        audited = [process["audit"] is not None for process in trace.processes[1:]]
        # What had ended by then keeps its audit, and the others say why they have none.
        count = sum(audited)
        self.assertGreaterEqual(count, 99)
        self.assertLess(count, FORKS - 100)
        self.assertTrue(all(audited[:count]))
        self.assertEqual(trace.audited("unexplained"), 0)
        for process in trace.processes[1 + count:]:
            self.assertIn("exact snapshots were given up", process["audit_missing"])
        return self.rate(times, count + 1)

    def test_a_fork_server_is_let_go(self):
        let_go, passive = [], []
        for _ in range(ROUNDS):
            let_go.append(self.given_up())
            passive.append(self.rate(self.served(FORKS, "--snapshot", "passive")[1]))
            if statistics.median(let_go) >= LEAST * statistics.median(passive):
                return
        self.fail(f"{let_go} forks a second after they were given up, {passive} passive")

    def test_few_forks_keep_exact_snapshots(self):
        trace, _ = self.served(FEW)
        self.assertEqual(trace.capture["snapshot"], "exact")
        self.assert_all_explained(trace)


if __name__ == "__main__":
    unittest.main()
