#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""--watch against what the watched processes know themselves: id() of each object, and its frame in their own page tables before the fork
and after their last write (tests/programs/watched.py). Under every interpreter of this machine (pythons.py says which).
"""
import collections
import json
import re
import unittest

from pythons import furnish, interpreters, place
from support import SOURCE, IntegrationTest

PROGRAM = SOURCE / "tests" / "programs" / "watched.py"
SYSTEM_PYTHON = ("/usr/bin/python3", "-B", str(PROGRAM))
EXPRESSIONS = re.findall(r'^    "(.+)": lambda', PROGRAM.read_text(encoding="utf-8"), re.M)
LINE_OF_WRITE = {number for number, line in enumerate(PROGRAM.read_text(encoding="utf-8").splitlines(), 1)
                 if line.strip() in ("WRITTEN[0] = 0", 'TABLE["replaced"] = object()', 'del TABLE["removed"]', 'TABLE["added"] = object()',
                                     'SETTINGS.name += "y"')}


def expected_state(mine, parents):
    """From what a process said of itself, and its parent of the same expression."""
    if mine["id"] is None:
        return "missing"
    if parents["id"] != mine["id"]:
        return "replaced"
    return "shared" if mine["before"] == mine["after"] else "copied"


class WatchTest(IntegrationTest):
    def watch(self, command, *options, expressions=EXPRESSIONS):
        watches = [word for expression in expressions for word in ("--watch", expression)]
        trace = self.trace(*command, options=(*watches, *options))
        lines = [json.loads(line) for line in trace.stdout.splitlines()]
        after = {line["pid"]: line["after"] for line in lines if "after" in line}
        said = [{**line, "after": after[line["pid"]][line["expression"]]} for line in lines if "id" in line]
        self.assertEqual(len(said), 2 * len(EXPRESSIONS))
        rows = {(row["pid"], row["expression"]): row for row in trace.report["watches"]}
        return trace, said, rows

    def check_all(self, said, rows):
        parents = {line["expression"]: line for line in said if line["role"] == "parent"}
        states = collections.Counter()
        for line in said:
            row = rows[(line["pid"], line["expression"])]
            about = f"{line['role']} {line['expression']}: {row}"
            with self.subTest(line["role"], expression=line["expression"]):
                self.assertEqual(row["state"], expected_state(line, parents[line["expression"]]), about)
                self.assertEqual(row["address"], line["id"] and hex(line["id"]), about)
                if line["id"] is not None:
                    self.assertIn(row["frame"], [hex(frame) for frame in line["after"][:2]], about)
                    self.assertEqual(row["pages"], len(line["after"]), about)
                if row["state"] == "copied":
                    self.assertEqual(row["copied_pages"], sum(a != b for a, b in zip(line["before"], line["after"])), about)
                    self.assertIsNotNone(row["break"], about)
                states[row["state"]] += 1
        return states

    def test_what_the_processes_say_themselves(self):
        trace, said, rows = self.watch(SYSTEM_PYTHON)
        states = self.check_all(said, rows)
        for state in ("shared", "copied", "replaced", "missing"):
            self.assertIn(state, states)
        self.assertEqual({row["seen_at"] for row in trace.report["watches"]}, {"exit"})
        self.assertEqual(len(rows), 2 * len(EXPRESSIONS))

    def test_the_line_that_replaced_it(self):
        trace, said, rows = self.watch(SYSTEM_PYTHON)
        (child,) = {line["pid"] for line in said if line["role"] == "child"}
        row = rows[(child, "TABLE['replaced']")]
        self.assertEqual(row["slot"]["place"], "entry 'replaced' of TABLE")
        self.assertEqual(row["slot"]["state"], "copied")
        frames = [frame for frame in row["break"]["stack"] if frame["kind"] == "python"]
        self.assertTrue(frames and frames[0]["file"].endswith("watched.py"), row)
        self.assertIn(frames[0]["line"], LINE_OF_WRITE)
        self.assertIn("Watched: TABLE['replaced']", trace.stderr)
        self.assertIn("write (watched.py:", trace.stderr)

    def test_every_interpreter(self):
        found = interpreters()
        furnish({one.root for one in found})
        for one in found:
            with self.subTest(str(one)):
                folder = place(self.addCleanup, one, PROGRAM.parent)
                _, said, rows = self.watch(one.command(folder / PROGRAM.name))
                self.check_all(said, rows)

    def test_an_interpreter_that_takes_itself_apart(self):
        """What it looks like then is not what the program did: the last look before counts."""
        trace, said, rows = self.watch([*SYSTEM_PYTHON, "exit"])
        for row in trace.report["watches"]:
            self.assertIn(row["seen_at"], ("fork", "break", "clone"), row)
        for line in said:
            if line["expression"] == "sys.modules['json']":
                self.assertEqual(rows[(line["pid"], line["expression"])]["address"], hex(line["id"]))

    def test_passive(self):
        """Nothing stops: the last look is after the last break of a page that the answer relies on."""
        _, said, rows = self.watch([*SYSTEM_PYTHON, "rest"], "--snapshot", "passive")
        for line in said:
            if line["role"] == "child" and line["expression"] in ("TABLE['replaced']", "TABLE['removed']", "TABLE['added']"):
                row = rows[(line["pid"], line["expression"])]
                self.assertEqual(row["seen_at"], "break", row)
                self.assertEqual(row["state"], "missing" if line["id"] is None else "replaced", row)

    def test_no_python(self):
        trace = self.trace("/bin/sh", "-c", "true & wait", options=("--watch", "sys.modules"))
        self.assertEqual(trace.report["watches"], [])
        self.assertTrue(any("--watch" in note for note in trace.capture["notes"]), trace.capture["notes"])

    def test_expressions_that_are_none(self):
        for text, why in (("f()", "only names"), ("a[b]", "a constant is expected"), ("1", "a name"), ("a[1:2]", "']'"), ("", "a name")):
            with self.subTest(text):
                done = self.cowtrace("run", "--watch", text, "--", "true")
                self.assertEqual(done.returncode, 125)
                lines = done.stderr.decode().splitlines()
                self.assertEqual(len(lines), 1, lines)
                self.assertIn(why, lines[0])


if __name__ == "__main__":
    unittest.main()
