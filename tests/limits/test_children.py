#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A thousand children that live at one time: each of their pages is counted once, all are audited, and cowtrace's memory keeps its bound."""
import unittest

from measuring import MIB, PAGE, LimitsTest, most_memory, smaps

CHILDREN, PAGES = 1000, 20


class Children(LimitsTest):
    def test_a_thousand_children(self):
        sized = self.sized("children", CHILDREN, PAGES)
        sized.until_ready()
        written = sized.written()
        self.assertEqual(len(written), CHILDREN * PAGES)
        # The kernel's own account of one of them: private and dirty are those that it wrote.
        pid, start, _ = sized.claims["wrote"][-1]
        self.assertEqual(smaps(pid, start, PAGES * PAGE)["Private_Dirty"], PAGES * PAGE)
        sized.go_on()
        trace = sized.end()
        self.assert_nothing_lost(trace)
        self.assert_every_event_is_counted(trace)
        self.assert_exactly(trace, written)
        self.assertEqual(len(trace.processes), CHILDREN + 1)
        self.assertEqual(trace.audited("unexplained"), 0)
        # They start together and end together: however long that takes, no reason to do without the audit.
        self.assertEqual(trace.capture["snapshot"], "exact")
        self.assert_all_explained(trace)
        self.assert_memory(sized, trace)
        self.figures("children", children=CHILDREN, written_pages=len(written), reported_pages=self.reported(trace, written), lost=trace.capture["lost_events"],
                     audited=sum(process["audit"] is not None for process in trace.processes), unexplained=trace.audited("unexplained"),
                     peak_mib=round(sized.peak.bytes / MIB), bound_mib=round(most_memory(trace) / MIB))


if __name__ == "__main__":
    unittest.main()
