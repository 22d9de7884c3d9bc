#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What cowtrace top costs while a program breaks pages at a steady rate."""
import itertools
import os
import pathlib
import subprocess
import time
import unittest

from support import COWTRACE, wait_until
from test_top import TopTest

# At 1,000 breaks a second, in processor time of all of its threads; measured: 0.5 %.
MOST_OF_A_CORE = 0.02


class Cost(TopTest):
    def test_cost(self):
        terminal = self.start_steady(pages=16_000, rate=1000)
        find = ["pgrep", "-f", f"^{COWTRACE} top .*{self.directory}"]
        pid = int(wait_until(lambda: subprocess.run(find, capture_output=True, text=True, check=False).stdout.split(), "it runs")[0])
        # Its start, the walk of the heap and finding the names of the sites, each of which is done once, are not what is measured.
        wait_until(lambda: "write_page (steady.py" in terminal.screen() and "(name pending)" not in terminal.screen(), "the sites have names")
        time.sleep(1)

        def cpu_seconds():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        def of_threads():
            return {task.name: int((task / "schedstat").read_text(encoding="utf-8").split()[0]) / 1e6
                    for task in pathlib.Path(f"/proc/{pid}/task").iterdir()}

        began, spent, threads = time.monotonic(), cpu_seconds(), [of_threads()]
        for _ in range(8):
            time.sleep(1)
            threads.append(of_threads())
        share = (cpu_seconds() - spent) / (time.monotonic() - began)
        when = "\n".join(" ".join(f"{ms - before.get(thread, 0):6.1f}" for thread, ms in after.items())
                         for before, after in itertools.pairwise(threads))
        self.assertFalse((self.directory / "settled").exists(), "it was at work all the time")
        self.wait_settled()
        self.go()
        _, report = self.finished()
        print(f"cowtrace top at 1,000 breaks/s: {share:.2%} of a core")
        self.assertGreaterEqual(report["totals"]["breaks"], 16_000)
        self.assertLessEqual(share, MOST_OF_A_CORE, f"milliseconds of each thread in each second:\n{when}")


if __name__ == "__main__":
    unittest.main()
