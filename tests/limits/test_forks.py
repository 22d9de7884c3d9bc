#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A storm of forks: as many a second as this machine can, for ten seconds. None goes uncounted, exact snapshots do not hold it up for long, and say so."""
import subprocess
import unittest

from measuring import MIB, PAGE, SIZES, LimitsTest, most_memory

SECONDS, FORKERS = 10, 2
ALONE = 3  # seconds


def rate(figures, first, last):
    """Forks a second in the seconds [first, last)."""
    return round(sum(figures[f"second_{second}"] for second in range(first, last)) / (last - first))


class Forks(LimitsTest):
    def alone(self):
        done = subprocess.run([SIZES, "forks", str(ALONE), str(FORKERS)], capture_output=True, text=True, check=True)
        return rate({line.split()[1]: int(line.split()[2]) for line in done.stdout.splitlines() if line.startswith("figure")}, 0, ALONE)

    def check(self, sized, trace):
        forks = sized.figures["forks"]
        self.assert_every_event_is_counted(trace)
        # Every child is there, and wrote the page that all of them share. Their numbers may have been used twice.
        self.assertEqual(len(trace.processes), 1 + FORKERS + forks)
        ((_, start, _),) = sized.claims["region"]
        written = sum(trace.copies([(start, start + PAGE)]).values())
        self.assertLessEqual(written, forks)
        self.assertGreaterEqual(written + trace.capture["lost_events"], forks)
        self.assertEqual(sum(process["breaks"] for process in trace.processes), trace.report["totals"]["breaks"])
        self.assert_memory(sized, trace)

    def test_as_fast_as_it_goes(self):
        alone = self.alone()
        sized = self.sized("forks", SECONDS, FORKERS)
        trace = sized.end(valid=False)
        self.check(sized, trace)
        self.assertEqual(trace.audited("unexplained"), 0)
        note = "exact snapshots were given up, from then on nothing is audited"
        if trace.capture["snapshot"] == "exact":
            self.assertGreater(rate(sized.figures, 0, SECONDS), alone / 2)  # no reason to give them up
        else:
            self.assertIn(note, " ".join(trace.capture["notes"]))
            self.assertIn(note, trace.stderr)
        passive = self.sized("forks", ALONE, FORKERS, options=("-q", "--snapshot", "passive"))
        self.check(passive, passive.end(valid=False))
        self.figures("forks", alone_a_second=alone, exact_a_second=rate(sized.figures, 0, 1), let_go_a_second=rate(sized.figures, 5, SECONDS),
                     passive_a_second=rate(passive.figures, 0, ALONE), forks=sized.figures["forks"], processes=len(trace.processes) - 1 - FORKERS,
                     events=trace.capture["events"], lost=trace.capture["lost_events"], snapshot=trace.capture["snapshot"],
                     peak_mib=round(sized.peak.bytes / MIB), bound_mib=round(most_memory(trace) / MIB))

    def test_with_a_buffer_that_is_too_small(self):
        """What does not fit loses its detail; every process is there, and every break is somebody's."""
        sized = self.sized("forks", ALONE, FORKERS, options=("-q", "--buffer", "64KiB"))
        trace = sized.end(valid=False)
        self.check(sized, trace)
        self.figures("forks_small_buffer", forks=sized.figures["forks"], processes=len(trace.processes) - 1 - FORKERS, events=trace.capture["events"],
                     lost=trace.capture["lost_events"])

    def test_it_can_be_stopped_meanwhile(self):
        """There is always one more stop to take: a signal is not to wait for the last."""
        sized = self.sized("forks", 60, FORKERS)
        sized.read_line()
        sized.process.send_signal(15)
        trace = sized.end(status=128 + 15, valid=False, outlived=True)
        self.assertLess(trace.capture["duration_ns"], 30_000_000_000)


if __name__ == "__main__":
    unittest.main()
