#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Python programs that write to known objects after a fork, under every interpreter of this machine: the report names the objects,
their parts, the causes and the lines that the programs themselves announce (tests/programs/python/expectations.py).
pythons.py says which interpreters.
"""
import os
import pathlib
import sys
import unittest

from support import SOURCE, IntegrationTest

PYTHON_PROGRAMS = SOURCE / "tests" / "programs" / "python"
SEED_PROGRAMS = SOURCE / "tests" / "programs" / "seed"

sys.path.insert(0, str(PYTHON_PROGRAMS))
import expectations  # noqa: E402
from pythons import furnish, interpreters, parse_interpreters, place  # noqa: E402

NO_PROGRAMS = ("expectations.py", "forked.py")
SKIPPED = 77


def total(counts, pattern):
    return sum(count for name, count in counts.items() if expectations.matches(pattern, name))


def causes(by_cause):
    return {cause: row["breaks"] for cause, row in by_cause.items()}


class Checker:
    """Holds one report against expectations."""

    def __init__(self, report):
        self.report = report
        first = report["processes"][0]["process"]
        self.parent = {first}
        self.child = {process["process"] for process in report["processes"] if process["forked_from"] == first}

    def writers(self, expected):
        return getattr(self, expected["process"])

    def objects(self, expected):
        """The written objects that have the name and the type, in the process."""
        return [item for item in self.report["objects"]
                if item["breaks"] and expectations.matches(expected["object"], item["name"])
                and expectations.matches(expected["type"], item["type"] or "") and self.writers(expected).intersection(item["processes"])]

    def page_breaks(self, expected, objects=None):
        """Breaks of the process's pages by the cause; only those of the objects, if given."""
        ids = None if objects is None else {item["id"] for item in objects}
        return sum(page["breaks"] for page in self.report["pages"]
                   if page["process"] in self.writers(expected) and expectations.matches(expected["cause"], page["cause"])
                   and (ids is None or page["object"] in ids))

    @staticmethod
    def is_at(expected, stack):
        frames = [frame for frame in stack if frame["kind"] == "python"]
        if expected["frame"] == "inner":
            frames = frames[:1]
        return any((frame["function"].rpartition(".")[2], pathlib.PurePath(frame["file"] or "").name, frame["line"])
                   == (expected["function"], expected["file"], expected["line"]) for frame in frames)

    def site_breaks(self, expected):
        return sum(total(causes(site["by_cause"]), expected["cause"]) for site in self.report["sites"] if self.is_at(expected, site["stack"]))

    def missing(self, expected):
        """What an expectation of breaks lacks, as a list of sentences."""
        least, problems = expected["at-least"], []
        site = self.site_breaks(expected)
        if site < least:
            problems.append(f"{site} breaks at this line")
        if expected["named"] == "maybe":
            return problems
        objects = self.objects(expected)
        if not objects:
            return [*problems, f"no such object among {sorted({item['name'] for item in self.report['objects'] if item['breaks']})[:40]}"]
        fields = sum(total(item["fields"], expected["field"]) for item in objects)
        if expected["field"] and fields < least:
            problems.append(f"{fields} breaks in this field, of {[item['fields'] for item in objects[:5]]}")
        pages = self.page_breaks(expected, objects)
        if pages < least:
            problems.append(f"{pages} breaks of its pages by this cause, of {[item['by_cause'] for item in objects[:5]]}")
        return problems

    def too_many(self, limit):
        """What exceeds an upper bound, as a list of sentences."""
        objects = None if limit["object"] is limit["type"] is limit["field"] is None else self.objects(limit)
        breaks = self.page_breaks(limit, objects)
        if limit["field"]:
            breaks = min(breaks, sum(total(item["fields"], limit["field"]) for item in objects))
        return [f"{breaks} breaks"] if breaks > limit["breaks"] else []

    def problems(self, listed, version):
        """One line for each expectation that does not hold."""
        for expected in listed:
            if expectations.holds_for(expected, version):
                wrong = self.missing(expected) if expected["kind"] == "expect" else self.too_many(expected)
                if wrong:
                    said = {key: value for key, value in expected.items() if value and key not in ("kind", "since", "until", "file")}
                    yield f"{expected['file']}:{expected['line']}: {said}: {'; '.join(wrong)}"


class PythonPrograms(IntegrationTest):
    """A method for each program is added below."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.interpreters = interpreters()
        if not cls.interpreters:
            raise unittest.SkipTest("no interpreter: scripts/pythons.sh unpacks some")
        furnish({one.root for one in cls.interpreters if one.root != pathlib.Path("/")})

    def run_program(self, interpreter, path):
        """The trace of a program, or None when it cannot run here."""
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        folder = place(self, interpreter, path.parent)
        trace = self.trace(*interpreter.command(folder / path.name), options=("-q",), status=None, env=environment)
        if trace.returncode == SKIPPED:
            return None
        self.assertEqual(trace.returncode, 0, trace.stderr)
        self.assert_nothing_lost(trace)
        return trace

    def check_program(self, path):
        listed = expectations.load(path)
        self.assertTrue(listed, "it expects nothing")
        for interpreter in self.interpreters:
            with self.subTest(interpreter=str(interpreter)):
                trace = self.run_program(interpreter, path)
                if trace is None:
                    self.skipTest("it lacks something")
                self.assertEqual("\n".join(Checker(trace.report).problems(listed, interpreter.version)), "")

    def check_seed(self, path):
        """A Pool has five workers. What they print is not looked at: the Pool ends them when it likes, and their pieces mix."""
        for interpreter in self.interpreters:
            with self.subTest(interpreter=str(interpreter)):
                trace = self.run_program(interpreter, path)
                workers = [process for process in trace.processes[1:] if process["breaks"]]
                self.assertGreaterEqual(len(workers), 5, trace.processes)


def add_programs(folder, check):
    for path in sorted(folder.glob("*.py")):
        if path.name not in NO_PROGRAMS:
            setattr(PythonPrograms, f"test_{folder.name}_{path.stem}", lambda self, path=path: check(self, path))


add_programs(PYTHON_PROGRAMS, PythonPrograms.check_program)
add_programs(SEED_PROGRAMS, PythonPrograms.check_seed)


class Checking(unittest.TestCase):
    """The checker itself, on reports made for it: whatever is taken away is missed."""

    SOURCE = "def f():\n    X['n'] = 1  # expect: object=__main__.X type=dict field=\"keys entry 'n'\" cause=container\n"

    def setUp(self):
        self.listed = expectations.parse(self.SOURCE, "x.py")
        frame = {"kind": "python", "function": "f", "file": "/srv/x.py", "line": 2}
        by_cause = {"container": {"breaks": 1, "bytes": 4096}}
        self.report = {
            "processes": [{"process": 0, "forked_from": None}, {"process": 1, "forked_from": 0}],
            "objects": [{"id": 3, "name": "__main__.X", "type": "dict", "fields": {"keys entry 'n'": 1}, "breaks": 1, "processes": [1],
                         "by_cause": by_cause}],
            "sites": [{"stack": [{**frame, "kind": "native"}, frame], "by_cause": by_cause}],
            "pages": [{"process": 1, "object": 3, "breaks": 1, "cause": "container"}]}

    def problems(self, version=(3, 11, 2)):
        return list(Checker(self.report).problems(self.listed, version))

    def test_what_is_there_is_found(self):
        self.assertEqual(self.problems(), [])

    def test_what_differs_is_missed(self):
        for section, key, value in (("objects", "name", "__main__.Y"), ("objects", "type", None), ("objects", "fields", {"refcount": 1}),
                                    ("objects", "processes", [0]), ("sites", "by_cause", {}), ("sites", "stack", []),
                                    ("pages", "object", None), ("pages", "cause", "unknown"), ("pages", "process", 0)):
            with self.subTest(section=section, key=key):
                self.setUp()
                self.report[section][0][key] = value
                self.assertEqual(len(self.problems()), 1)

    def test_another_line_or_function(self):
        for key, value in (("line", 3), ("function", "g"), ("file", "y.py")):
            self.setUp()
            self.report["sites"][0]["stack"][1][key] = value
            self.assertEqual(len(self.problems()), 1)

    def test_only_the_innermost_frame_counts_unless_any_may(self):
        self.report["sites"][0]["stack"].insert(1, {"kind": "python", "function": "g", "file": "z.py", "line": 9})
        self.assertEqual(len(self.problems()), 1)
        self.listed = expectations.parse(self.SOURCE.replace("cause", "frame=any cause"), "x.py")
        self.assertEqual(self.problems(), [])

    def test_versions(self):
        self.listed = expectations.parse(self.SOURCE.replace("cause", "since=3.12 cause"), "x.py")
        self.report["objects"] = []
        self.assertEqual(self.problems(), [])
        self.assertEqual(len(self.problems((3, 12, 1))), 1)

    def test_an_upper_bound(self):
        for text, exceeded in (("breaks=0", True), ("breaks=1", False), ("breaks=0 cause=gc-header", False), ("breaks=0 object=*.X", True),
                               ("breaks=0 object=*.X field=refcount", False), ("breaks=0 process=parent", False)):
            with self.subTest(text):
                self.listed = expectations.parse(f"def f():\n    # at-most: {text}\n    g()\n", "x.py")
                self.assertEqual(len(self.problems()), int(exceeded))

    def test_comments_that_say_nothing(self):
        for text in ("expect: colour=red", "expect: object", "at-most: cause=value", "expect: frame=outer", "expect: object='x"):
            with self.subTest(text), self.assertRaises(ValueError):
                expectations.parse(f"x = 1  # {text}\n", "x.py")

    def test_interpreters_of_a_list(self):
        found = parse_interpreters("3.14.0\t/a\t/usr/bin/p\n3.7.1\t/\t/usr/bin/q\n3.13.1t\t/\t/usr/bin/r\n3.15.0a2\t/\t/usr/bin/s\n")
        self.assertEqual([one.version for one in found], [(3, 14, 0), (3, 15, 0)])
        self.assertEqual(found[0].command("x.py"), ["chroot", pathlib.Path("/a"), "/usr/bin/p", "-B", "x.py"])


if __name__ == "__main__":
    unittest.main()
