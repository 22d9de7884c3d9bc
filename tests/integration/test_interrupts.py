#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Signals at any moment of cowtrace's life: every file is whole or says that it is not, and the status is the command's, or that of the signal.

COWTRACE_SIGNAL_ROUNDS is the number of random moments, 12 if it is not set.
"""
import gzip
import json
import os
import random
import signal
import subprocess
import time
import unittest

from exports import Folded, Perfetto, Pprof, Speedscope
from support import COWTRACE, SCENARIO, TIMEOUT, IntegrationTest, children_of, is_running, load, report_errors, status_of, wait_until
from test_signals import ignored, pause

ROUNDS = int(os.environ.get("COWTRACE_SIGNAL_ROUNDS", "12"))
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)
SUFFIXES = ("json", "html", "txt", "jsonl", "folded", "speedscope.json", "pb.gz", "pftrace", "cow")
INCOMPLETE = "this report is incomplete, for cowtrace was ended or could not write before it was whole"

# Objects that take cowtrace a while to name, shared with two children that break some of their pages. It says that it began by the file `began`.
PROGRAM = """
import os, sys
open(sys.argv[1], "x").close()
ROWS = [{'id': i, 'tags': ['a%d' % i]} for i in range(int(sys.argv[2]))]
for _ in range(2):
    if os.fork() == 0:
        sys.exit(0)
for _ in range(2):
    os.wait()
os._exit(3)
"""
STATUS = 3


def is_incomplete_trace(read):
    return "the trace is incomplete" in " ".join(read["capture"]["notes"])


class Files(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.program = self.directory / "work.py"
        self.program.write_text(PROGRAM)
        self.began = self.directory / "began"
        self.files = [self.directory / f"x.{suffix}" for suffix in SUFFIXES]

    def start_program(self, rows, *options):
        self.began.unlink(missing_ok=True)
        for path in self.files:
            path.unlink(missing_ok=True)
        outputs = [word for path in self.files for word in ("-o", path)]
        with open(self.directory / "stderr", "wb") as stderr:
            return self.start(COWTRACE, *options, *outputs, "--", "/usr/bin/python3", self.program, self.began, rows, stdout=subprocess.DEVNULL,
                              stderr=stderr)

    def stderr(self):
        path = self.directory / "stderr"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def until_reports_are_made(self, running):
        """Returns when a signal counts for the reports. Until then cowtrace blocks signals, for they are meant for the command."""
        wait_until(self.began.exists, "the program runs")
        wait_until(lambda: not children_of(running.pid), "the command ends")
        wait_until(lambda: not int((status_of(running.pid) or {"SigBlk": "0"})["SigBlk"], 16) >> signal.SIGTERM - 1 & 1, "it takes signals for itself")

    def wait(self, running):
        """It ends, and its process group with it: no helper and nothing of the command stays."""
        status = running.wait(timeout=TIMEOUT)

        def group_is_gone():
            try:
                os.killpg(running.pid, 0)
            except ProcessLookupError:
                return True
            return False
        wait_until(group_is_gone, "what it has started ends")
        return status

    def whole(self, path):
        """Whether the file is a whole report. Fails unless it then is one, and otherwise says that it is not."""
        suffix = path.name.split(".", 1)[1]
        if path.stat().st_size == 0:
            # No stacks are no lines: a command that was ended before it forked has none.
            self.assertEqual(suffix, "folded", self.stderr())
            self.assertEqual(load(self.directory / "x.json")["totals"]["breaks"], 0)
            return True
        whole = getattr(self, "whole_" + suffix.replace(".", "_"))(path)
        if not whole and suffix not in ("cow", "pb.gz"):
            self.assertIn(INCOMPLETE, path.read_bytes().decode("utf-8", "replace"))
        return whole

    def whole_json(self, path):
        report = load(path)
        if report["schema"] == "cowtrace.incomplete/1":
            self.assertEqual(report["incomplete"], INCOMPLETE)
            return False
        self.assertEqual(report_errors(report), [])
        return True

    def whole_html(self, path):
        text = path.read_text(encoding="utf-8")
        self.assertTrue(text.startswith("<!DOCTYPE html>") or text.startswith("<!doctype html>"), text[:40])
        self.assertTrue(text.endswith("</html>\n"), text[-40:])
        return len(text) > 10_000

    def whole_txt(self, path):
        text = path.read_text(encoding="utf-8")
        if INCOMPLETE in text:
            return False
        # A command that was ended before it forked has no mechanisms to tell of.
        self.assertIn("\nProcesses\n", text)
        self.assertTrue(text.endswith("\n"), text[-40:])
        return True

    def whole_jsonl(self, path):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return (lines[0]["type"], lines[-1]["type"]) == ("capture", "end")

    def whole_folded(self, path):
        return not any("incomplete" in stack for stack in Folded(path).weights)

    def whole_speedscope_json(self, path):
        Speedscope(path)
        return "incomplete" not in load(path)["name"]

    def whole_pb_gz(self, path):
        Pprof(path)
        return INCOMPLETE.encode() not in gzip.decompress(path.read_bytes())

    def whole_pftrace(self, path):
        if INCOMPLETE.encode() in path.read_bytes():
            return False
        Perfetto(path)
        return True

    def whole_cow(self, path):
        done = self.cowtrace("report", path, "--format", "json")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return not is_incomplete_trace(json.loads(done.stdout))

    def files_whole(self):
        return [path.name for path in self.files if self.whole(path)]

    def assert_all_whole(self):
        self.assertEqual(self.files_whole(), [path.name for path in self.files], self.stderr())

    def assert_none_whole(self):
        self.assertEqual(self.files_whole(), [], self.stderr())


class RandomMoments(Files):
    def test_every_file_is_whole_or_says_that_it_is_not(self):
        rows = 20_000
        begun = time.monotonic()
        running = self.start_program(rows, "-q")
        self.assertEqual(self.wait(running), STATUS)
        life = time.monotonic() - begun
        self.assert_all_whole()
        seed = int(os.environ.get("COWTRACE_SIGNAL_SEED", str(random.randrange(1 << 30))))
        chance = random.Random(seed)
        seen = {}
        for turn in range(ROUNDS):
            numbers = [chance.choice(SIGNALS) for _ in range(chance.choice((1, 2)))]
            running = self.start_program(rows, "-q")
            wait_until(lambda: (self.directory / "x.cow").exists() and (self.directory / "x.cow").stat().st_size > 0, "the files are opened")
            pause(chance.uniform(0, life))
            sent = []
            for number in numbers:
                if running.poll() is not None:
                    break
                sent.append(number)
                running.send_signal(number)
                pause(chance.choice((0, chance.uniform(0, life / 3))))
            with self.subTest(seed=seed, turn=turn, sent=[number.name for number in sent]):
                kind = self.check(running, [number for number in sent if number != signal.SIGPIPE])
                seen[kind] = seen.get(kind, 0) + 1
        if os.environ.get("COWTRACE_SIGNAL_ROUNDS"):
            print(f"{ROUNDS} moments of {life:.2f} s, seed {seed}: {seen}")

    def check(self, running, sent):
        status = self.wait(running)
        whole = self.files_whole()
        # Python ends with 1 when it is interrupted before it runs a program.
        self.assertIn(status, [STATUS, *(128 + number for number in sent), *(-number for number in sent), *([1] if signal.SIGINT in sent else [])],
                      self.stderr())
        if status < 0:
            # Nobody has reports of a command that never ran; a second signal ends the making of reports.
            self.assertTrue(len(sent) == 2 or not self.began.exists(), self.stderr())
            return "ended at once"
        self.assertEqual(whole, [path.name for path in self.files], self.stderr())
        notes = " ".join(load(self.directory / "x.json")["capture"]["notes"])
        return "interrupted" if "interrupted" in notes else "the command ended by it" if status > 128 else "whole"


class MakingReports(Files):
    """The signal comes while what takes seconds is made: cowtrace is stopped then, so that no moment is missed."""
    ROWS = 150_000

    def stop_at_work(self, *options):
        running = self.start_program(self.ROWS, *options)
        self.until_reports_are_made(running)
        running.send_signal(signal.SIGSTOP)
        wait_until(lambda: (status_of(running.pid) or {}).get("State", "Z")[0] in "TZ", "it stops")
        self.assertIsNone(running.poll(), "it was stopped too late to be at work")
        return running

    def test_the_first_signal_makes_the_reports_short(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(number.name):
                running = self.stop_at_work()
                running.send_signal(number)
                running.send_signal(signal.SIGCONT)
                self.assertEqual(self.wait(running), STATUS, self.stderr())
                self.assert_all_whole()
                self.assertIn("cowtrace: finishing the reports with what is known (once more: end at once)\n", self.stderr())
                self.assertIn("Mechanisms (", self.stderr())
                report = load(self.directory / "x.json")
                notes = " ".join(report["capture"]["notes"])
                self.assertIn(f"cowtrace was interrupted by {number.name} before it had looked for names", notes)
                # What costs no search is there: counts, pages, processes, and the functions of Python, which were read while they ran.
                self.assertEqual(len(report["processes"]), 3)
                self.assertGreater(report["totals"]["breaks"], 100)
                self.assertEqual([one["name"] for one in report["objects"] if one["kind"] == "python"], [])
                self.assertIn("interrupted", self.cowtrace("report", self.directory / "x.cow").stdout.decode())

    def test_the_second_one_ends_it(self):
        for first, second in ((signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGHUP)):
            with self.subTest(first=first.name, second=second.name):
                running = self.stop_at_work("-q")
                # Signals that wait are taken lowest number first.
                for number in (first, second):
                    running.send_signal(number)
                running.send_signal(signal.SIGCONT)
                self.assertEqual(self.wait(running), -max(first, second), self.stderr())
                self.assert_none_whole()

    def test_sigpipe_means_nothing(self):
        running = self.stop_at_work("-q")
        running.send_signal(signal.SIGPIPE)
        running.send_signal(signal.SIGCONT)
        self.assertEqual(self.wait(running), STATUS)
        self.assert_all_whole()
        self.assertNotIn("interrupted", " ".join(load(self.directory / "x.json")["capture"]["notes"]))

    def test_killed(self):
        """No file begins as a report that it is not."""
        running = self.stop_at_work("-q")
        running.send_signal(signal.SIGKILL)
        self.assertEqual(self.wait(running), -signal.SIGKILL)
        for path in self.files:
            with self.subTest(path.name):
                beginning = path.read_bytes()[:4096]
                if path.suffix == ".cow":
                    self.assertFalse(self.whole(path))
                elif path.suffix != ".gz":
                    self.assertIn(INCOMPLETE.encode(), beginning)

    def test_a_command_that_never_ran(self):
        done = self.cowtrace("-q", *(word for path in self.files for word in ("-o", path)), "--", "/nonexistent/command")
        self.assertEqual(done.returncode, 127)
        self.assert_none_whole()


class Replays(Files):
    """Nothing is lost with a replay: the first signal ends it."""

    def test_report_and_diff(self):
        trace = self.directory / "t.cow"
        self.assertEqual(self.cowtrace("-q", "-o", trace, "--", SCENARIO, "storm", "--children", 8, "--pages", 20_000).returncode, 0)
        for command, suffix in (("report", "json"), ("report", "html")):
            with self.subTest(command=command, suffix=suffix):
                path = self.directory / f"x.{suffix}"
                running = self.start(COWTRACE, command, trace, "-o", path)
                wait_until(lambda: path.exists() and path.stat().st_size > 0, "the file is opened")
                running.send_signal(signal.SIGTERM)
                status = running.wait(timeout=TIMEOUT)
                self.assertEqual(status, 0 if self.whole(path) else -signal.SIGTERM)
                path.unlink()

    def test_who_reads_it_leaves(self):
        trace, path = self.directory / "t.cow", self.directory / "x.json"
        self.assertEqual(self.cowtrace("-q", "-o", trace, "--", "true").returncode, 0)
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([COWTRACE, "report", trace, "--format", "text", "-o", path], stdout=write, stderr=subprocess.PIPE, check=False)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, b""))
        self.assertTrue(self.whole(path))


class IgnoredByTheCaller(IntegrationTest):
    """A shell without job control starts background jobs with SIGINT and SIGQUIT ignored."""

    def setUp(self):
        super().setUp()
        self.asleep = self.start("sleep", "1000")
        self.path = self.directory / "x.json"
        self.said = self.directory / "stderr"

    def attach(self, **keywords):
        with ignored(signal.SIGINT, signal.SIGQUIT, signal.SIGHUP), open(self.said, "wb") as stderr:
            running = self.start(COWTRACE, "attach", "-o", self.path, self.asleep.pid, stdout=subprocess.DEVNULL, stderr=stderr, **keywords)
        wait_until(lambda: b"attached to 1 process" in self.said.read_bytes(), "it is attached")
        return running

    def test_kill_int_ends_attach(self):
        for number in (signal.SIGINT, signal.SIGQUIT):
            with self.subTest(number.name):
                running = self.attach()
                running.send_signal(number)
                self.assertEqual(running.wait(timeout=TIMEOUT), 0)
                self.assertEqual(report_errors(load(self.path)), [])
                self.assertTrue(is_running(self.asleep.pid))

    def test_hangup_stays_ignored(self):
        running = self.attach()
        running.send_signal(signal.SIGHUP)
        running.send_signal(signal.SIGINT)
        self.assertEqual(running.wait(timeout=TIMEOUT), 0)
        self.assertNotIn("interrupted", " ".join(load(self.path)["capture"]["notes"]))

    def test_the_background_job_of_a_script(self):
        script = f"{COWTRACE} attach -o {self.path} {self.asleep.pid} 2>{self.said} & echo $!; wait $!; echo status $?"
        shell = self.start("sh", "-c", script, stdout=subprocess.PIPE, text=True)
        tracer = int(shell.stdout.readline())
        wait_until(lambda: self.said.exists() and b"attached to 1 process" in self.said.read_bytes(), "it is attached")
        os.kill(tracer, signal.SIGINT)
        self.assertEqual(shell.stdout.readline(), "status 0\n")

    def test_the_command_still_ignores_it(self):
        with ignored(signal.SIGINT, signal.SIGQUIT):
            running = self.start(COWTRACE, "-q", "--", "grep", "-E", "^Sig(Ign|Blk|Cgt)", "/proc/self/status", stdout=subprocess.PIPE, text=True)
            plain = subprocess.run(["grep", "-E", "^Sig(Ign|Blk|Cgt)", "/proc/self/status"], capture_output=True, text=True, check=True,
                                   restore_signals=True)
        self.assertEqual(running.wait(timeout=TIMEOUT), 0)
        self.assertEqual(running.stdout.read(), plain.stdout)


if __name__ == "__main__":
    unittest.main()
