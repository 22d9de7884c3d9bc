#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A write that takes no page fault, through /proc/PID/mem, is the one page that the audit cannot explain: no more, no less.

So is what mlock, MADV_POPULATE_WRITE and MADV_COLLAPSE copy, under the name of what it is.
"""
import subprocess
import unittest

from support import COWTRACE, PAGE, TIMEOUT, IntegrationTest, program


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
        _, stderr = running.communicate(timeout=TIMEOUT)
        self.assertEqual(running.returncode, 0, stderr)
        self.check(self.loaded(0, line, stderr.decode(), path), child, address)

    def test_without_a_remote_write_nothing_is_unexplained(self):
        trace = self.trace(program("remote_write"), "outside", status=99)  # standard input ends at once: nobody writes
        self.assertEqual(trace.audited("unexplained"), 0)
        self.assertNotIn("UNEXPLAINED", trace.stderr)


class Filled(IntegrationTest):
    """The program says how many of the pages that it filled have another frame than before: copies that raise no page fault."""

    def check(self, how, reason, spot):
        trace = self.trace(program("fill_inherited"), how)
        word, pid, address, pages, changed = trace.stdout.decode().split()
        if word == "cannot":
            self.skipTest(f"this kernel has no {how}")
        start, child = int(address, 16), trace.process(int(pid))
        copied = sum(trace.copies([(start, start + int(pages) * PAGE)]).values())
        audit = child["audit"]
        self.assertGreater(int(changed), 0)
        self.assertEqual(copied + audit["unexplained"], int(changed), audit)
        blind = spot in " ".join(trace.capture["blind_spots"])
        self.assertEqual(blind, audit["unexplained"] > 0, trace.capture["blind_spots"])
        if blind:
            self.assertEqual(audit["reasons"], {reason: int(changed)})

    def test_mlock(self):
        self.check("mlock", "locked", "mlock")

    def test_populate_write(self):
        self.check("populate", "remote-write", "MADV_POPULATE_WRITE")

    def test_collapse(self):
        self.check("collapse", "huge-page", "MADV_COLLAPSE")


if __name__ == "__main__":
    unittest.main()
