#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two hundred threads in the parent and as many in its child, all of which break pages at one time."""
import unittest

from measuring import MIB, LimitsTest, most_memory

THREADS, PAGES = 200, 100


class Threads(LimitsTest):
    def test_two_hundred_threads(self):
        sized = self.sized("threads", THREADS, PAGES)
        trace = sized.end()
        written = sized.written()
        self.assertEqual(len(written), 2 * THREADS * PAGES)
        self.assert_nothing_lost(trace)
        self.assert_every_event_is_counted(trace)
        self.assert_exactly(trace, written)
        self.assert_all_explained(trace)
        self.assertEqual(len(trace.processes), 2)
        self.assert_memory(sized, trace)
        self.figures("threads", threads=2 * THREADS, written_pages=len(written), reported_pages=self.reported(trace, written), lost=trace.capture["lost_events"],
                     unexplained=trace.audited("unexplained"), peak_mib=round(sized.peak.bytes / MIB), bound_mib=round(most_memory(trace) / MIB))


if __name__ == "__main__":
    unittest.main()
