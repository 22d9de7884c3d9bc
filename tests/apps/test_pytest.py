#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A test suite under a budget of copied memory: kept with an array, exceeded with a list, and a test that fails is told first."""
import unittest

from app_test import PROGRAMS, PYTHON, AppTest, needs

BUDGET = "16MiB"
SUITE = (PYTHON, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", PROGRAMS / "workers_test.py")
WORKERS = 4


class Suite(AppTest):
    def setUp(self):
        needs(self, "pytest")
        super().setUp()

    def check(self, status, verdict, *words, **environment):
        trace = self.trace(*SUITE, *words, options=("-q", "--max-copied", BUDGET), status=status, env={**self.witness.environment, **environment})
        self.assert_nothing_lost(trace)
        self.assertRegex(trace.stderr.splitlines()[-1], rf"\Acowtrace: budget {verdict}: the family copied [0-9.]+ MiB")
        return trace

    def check_copies(self, trace):
        changes = self.witness.changes()
        self.assertEqual(len(changes), WORKERS)
        copies = trace.copies()
        self.assert_same_pages(copies, changes)
        self.assert_smaps(copies, changes)

    def test_an_array_keeps_the_budget(self):
        trace = self.check(0, "kept")
        self.assertIn(b"1 passed", trace.stdout)
        self.check_copies(trace)

    def test_a_list_exceeds_it(self):
        trace = self.check(124, "EXCEEDED", PRICES="list")
        self.assertIn(b"1 passed", trace.stdout)
        self.check_copies(trace)

    def test_a_failing_test_is_told_first(self):
        failing = self.directory / "failing_test.py"
        failing.write_text("def test_that_fails():\n    assert False\n", encoding="utf-8")
        trace = self.check(1, "EXCEEDED", failing, PRICES="list")
        self.assertIn(b"1 failed, 1 passed", trace.stdout)


if __name__ == "__main__":
    unittest.main()
