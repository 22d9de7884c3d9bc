#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""validate_report.py accepts the golden reports and refuses each way of breaking one."""
import copy
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parent
SCHEMA = TESTS.parent / "docs" / "report.schema.json"
GOLDEN = [path for path in sorted((TESTS / "golden").glob("*.json")) if not path.name.endswith(".speedscope.json")]


def validate(*arguments):
    command = [sys.executable, TESTS / "validate_report.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def repeat_a_page(report):
    report["pages"].append(copy.deepcopy(report["pages"][0]))


BREAKS = {
    "no section": lambda report: report.pop("sites"),
    "no nested key": lambda report: report["capture"].pop("lost_events"),
    "no mechanism": lambda report: report["totals"]["by_mechanism"].pop("reuse"),
    "another schema": lambda report: report.update(schema="cowtrace.report/2"),
    "a number as address": lambda report: report["pages"][0].update(address=4096),
    "an address in upper case": lambda report: report["pages"][0].update(written="0XAB"),
    "a negative count": lambda report: report["totals"].update(breaks=-1),
    "a text as count": lambda report: report["processes"][0].update(breaks="1"),
    "an unknown cause": lambda report: report["pages"][0].update(cause="bad luck"),
    "an unknown mechanism": lambda report: report["pages"][0]["by_mechanism"].update(magic=1),
    "an unknown kind": lambda report: report["objects"][0].update(kind="thing"),
    "null in place of a list": lambda report: report.update(advice=None),
    "a local time": lambda report: report["capture"].update(started_at="2025-11-22 23:00:00"),
    "a missing object": lambda report: report["pages"][0].update(object=10**6),
    "a missing process": lambda report: report["timeline"][0].update(process=10**6),
    "a page twice": repeat_a_page,
    "causes that do not add up": lambda report: report["totals"].update(by_cause={}),
    "an audit that does not add up": lambda report: report["processes"][1]["audit"].update(explained=39),
}


class ValidateReport(unittest.TestCase):
    def test_golden_reports_are_valid(self):
        self.assertGreaterEqual(len(GOLDEN), 2)
        result = validate("--strict", SCHEMA, *GOLDEN)
        self.assertEqual((result.returncode, result.stdout), (0, ""), result.stderr)

    def test_broken_reports_are_refused(self):
        story = json.loads((TESTS / "golden" / "story.json").read_text(encoding="utf-8"))
        for name, spoil in BREAKS.items():
            with self.subTest(name), tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                report = copy.deepcopy(story)
                spoil(report)
                json.dump(report, file)
                file.flush()
                result = validate(SCHEMA, file.name)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertIn(file.name, result.stdout)

    def test_new_keys_are_refused_only_when_strict(self):
        story = json.loads((TESTS / "golden" / "story.json").read_text(encoding="utf-8"))
        story["capture"]["of_the_future"] = 1
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(story, file)
            file.flush()
            self.assertEqual(validate(SCHEMA, file.name).returncode, 0)
            self.assertEqual(validate("--strict", SCHEMA, file.name).returncode, 1)

    def test_what_is_not_a_report_is_refused(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"schema": ')
            file.flush()
            self.assertEqual(validate(SCHEMA, file.name).returncode, 1)
        self.assertEqual(validate(SCHEMA, "/nonexistent.json").returncode, 1)
        self.assertEqual(validate("/nonexistent.json", GOLDEN[0]).returncode, 2)


if __name__ == "__main__":
    unittest.main()
