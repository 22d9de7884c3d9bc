#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's DataLoader with workers: samples in a list of Python objects are copied by reading them, samples in a tensor are not."""
import unittest

from app_test import PROGRAMS, PYTHON, AppTest, needs

WORKERS = 2
LIST = 4 << 20  # of loader.py, no less: 200,000 floats


class DataLoader(AppTest):
    def setUp(self):
        super().setUp()
        needs(self, "torch")

    def load(self, kind):
        trace = self.watched(PYTHON, "-B", PROGRAMS / "loader.py", kind)
        self.assert_nothing_lost(trace)
        changes = self.witness.changes()
        self.assertEqual(len(changes), WORKERS)
        self.assert_same_pages(trace.copies(), changes)
        self.assert_smaps(trace.copies(), changes)
        return trace

    def test_list(self):
        trace = self.load("list")
        self.assertGreater(self.copied_of(trace, "__main__.SAMPLE_DATA"), WORKERS * LIST)
        self.assertIn("refcounts", {row["id"] for row in trace.report["advice"]})

    def test_tensor(self):
        """It is not copied; but each sample is an object, and so many objects make the garbage collector look at everything else."""
        trace = self.load("tensor")
        self.assertLess(self.copied_of(trace, "__main__.SAMPLE_DATA"), LIST / 64)
        self.assertGreater(trace.report["totals"]["by_cause"]["gc-header"]["bytes"], LIST)

    def test_tensor_by_the_batch(self):
        trace = self.load("batches")
        self.assertLess(self.copied_of(trace, "__main__.SAMPLE_DATA"), LIST / 64)
        self.assertLess(trace.report["totals"]["by_cause"]["gc-header"]["bytes"], LIST / 4)


if __name__ == "__main__":
    unittest.main()
