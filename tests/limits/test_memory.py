#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The memory of cowtrace itself: no more than docs/limits.md says, with a million breaks and with none."""
import unittest

from measuring import MIB, LimitsTest, most_memory
from support import SCENARIO

CHILDREN, PAGES = 20, 50_000
STORM = (SCENARIO, "storm", "--pages", PAGES, "--children", CHILDREN)


class Memory(LimitsTest):
    def check(self, name, *command, options=(), recorded=False):
        sized = self.sized(command=tuple(map(str, command)), options=("-q", *options))
        trace = sized.end(valid=False)
        self.assert_memory(sized, trace, recorded=recorded)
        for key in ("lost_control", "undecodable_events", "untracked_tasks"):
            self.assertEqual(trace.capture[key], 0, key)
        self.figures(f"memory_{name}", breaks=trace.report["totals"]["breaks"], lost=trace.capture["lost_events"], pages=len(trace.report["pages"]),
                     peak_mib=round(sized.peak.bytes / MIB), bound_mib=round(most_memory(trace, recorded=recorded) / MIB))
        return trace

    def check_storm(self, name, **keywords):
        trace = self.check(name, *STORM, **keywords)
        # The truth of the storm is that each child writes each page.
        self.assertGreaterEqual(trace.report["totals"]["breaks"], CHILDREN * PAGES)
        return trace

    def test_nothing(self):
        self.check("nothing", "true")

    def test_a_million_breaks(self):
        trace = self.check_storm("million")
        self.assert_every_event_is_counted(trace)

    def test_a_million_breaks_recorded(self):
        self.check_storm("recorded", options=("-o", self.directory / "storm.cow"), recorded=True)

    def test_a_million_breaks_counted_in_the_kernel(self):
        self.check_storm("counts", options=("--detail", "counts"))


if __name__ == "__main__":
    unittest.main()
