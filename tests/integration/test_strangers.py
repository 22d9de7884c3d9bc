#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Processes that do not belong to the family are in no report, even where the kernel gives them memory of tasks that did.

A stranger forks beside the family, as fast as it can: the kernel takes the task_structs of both from the same place. Some kernels free
one task in some hundreds without sched_process_free; only there can this fail.
"""
import pathlib
import subprocess
import unittest

from support import PAGE, IntegrationTest, program, wait_until

STORM = program("fork_storm")
CHILDREN = 1500
PAGES = 3


def claims(stdout):
    """pid -> pages that the child of this number wrote; a number may have been used twice."""
    written = {}
    for line in stdout.decode().splitlines():
        _, pid, address, count = line.split()
        for index in range(int(count)):
            key = (int(pid), int(address, 16) + index * PAGE)
            written[key] = written.get(key, 0) + 1
    return written


class Strangers(IntegrationTest):
    def start_stranger(self):
        stranger = self.start(STORM, "stranger", 0, 2 * PAGES, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: pathlib.Path(f"/proc/{stranger.pid}/comm").read_text(encoding="ascii") == "stranger\n", "the stranger begins")
        return stranger

    def check(self, *options):
        stranger = self.start_stranger()
        trace = self.trace(STORM, "family", CHILDREN, PAGES, options=("-q", *options))
        self.assertIsNone(stranger.poll())
        written = claims(trace.stdout)
        known = {pid for pid, _ in written} | {trace.processes[0]["pid"]}
        odd = [(p["pid"], p["command"]) for p in trace.processes if p["pid"] not in known]
        self.assertEqual(odd, [])
        self.assertEqual({p["command"] for p in trace.processes} - {"family", "true"}, set())
        self.assertEqual(len(trace.processes), CHILDREN + 1)
        first = min(page for _, page in written)
        self.assertEqual(trace.copies([(first, first + PAGES * PAGE)]), written)
        self.assert_nothing_lost(trace)

    def test_that_fork_beside_a_family_that_does_not_stop(self):
        self.check("--snapshot", "off")

    def test_that_fork_beside_a_family_that_is_stopped_at_each_fork(self):
        self.check()


if __name__ == "__main__":
    unittest.main()
