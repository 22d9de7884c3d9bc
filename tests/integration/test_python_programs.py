#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Python programs that write to known objects after a fork, under every interpreter of this machine: the report names the objects,
their parts, the causes and the lines that the programs themselves announce (tests/programs/python/expectations.py).
pythons.py says which interpreters.
"""
import functools
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from support import COWTRACE, SOURCE, IntegrationTest, load, report_errors

PYTHON_PROGRAMS = SOURCE / "tests" / "programs" / "python"
SEED_PROGRAMS = SOURCE / "tests" / "programs" / "seed"

sys.path.insert(0, str(PYTHON_PROGRAMS))
import expectations  # noqa: E402
from python_checker import Checker, Counted, altered, disagreements  # noqa: E402
from pythons import furnish, interpreters, parse_interpreters, place  # noqa: E402

NO_PROGRAMS = ("expectations.py", "forked.py")
SKIPPED = 77
TIMEOUT = 300  # of all programs under one interpreter


# Runs programs one after the other, and notes the name, the process and the exit status of each.
RUNNER = """results=$1
run() {
  name=$1
  shift
  "$@" </dev/null &
  pid=$!
  wait $pid
  echo "$name $pid $?" >>"$results"
}
"""


class PythonPrograms:
    """All programs under one interpreter, in one capture: most of what a short run costs is its start. Subclasses, one for each
    interpreter, are made below, with a method for each program."""

    interpreter = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(lambda: [delattr(cls, name) for name in ("report", "counted")])  # they are large
        furnish_all()
        cls.run_all()

    @classmethod
    def run_all(cls):
        programs = [(path.parent.name + "_" + path.stem, path) for path in (*programs_in(PYTHON_PROGRAMS), *programs_in(SEED_PROGRAMS))]
        folders = {folder: place(cls.addClassCleanup, cls.interpreter, folder) for folder in (PYTHON_PROGRAMS, SEED_PROGRAMS)}
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="cowtrace-test-"))
        cls.addClassCleanup(shutil.rmtree, scratch, ignore_errors=True)
        script, results, report = scratch / "run.sh", scratch / "results", scratch / "report.json"
        compiled = folders[PYTHON_PROGRAMS] / "compiled"
        commands = [("run", name, *cls.interpreter.command(folders[path.parent] / path.name, compiled)) for name, path in programs]
        script.write_text(RUNNER + "".join(shlex.join(map(str, command)) + "\n" for command in commands), encoding="utf-8")
        environment = {**os.environ, "PYTHONHASHSEED": "0", **cls.interpreter.environment(compiled)}
        done = subprocess.run([COWTRACE, "run", "-q", "-o", report, "--", "/bin/sh", script, results], capture_output=True, text=True,
                              errors="replace", check=False, timeout=TIMEOUT, env=environment)
        if done.returncode != 0:
            raise AssertionError(f"cowtrace ended with {done.returncode}: {done.stderr}")
        cls.output, cls.report = done.stdout + done.stderr, load(report)
        cls.counted = Counted(cls.report)
        ended = [line.split() for line in results.read_text(encoding="ascii").splitlines()]
        cls.ended = {name: (int(pid), int(status)) for name, pid, status in ended}

    def ran(self, name):
        """The key of the process that ran a program."""
        pid, status = self.ended[name]
        if status == SKIPPED:
            self.skipTest(f"{name} lacks something: " + next((line for line in self.output.splitlines() if line.startswith("no ")), "?"))
        self.assertEqual(status, 0, self.output)
        (process,) = [process for process in self.report["processes"] if process["pid"] == pid]
        return process["process"]

    def check_program(self, name, path):
        listed = expectations.load(path)
        self.assertTrue(listed, "it expects nothing")
        checker = Checker(self.counted, self.ran(name))
        self.assertEqual("\n".join(checker.problems(listed, self.interpreter.version)), "")

    def test_every_key_of_an_expectation_counts(self):
        """With another line, object, field or cause it must not hold: or the programs would prove nothing."""
        for path in programs_in(PYTHON_PROGRAMS):
            name = f"{path.parent.name}_{path.stem}"
            if self.ended[name][1] == SKIPPED:
                continue
            checker = Checker(self.counted, self.ran(name))
            for expected in expectations.load(path):
                if expected["kind"] == "expect" and expectations.holds_for(expected, self.interpreter.version):
                    for changed in altered(expected):
                        self.assertTrue(checker.missing(changed), f"{path.name}: {changed}")

    def check_seed(self, name, _path):
        """A Pool has five workers. The Pool may terminate a worker before the worker has written anything. What the workers print is not
        looked at, for their lines mix."""
        family = {self.ran(name)}
        # Children come behind their parents. From 3.14 on they are those of the forkserver, which is a new program.
        for process in self.report["processes"]:
            if process["parent"] in family:
                family.add(process["process"])
        members = [process for process in self.report["processes"] if process["process"] in family]
        worked = [process for process in members if process["breaks"]]
        self.assertGreaterEqual(len(worked), 2, "the program and a worker")
        ended = [process for process in members if not process["breaks"] and process["end"] == {"signal": signal.SIGTERM}]
        self.assertGreaterEqual(len(worked) + len(ended), 6, "the program and its workers")

    def test_report(self):
        self.assertEqual(report_errors(self.report), [])
        for key in ("lost_events", "lost_control", "undecodable_events", "untracked_tasks"):
            self.assertEqual(self.report["capture"][key], 0, key)
        self.assertEqual([note for note in self.report["capture"]["notes"] if "ython" in note], [])

    def test_totals(self):
        """Every break has one cause, wherever it is counted; those of Python processes have one that is known."""
        programs = {pid for pid, _ in self.ended.values()}
        roots = {process["process"] for process in self.report["processes"] if process["pid"] in programs}
        forked = {process["process"] for process in self.report["processes"] if process["forked_from"] in roots}
        self.assertGreaterEqual(len(forked), len(programs_in(PYTHON_PROGRAMS)) - 1)  # one may lack its library
        self.assertEqual(list(disagreements(self.report, forked)), [])


def programs_in(folder):
    return [path for path in sorted(folder.glob("*.py")) if path.name not in NO_PROGRAMS]


@functools.cache
def furnish_all():
    """The roots of all interpreters, once for all tests."""
    furnish({one.root for one in FOUND if one.root != pathlib.Path("/")})


def add_interpreters(found):
    """A class for each interpreter. Two of one release are told apart by their place in the list."""
    for number, interpreter in enumerate(found):
        methods = {"interpreter": interpreter, "__doc__": str(interpreter)}
        for folder, check in ((PYTHON_PROGRAMS, PythonPrograms.check_program), (SEED_PROGRAMS, PythonPrograms.check_seed)):
            for path in programs_in(folder):
                name = f"{folder.name}_{path.stem}"
                methods[f"test_{name}"] = lambda self, check=check, name=name, path=path: check(self, name, path)
        name = f"Python_{'_'.join(map(str, interpreter.version))}_{number}"
        globals()[name] = type(name, (PythonPrograms, IntegrationTest), methods)


FOUND = interpreters()
add_interpreters(FOUND)


class Interpreters(unittest.TestCase):
    def test_all_of_debians_are_here(self):
        """What is not there would pass unseen."""
        if os.environ.get("COWTRACE_PYTHON_VERSIONS"):
            self.skipTest("COWTRACE_PYTHON_VERSIONS asks for some only")
        here = {one.version[:2] for one in FOUND if one.root != pathlib.Path("/")}
        self.assertEqual(here, {(3, 9), (3, 11), (3, 13), (3, 14), (3, 15)}, "scripts/pythons.sh unpacks them")


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
        return list(Checker(Counted(self.report), 0).problems(self.listed, version))

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
