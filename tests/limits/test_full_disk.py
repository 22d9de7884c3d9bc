#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that fills up while cowtrace records: one line, the command's own status, and nothing that only looks like a report."""
import json
import subprocess
import unittest

from measuring import COWTRACE, MIB, LimitsTest
from support import SCENARIO, TIMEOUT, load

CHILDREN, PAGES = 20, 10_000  # some 1.6 MB of trace, and 60 MB of JSON


class FullDisk(LimitsTest):
    def setUp(self):
        super().setUp()
        self.disk = self.directory / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", self.disk], check=True)
        self.truth = self.directory / "truth.json"

    def fill(self, size):
        """Somebody else's file, so that less is free."""
        (self.disk / "filler").write_bytes(bytes(size))

    def record(self, suffix, status, *more):
        """A storm with its report on the full disk; what is left of that."""
        path = self.disk / f"x.{suffix}"
        storm = f"{SCENARIO} storm --children {CHILDREN} --pages {PAGES} --truth {self.truth}"
        done = self.cowtrace("-q", "-o", path, *more, "--", "sh", "-c", f"{storm} && exit {status}")
        self.assertEqual(done.returncode, status or 125)
        self.assert_one_error_line(done.stderr, path.name)
        # The storm did what it does, and knows nothing of the disk.
        truth = load(self.truth)
        self.assertEqual(sum(len(process["copied"]) for process in truth["processes"]), truth["copied_pages_expected"])
        self.assertGreaterEqual(truth["copied_pages_expected"], CHILDREN * PAGES)
        return path, done.stderr.decode()

    def test_a_trace_can_be_read_as_far_as_it_goes(self):
        self.fill(MIB // 2)
        good = self.directory / "good.json"
        path, said = self.record("cow", 3, "-o", good)
        self.assertIn("No space left on device", said)
        self.assertIn("what it holds can be read", said)
        # The other report is whole.
        self.assertGreaterEqual(load(good)["totals"]["breaks"], CHILDREN * PAGES)
        size = path.stat().st_size
        self.assertLess(size, MIB)
        read = subprocess.run([COWTRACE, "report", path, "--format", "json"], capture_output=True, check=False, timeout=TIMEOUT)
        self.assertEqual((read.returncode, read.stderr), (0, b""))
        report = json.loads(read.stdout)
        self.assertIn("the trace is incomplete", " ".join(report["capture"]["notes"]))
        self.assertGreater(report["capture"]["events"], CHILDREN * PAGES // 10)
        self.assertLess(report["capture"]["events"], CHILDREN * PAGES)
        self.figures("full_disk", free_kib=512, recorded_breaks=CHILDREN * PAGES, readable_breaks=report["capture"]["events"])

    def assert_says_so(self, path):
        """Nothing of the report, but the words that it is not whole."""
        self.assertLess(path.stat().st_size, 2048)
        self.assertIn("this report is incomplete", path.read_text(encoding="utf-8"))

    def test_a_report_that_does_not_fit_says_so(self):
        self.fill(MIB * 3 // 4)  # an HTML report of all this would have room, or nearly
        for suffix, status in (("json", 0), ("json", 3), ("html", 0), ("jsonl", 3)):
            with self.subTest(suffix=suffix, status=status):
                path, said = self.record(suffix, status)
                self.assertIn("No space left on device", said)
                self.assertIn("it says that it is incomplete", said)
                self.assert_says_so(path)
                path.unlink()

    def test_rendering_onto_it(self):
        trace = self.directory / "x.cow"
        self.assertEqual(self.cowtrace("-q", "-o", trace, "--", SCENARIO, "storm", "--children", 4, "--pages", PAGES).returncode, 0)
        done = self.cowtrace("report", trace, "-o", self.disk / "x.json")
        self.assertEqual(done.returncode, 1)
        self.assert_one_error_line(done.stderr, "x.json", "it says that it is incomplete")
        self.assert_says_so(self.disk / "x.json")

    def test_no_room_for_anything(self):
        """Not even for the first frame: the file is empty, and said to be no trace."""
        self.fill(MIB)
        path, said = self.record("cow", 0)
        self.assertNotIn("can be read", said)
        self.assertEqual(path.stat().st_size, 0)
        read = self.cowtrace("report", path)
        self.assertEqual(read.returncode, 1)
        self.assert_one_error_line(read.stderr, "x.cow")


if __name__ == "__main__":
    unittest.main()
