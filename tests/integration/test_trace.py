# SPDX-License-Identifier: Apache-2.0
"""Trace files: rendered again they give what the run itself wrote, anywhere; killed or cut off they give what was there."""
import json
import os
import re
import shutil
import signal
import subprocess
import unittest

from support import COWTRACE, SCENARIO, SOURCE, TIMEOUT, IntegrationTest, children_of, load, program, wait_until

PROTO = SOURCE / "src" / "trace" / "trace.proto"
MOST_BYTES_A_BREAK = 16
PYTHON = """
import os
RULES = [{"id": i, "name": "rule %d" % i} for i in range(3000)]
for _ in range(2):
    if os.fork() == 0:
        total = sum(rule["id"] for rule in RULES)
        RULES[7]["name"] = "<b>new</b>"
        os._exit(0)
for _ in range(2):
    os.wait()
"""
POOL = """
import multiprocessing
RULES = [{"id": i, "name": "rule %d" % i} for i in range(3000)]
def work(first):
    RULES[first]["name"] = "new"
    return sum(rule["id"] for rule in RULES[first:])
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(work, range(6))
"""
# What decides on what is recorded.
OPTIONS = ((), ("--allocators",), ("--detail", "counts"), ("--snapshot", "passive"), ("--stacks", "none"),
           ("--watch", "__main__.RULES[7]", "--allocators"))
# Every suffix of the interface that is a rendering.
SUFFIXES = ("json", "html", "txt", "folded", "speedscope.json", "pb.gz", "pftrace", "jsonl")


class TraceTest(IntegrationTest):
    def record(self, *options, command):
        """Runs `command` with a trace and every format; the paths of the trace and of the rest."""
        trace = self.directory / "t.cow"
        files = [self.directory / f"a.{suffix}" for suffix in SUFFIXES]
        outputs = [word for file in (trace, *files) for word in ("-o", file)]
        done = self.cowtrace("-q", *outputs, *options, "--", *command)
        self.assertEqual(done.returncode, 0, done.stderr)
        return trace, files

    def report(self, *arguments, cowtrace=COWTRACE, **more):
        return subprocess.run([cowtrace, "report", *map(str, arguments)], capture_output=True, timeout=TIMEOUT, check=False, **more)

    def assert_same_reports(self, trace, files):
        again = [file.with_name("b" + file.name[1:]) for file in files]
        done = self.report(trace, *[word for file in again for word in ("-o", file)])
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        for first, second in zip(files, again):
            with self.subTest(first.name):
                # Counts have no stacks: one line.
                self.assertTrue(first.stat().st_size > 100 or re.fullmatch(rb"(scenario|python3);\(no stack\) [1-9]\d{5,}\n", first.read_bytes()), first.read_bytes())
                self.assertEqual(first.read_bytes(), second.read_bytes())


class SameReports(TraceTest):
    def test_an_experiment(self):
        self.assert_same_reports(*self.record(command=[SCENARIO, "mutate", "--pages", "700"]))

    def test_many_children(self):
        self.assert_same_reports(*self.record(command=[SCENARIO, "storm", "--pages", "200", "--children", "20"]))

    def test_counts_only(self):
        self.assert_same_reports(*self.record("--detail", "counts", command=[SCENARIO, "grandchild", "--pages", "200"]))

    def test_passive(self):
        self.assert_same_reports(*self.record("--snapshot", "passive", command=["/usr/bin/python3", "-c", PYTHON]))

    def test_python_with_a_watched_object(self):
        trace, files = self.record("--watch", "__main__.RULES[7]", command=["/usr/bin/python3", "-c", PYTHON])
        self.assertTrue(load(files[0])["watches"])
        self.assert_same_reports(trace, files)

    def test_without_root_and_without_the_program(self):
        program = self.directory / "scenario"
        shutil.copy(SCENARIO, program)
        trace, files = self.record(command=[program, "elf-data", "--pages", "50"])
        program.unlink()
        names = {frame["function"] for site in load(files[0])["sites"] for frame in site["stack"]}
        self.assertTrue(any(not name.startswith("0x") for name in names), names)
        # Others may not look into the tree where it is built: a home directory is often its owner's alone.
        copy = self.directory / "cowtrace"
        shutil.copy(COWTRACE, copy)
        self.directory.chmod(0o755)
        trace.chmod(0o644)  # new ones are their owner's alone
        done = self.report(trace, "--format", "json", cowtrace=copy, user="nobody", cwd="/")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(done.stdout, files[0].read_bytes())


class Alone(TraceTest):
    """A trace that was the only output gives what it would have given beside every other format, and what these were."""

    def check(self, command):
        for options in OPTIONS:
            with self.subTest(options=options, command=command[0]):
                trace, files = self.record(*options, command=command)
                self.assert_same_reports(trace, files)
                alone = self.directory / "alone.cow"
                done = subprocess.run([program("rerecord"), trace, alone], capture_output=True, timeout=TIMEOUT, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assert_same_reports(alone, files)

    def test_a_pool(self):
        self.check(["/usr/bin/python3", "-c", POOL])

    def test_an_experiment(self):
        self.check([SCENARIO, "mutate", "--pages", "300"])


class File(TraceTest):
    def test_protoc_reads_it(self):
        """The same events, read with zstd and protoc: tools that know nothing of ours."""
        trace, files = self.record(command=[SCENARIO, "mutate", "--pages", "300"])
        report = load(files[0])
        messages = subprocess.run(["zstd", "-dcq", trace], capture_output=True, check=True).stdout
        rows = forks = 0
        complete = False
        for message in delimited(messages):
            text = subprocess.run(["protoc", f"--proto_path={PROTO.parent}", "--decode=cowtrace.trace.Block", PROTO.name], input=message,
                                  capture_output=True, check=True, cwd=PROTO.parent).stdout.decode()
            rows += text.count("\n  actor: ")
            forks += text.count("\n  fork {")
            complete = complete or "complete: true" in text
        self.assertEqual(rows, report["capture"]["events"])
        self.assertEqual(forks, 2)
        self.assertTrue(complete)

    def test_size(self):
        trace = self.directory / "t.cow"
        done = self.cowtrace("-q", "-o", trace, "--", SCENARIO, "storm", "--pages", "5000", "--children", "20")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(trace.stat().st_size, 100_000 * MOST_BYTES_A_BREAK)

    def test_cut_off_anywhere(self):
        trace, _ = self.record(command=["/usr/bin/python3", "-c", PYTHON])
        whole = trace.read_bytes()
        cut = self.directory / "cut.cow"
        readable = 0
        for percent in range(100):
            cut.write_bytes(whole[:len(whole) * percent // 100])
            done = self.report(cut, "--format", "json")
            if done.returncode == 1:
                self.assert_one_error_line(done.stderr, "cut.cow")
                continue
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            readable += 1
            self.assertIn("the trace is incomplete", " ".join(json.loads(done.stdout)["capture"]["notes"]))
        self.assertGreater(readable, 20)

    def test_killed_while_recording(self):
        """What was broken more than a second before is in the file."""
        trace = self.directory / "t.cow"
        ready = self.directory / "ready"
        script = f"""
import mmap, os, signal, time
memory = mmap.mmap(-1, 500 * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(500): memory[page * 4096] = 1
if os.fork() == 0:
    for page in range(500): memory[page * 4096] = 2
    open({str(ready)!r}, "w").close()
    signal.pause()
os.wait()
"""
        running = self.start(COWTRACE, "-q", "-o", trace, "--", "/usr/bin/python3", "-c", script)
        wait_until(ready.exists, "the pages are broken")
        size = trace.stat().st_size
        wait_until(lambda: trace.stat().st_size > size, "they are written")
        command = children_of(running.pid)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        for pid in command:
            for child in children_of(pid):
                os.kill(child, signal.SIGKILL)
        done = self.report(trace, "--format", "json")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        report = json.loads(done.stdout)
        self.assertGreaterEqual(report["totals"]["breaks"], 500)
        self.assertEqual(len(report["processes"]), 2)

    def test_a_full_disk(self):
        full = self.full_disk() / "full.cow"
        program = (SCENARIO, "mutate", "--pages", "10000")  # some 80 KiB of trace
        done = self.cowtrace("-q", "-o", full, "--", *program)
        self.assertEqual(done.returncode, 125)
        self.assert_one_error_line(done.stderr, "full.cow", "No space left on device")
        self.assertEqual(self.cowtrace("-q", "-o", full, "--", "sh", "-c", f"{' '.join(program)}; exit 3").returncode, 3)


class Usage(TraceTest):
    def test_wrong_uses(self):
        trace, _ = self.record(command=["true"])
        for arguments, status, word in (
            ((), 2, "TRACE"),
            ((self.directory / "absent.cow",), 1, "No such file"),
            ((self.directory,), 1, "no file"),
            ((SCENARIO,), 1, "no trace"),
            ((trace, "-o", self.directory / "x.xyz"), 2, ".json"),
            ((trace, "-o", self.directory / "copy.cow"), 2, "recorded"),
            ((trace, "--format", "yaml"), 2, "yaml"),
            ((trace, "--format", "cow"), 2, "-o FILE.cow"),
            ((trace, "--color", "x"), 2, "--color"),
            ((trace, "-o", "/absent/x.json"), 2, "No such file"),
            ((trace, "--", "true"), 2, "no command"),
        ):
            with self.subTest(arguments):
                done = self.report(*arguments)
                self.assertEqual((done.returncode, done.stdout), (status, b""), done.stderr)
                self.assert_one_error_line(done.stderr, word)

    def test_what_goes_to_standard_output(self):
        trace, files = self.record(command=[SCENARIO, "mutate", "--pages", "20"])
        text = files[SUFFIXES.index("txt")].read_bytes()
        self.assertEqual(self.report(trace).stdout, text)
        self.assertEqual(self.report(trace, "-o", "-").stdout, text)
        self.assertEqual(self.report(trace, "-o", "-", "--format", "json").stdout, files[0].read_bytes())
        self.assertEqual(self.report(trace, "-o", self.directory / "x.txt").stdout, b"")
        self.assertIn(b"\x1b[", self.report(trace, "--color", "always").stdout)


def delimited(messages):
    """The messages of protobuf's usual row: each with its length before it."""
    at = 0
    while at < len(messages):
        size = shift = 0
        while True:
            byte = messages[at]
            at += 1
            size |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                break
        yield messages[at:at + size]
        at += size


if __name__ == "__main__":
    unittest.main()
