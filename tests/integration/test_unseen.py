#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A write that takes no page fault, through /proc/PID/mem, is the one page that the audit cannot explain: no more, no less."""
import subprocess
import unittest

from support import COWTRACE, PAGE, IntegrationTest, program


class Unseen(IntegrationTest):
    def check(self, trace, child, address):
        page = address & ~(PAGE - 1)
        for process in trace.processes:
            self.assertIsNotNone(process["audit"], process["audit_missing"])
            expected = 1 if process["pid"] == child else 0
            self.assertEqual(process["audit"]["unexplained"], expected, process)
        audit = trace.process(child)["audit"]
        self.assertEqual(audit["reasons"], {"remote-write": 1})
        self.assertEqual(audit["unexplained_pages"], [hex(page)])
        self.assertNotIn((child, page), trace.copies())
        self.assertIn("/proc/PID/mem", " ".join(trace.capture["blind_spots"]))
        self.assertIn("1 private page is explained by no event", trace.stderr)
        self.assertIn("UNEXPLAINED: remote-write 1", trace.stderr)

    @staticmethod
    def told(stdout):
        word, child, address = stdout.decode().split()
        assert word == "ready", stdout
        return int(child), int(address, 16)

    def test_a_write_by_the_parent(self):
        trace = self.trace(program("remote_write"), "parent")
        self.check(trace, *self.told(trace.stdout))

    def test_a_write_from_outside_the_family(self):
        path = self.directory / "report.json"
        running = self.start(COWTRACE, "-o", path, "--", program("remote_write"), "outside", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = running.stdout.readline()
        child, address = self.told(line)
        with open(f"/proc/{child}/mem", "r+b", buffering=0) as memory:
            memory.seek(address)
            self.assertEqual(memory.write(b"x"), 1)
        _, stderr = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 0, stderr)
        self.check(self.loaded(0, line, stderr.decode(), path), child, address)

    def test_without_a_remote_write_nothing_is_unexplained(self):
        trace = self.trace(program("remote_write"), "outside", status=99)  # standard input ends at once: nobody writes
        self.assertEqual(trace.audited("unexplained"), 0)
        self.assertNotIn("UNEXPLAINED", trace.stderr)


if __name__ == "__main__":
    unittest.main()
