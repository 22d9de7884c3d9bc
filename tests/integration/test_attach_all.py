#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""cowtrace attach --all: every process of the machine, of which there are many beside other tests, with more events than it can keep up with."""
import os
import unittest

from attaching import AttachTest
from running import LongRunning


class AttachAll(AttachTest):
    def test_the_whole_machine(self):
        one, two = LongRunning(self), LongRunning(self)
        before = [program.frames() for program in (one, two)]
        child = self.attach("--all")
        for program in (one, two):
            program.do("write")
        after = [program.frames() for program in (one, two)]
        trace = self.report(child)
        for program, then, now in zip((one, two), before, after):
            self.assertEqual(len(self.assert_same_pages(trace, program, then, now)), 200)
        self.assertNotIn(child.pid, {process["pid"] for process in trace.processes})
        self.assertIn(os.getpid(), {process["pid"] for process in trace.processes})


if __name__ == "__main__":
    unittest.main()
