#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Families that end in unusual ways: fork and exit at once, parents that are gone, children that nobody waits for."""
import os
import signal
import unittest

from measuring import LimitsTest
from support import is_running, status_of, wait_until

COUNT, PAGES = 300, 10

# Asked for: a busy machine takes so long to look at each of them that it would do without.
EXACT = ("-q", "--snapshot", "exact")


class Ends(LimitsTest):
    def check(self, shape, processes, status=0, ready=False):
        sized = self.sized(*shape, options=EXACT)
        sized.until_ready()
        if ready:
            zombies = [pid for pid, _, _ in sized.claims["wrote"] if status_of(pid)["State"].startswith("Z")]
            self.assertEqual(len(zombies), len(sized.claims["wrote"]))
            sized.go_on()
        trace = sized.end(status)
        self.assertEqual(len(trace.processes), processes)
        self.assert_nothing_lost(trace)
        self.assert_every_event_is_counted(trace)
        self.assert_all_explained(trace)
        self.assert_exactly(trace, sized.written())
        self.assert_memory(sized, trace)
        return sized, trace

    def test_parents_that_exit_before_their_children(self):
        sized, trace = self.check(("orphans", COUNT, PAGES), 1 + 2 * COUNT)
        self.assertEqual(len(sized.written()), COUNT * PAGES)
        # Who forked it is known, whoever its parent is by now.
        by_key = {process["process"]: process for process in trace.processes}
        for pid, _, _ in sized.claims["wrote"]:
            forked_from = by_key[trace.process(pid)["forked_from"]]
            self.assertEqual(forked_from["forked_from"], trace.processes[0]["process"])
            self.assertLess(forked_from["exit_ns"], trace.process(pid)["exit_ns"])
        self.figures("orphans", processes=len(trace.processes), written_pages=len(sized.written()), reported_pages=self.reported(trace, sized.written()),
                     unexplained=trace.audited("unexplained"))

    def test_children_that_nobody_waits_for(self):
        sized, trace = self.check(("zombies", COUNT, PAGES), 1 + COUNT, status=3, ready=True)
        self.figures("zombies", processes=len(trace.processes), written_pages=len(sized.written()), reported_pages=self.reported(trace, sized.written()),
                     unexplained=trace.audited("unexplained"))

    def test_a_parent_that_looks_like_a_zombie(self):
        """Its first thread has ended, another one forks on."""
        sized, _ = self.check(("zombie-parent", COUNT // 10, PAGES), 1 + COUNT // 10, status=5)
        self.assertEqual(len(sized.written()), COUNT // 10 * PAGES)

    def test_fork_and_exit_at_once(self):
        sized = self.sized("exits", COUNT, options=EXACT)
        wait_until(lambda: sized.process.poll() is not None, "the command ends, and cowtrace with it")
        sized.until_ready()
        # Its last child has been let go and goes on.
        sized.go_on()
        trace = sized.end(7)
        ((last, _, _),) = sized.claims["lived"]
        self.assert_nothing_lost(trace)
        self.assert_every_event_is_counted(trace)
        self.assertEqual(len(trace.processes), 2 + 2 * COUNT)
        self.assertEqual(trace.process(last)["audit_missing"], "it was still running")
        # Some of the last ones may live as long; all that ended were looked at.
        for process in trace.processes:
            self.assertTrue(process["audit"] is not None or process["exit_ns"] is None, process)
        self.assertEqual(trace.audited("unexplained"), 0)
        wait_until(lambda: not is_running(last), "it ends")
        self.figures("exits", processes=len(trace.processes), audited=sum(process["audit"] is not None for process in trace.processes),
                     unexplained=trace.audited("unexplained"), lost=trace.capture["lost_events"])

    def test_killed_by_a_signal_in_the_midst_of_forks(self):
        sized = self.sized("forks", 60, 1)
        sized.read_line()
        ((parent, _, _),) = sized.claims["region"]
        os.kill(parent, signal.SIGKILL)
        trace = sized.end(128 + signal.SIGKILL, valid=False, outlived=True)
        self.assertEqual(trace.process(parent)["pid"], parent)


if __name__ == "__main__":
    unittest.main()
