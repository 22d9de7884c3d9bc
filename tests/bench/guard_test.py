#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A guard that lets everything through guards nothing: budgets that are false, and what guard.py says of them. COWTRACE_BIN is where cowtrace was built."""
import contextlib
import io
import json
import os
import pathlib
import tempfile
import unittest

import guard

BUDGETS = json.loads(pathlib.Path(guard.__file__).with_name("budgets.json").read_text(encoding="utf-8"))
PATH, PROGRAM = "decode", "fault_done"


class Guard(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="cowtrace-guard-")
        self.addCleanup(scratch.cleanup)
        self.file = pathlib.Path(scratch.name) / "budgets.json"

    def run_guard(self, *options, path=1.0, program=1.0, bpf_name=PROGRAM):
        """With the true budgets of one path and one program, times `path` and `program`."""
        true = BUDGETS["paths"][PATH]
        self.file.write_text(json.dumps({"paths": {PATH: {**true, "instructions_per_item": true["instructions_per_item"] * path}},
                                         "bpf": {bpf_name: BUDGETS["bpf"][PROGRAM] * program}}), encoding="utf-8")
        self.printed, self.errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(self.printed), contextlib.redirect_stderr(self.errors):
            return guard.main(["--bin", os.environ["COWTRACE_BIN"], "--budgets", str(self.file), *options])

    def line_of(self, name):
        return next(line for line in self.printed.getvalue().splitlines() if f" {name}: " in line)

    def test_what_is_within_its_budget_is_kept(self):
        self.assertEqual(self.run_guard(path=0.97, program=0.99), 0)
        self.assertTrue(self.line_of(PATH).startswith("kept"))
        self.assertTrue(self.line_of(PROGRAM).startswith("kept"))

    def test_more_instructions_than_the_budget_fail(self):
        self.assertEqual(self.run_guard(path=0.8), 1)
        self.assertRegex(self.line_of(PATH), r"^MISSED .* \+2[456]\.\d% .*callgrind_annotate .*scripts/bench\.sh guard --record$")
        self.assertTrue(self.line_of(PROGRAM).startswith("kept"))

    def test_a_longer_program_fails(self):
        self.assertEqual(self.run_guard(program=0.8), 1)
        self.assertRegex(self.line_of(PROGRAM), r"^MISSED .* \+2[456]\.\d% .*llvm-objdump-14 .*scripts/bench\.sh guard --record$")

    def test_far_fewer_say_that_the_budget_can_be_lowered(self):
        self.assertEqual(self.run_guard(path=1.5, program=1.5), 0)
        for name in (PATH, PROGRAM):
            self.assertRegex(self.line_of(name), r"^lower .*can be lowered: scripts/bench\.sh guard --record$")

    def test_what_cannot_be_counted_fails(self):
        self.assertEqual(self.run_guard(bpf_name="gone"), 1)
        self.assertIn("no program gone", self.errors.getvalue())

    def test_only_what_is_named(self):
        self.assertEqual(self.run_guard(PATH, path=0.97, program=0.5), 0)
        self.assertNotIn(PROGRAM, self.printed.getvalue())
        with self.assertRaises(SystemExit) as wrong:
            self.run_guard("nothing")
        self.assertEqual(wrong.exception.code, 2)

    def test_recording_makes_it_the_budget(self):
        self.assertEqual(self.run_guard("--record", path=0.5, program=0.5), 0)
        recorded = json.loads(self.file.read_text(encoding="utf-8"))
        for now, true in ((recorded["paths"][PATH]["instructions_per_item"], BUDGETS["paths"][PATH]["instructions_per_item"]),
                          (recorded["bpf"][PROGRAM], BUDGETS["bpf"][PROGRAM])):
            self.assertAlmostEqual(now / true, 1, delta=guard.PATH_MAY_GROW)
        self.assertEqual(guard.main(["--bin", os.environ["COWTRACE_BIN"], "--budgets", str(self.file)]), 0)


if __name__ == "__main__":
    unittest.main()
