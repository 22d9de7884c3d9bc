#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A parent of 4 GiB: what its child wrote is what the kernel's own account says, and a snapshot costs 8 bytes a page."""
import subprocess
import unittest

from measuring import MIB, PAGE, SIZES, LimitsTest, most_memory, smaps

MEBIBYTES, WRITTEN = 4096, 5000
PAGES = MEBIBYTES * MIB // PAGE


def available():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))


class LargeParent(LimitsTest):
    def setUp(self):
        super().setUp()
        if available() < (MEBIBYTES + 1024) * MIB:
            self.skipTest(f"less than {MEBIBYTES + 1024} MiB of memory are free")

    def test_four_gibibytes(self):
        alone = subprocess.run([SIZES, "big", str(MEBIBYTES), str(WRITTEN)], input="\n", capture_output=True, text=True, check=True).stdout
        alone = {line.split()[1]: int(line.split()[2]) for line in alone.splitlines() if line.startswith("figure")}
        sized = self.sized("big", MEBIBYTES, WRITTEN)
        sized.until_ready()
        ((parent, start, pages),), ((child, _, _),) = sized.claims["region"], sized.claims["writer"]
        self.assertEqual(pages, PAGES)
        private = smaps(child, start, pages * PAGE)["Private_Dirty"]
        self.assertEqual(private, WRITTEN * PAGE)
        sized.go_on()
        trace = sized.end()
        self.assert_nothing_lost(trace)
        self.assert_all_explained(trace)
        step = PAGES // WRITTEN
        self.assert_exactly(trace, {(child, start + index * step * PAGE) for index in range(WRITTEN)}, [(start, start + pages * PAGE)])
        process = trace.process(child)
        self.assertGreaterEqual(process["inherited_bytes"], MEBIBYTES * MIB)
        self.assertGreaterEqual(process["still_shared_bytes"], (PAGES - WRITTEN) * PAGE)
        # At most two at one time: what the child inherited and what it, or its parent, has in the end.
        self.assert_memory(sized, trace, 2 * PAGES)
        self.assertEqual(trace.process(parent)["audit"]["unexplained"], 0)
        self.figures("large_parent", mebibytes=MEBIBYTES, written_pages=WRITTEN, smaps_pages=private // PAGE, reported_pages=len(trace.copies([(start, start + pages * PAGE)])),
                     fork_alone_ms=round(alone["fork_ns"] / 1e6), fork_ms=round(sized.figures["fork_ns"] / 1e6), child_starts_alone_ms=round(alone["child_ns"] / 1e6),
                     child_starts_ms=round(sized.figures["child_ns"] / 1e6), peak_mib=round(sized.peak.bytes / MIB), bound_mib=round(most_memory(trace, 2 * PAGES) / MIB))


if __name__ == "__main__":
    unittest.main()
