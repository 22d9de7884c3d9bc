#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""cowtrace top: in a terminal (tmux), driven by its keys; and where there is no terminal. Its figures are those of the report of the same run."""
import itertools
import os
import pathlib
import pty
import re
import shlex
import signal
import subprocess
import time
import unittest

from support import COWTRACE, SCENARIO, SOURCE, TIMEOUT, IntegrationTest, is_running, load, report_errors, wait_until

PYTHON = "/usr/bin/python3"
STEADY = SOURCE / "tests/programs/steady.py"


def number(text):
    return int(text.replace(",", ""))


def human_bytes(count):
    """As the tool writes it, from the same definition: one decimal from KiB up."""
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    raise AssertionError(count)


class Terminal:
    """A tmux server of its own, with one window that runs one shell command."""

    numbers = itertools.count()

    def __init__(self, test, command, columns, rows, environment=()):
        self.tmux = ["tmux", "-S", str(test.directory / f"tmux{next(self.numbers)}"), "-f", "/dev/null"]
        test.addCleanup(subprocess.run, [*self.tmux, "kill-server"], check=False, capture_output=True)
        self.run("start-server", ";", "set-option", "-g", "remain-on-exit", "on", ";", "set-option", "-g", "history-limit", "20000", ";",
                 "new-session", "-d", "-x", str(columns), "-y", str(rows), *(word for one in environment for word in ("-e", one)), command)

    def run(self, *words):
        return subprocess.run([*self.tmux, *words], capture_output=True, text=True, check=True,
                              env={**os.environ, "LC_ALL": "C.UTF-8", "TMUX": ""}).stdout

    def screen(self, *options):
        return self.run("capture-pane", "-p", *options)

    def everything(self):
        """With what has scrolled out."""
        return self.screen("-J", "-S", "-")

    def keys(self, *names):
        self.run("send-keys", *names)

    def resize(self, columns, rows):
        self.run("resize-window", "-x", str(columns), "-y", str(rows))

    def wait(self, pattern, seconds=TIMEOUT):
        def found():
            return re.search(pattern, self.screen(), re.M)

        try:
            return wait_until(found, f"the screen shows {pattern}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen()}") from None


class TopTest(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.report = self.directory / "report.json"
        self.status = self.directory / "status"

    def start_top(self, *command, options=(), columns=120, rows=40, environment=(), redirect=""):
        words = [COWTRACE, "top", *options, "-o", self.report, "--", *command]
        # The shell stays: its end would hang up on what goes on.
        line = f"{shlex.join(map(str, words))} {redirect}; echo $? >{self.directory}/status.new; mv {self.directory}/status.new {self.status}; exec sleep 1000"
        return Terminal(self, line, columns, rows, environment)

    def start_steady(self, pages=2000, rate=0, **keywords):
        return self.start_top(PYTHON, "-B", STEADY, pages, rate, self.directory, **keywords)

    def wait_settled(self):
        wait_until((self.directory / "settled").exists, "the program has written all it writes")

    def go(self):
        (self.directory / "go").touch()

    def finished(self):
        """The exit status and the report."""
        wait_until(self.status.exists, "cowtrace ends")
        report = load(self.report)
        self.assertEqual(report_errors(report), [])
        return int(self.status.read_text(encoding="utf-8")), report


class OnATerminal(TopTest):
    def test_its_figures_are_those_of_the_report(self):
        terminal = self.start_steady()
        self.wait_settled()
        terminal.wait(r"^ *0 breaks/s")
        terminal.keys("2")
        terminal.wait(r"\[processes\]")
        screen = terminal.screen()
        total = re.search(r"total ([\d,]+) breaks, ([\d.]+ \w+)  2 processes", screen)
        rows = {int(pid): (inherited, number(breaks)) for pid, inherited, breaks in
                re.findall(r"^[> ] +(\d+)  python3 +([\d.]+ \w+|-) +~?[\d.-]+(?: \w+)? +[\d.]+ \w+ +([\d,]+) ", screen, re.M)}
        terminal.keys("3")
        terminal.wait(r"^[> ] \S*LEDGER")
        objects = terminal.screen()
        terminal.keys("4")
        terminal.wait(r"^[> ] tuple ")
        terminal.keys("5")
        terminal.wait(r"write_page \(steady")
        sites = terminal.screen()
        terminal.keys("6")
        terminal.wait(r"^[> ] native ")
        causes = terminal.screen()
        self.go()
        status, report = self.finished()
        self.assertEqual(status, 0)

        # What came after the last look: the end of the child and of the parent.
        after = [page for page in report["pages"]]
        self.assertTrue(after)
        self.assertIsNotNone(total, screen)
        shown = number(total[1])
        self.assertLessEqual(shown, report["totals"]["breaks"])
        self.assertGreaterEqual(shown, report["totals"]["breaks"] - 60)
        self.assertEqual(total[2], human_bytes(shown * 4096))
        child = max(report["processes"], key=lambda process: process["breaks"])
        self.assertEqual(rows[child["pid"]][0], human_bytes(child["inherited_bytes"]))
        self.assertAlmostEqual(rows[child["pid"]][1], child["breaks"], delta=30)
        ledger = sum(one["breaks"] for one in report["objects"] if one["name"].startswith("__main__.LEDGER["))
        row = re.search(r"^[> ] __main__.LEDGER\[\.\.\.\] +tuple +refcount +[\d.]+ \w+ +([\d,]+) ", objects, re.M)
        self.assertIsNotNone(row, objects)
        self.assertEqual(number(row[1]), ledger)
        site = max(report["sites"], key=lambda one: one["breaks"])
        row = re.search(r"^[> ] .*write_page.* native +([\d.]+ \w+) +([\d,]+) ", sites, re.M)
        self.assertEqual(number(row[2]), site["breaks"])
        self.assertEqual(site["breaks"], 2000)
        row = re.search(r"^[> ] refcount +\S+ +[\d.]+ \w+ +([\d,]+) ", causes, re.M)
        self.assertAlmostEqual(number(row[1]), report["totals"]["by_cause"]["refcount"]["breaks"], delta=30)

    def test_keys(self):
        terminal = self.start_steady()
        self.wait_settled()
        terminal.wait(r"^ *0 breaks/s")
        terminal.keys("h")
        terminal.wait(r"^cowtrace top: keys and columns")
        terminal.keys("x")
        terminal.wait(r"\[overview\]")
        terminal.keys("Tab")
        terminal.wait(r"\[processes\]")
        terminal.keys("BTab")
        terminal.wait(r"\[overview\]")
        for order in ("breaks", "rate", "name", "copied"):
            terminal.keys("s")
            terminal.wait(rf"by {order}$")
        # Into a process, into an object of it, and out again.
        terminal.keys("2")
        terminal.wait(r"^> +(\d+) ")
        terminal.keys("Down")
        terminal.wait(r"^  +\d+  python3.*\n> +\d+  python3")
        terminal.keys("Up", "Enter")
        terminal.wait(r"^of \d+ python3: [\d,]+ breaks, [\d.]+ MiB")
        terminal.keys("3")
        terminal.wait(r"\[objects\]")
        terminal.keys("s", "s", "s")
        terminal.wait(r"^> .*\n(.*\n)*^  .*LEDGER.*by name|by name")
        terminal.keys("s")
        terminal.wait(r"by copied")
        terminal.keys("Down")
        terminal.wait(r"^> __main__.LEDGER\[\.\.\.\]")
        terminal.keys("Enter")
        terminal.wait(r"^of \d+ python3 > __main__.LEDGER\[\.\.\.\]: [\d,]+ breaks")
        terminal.wait(r"^Causes: refcount 100%")
        terminal.wait(r"^  count_references \(steady.py:\d+\) <- child \(steady.py:\d+\)|<listcomp> \(steady.py:\d+\) <- count_references")
        terminal.keys("BSpace")
        terminal.wait(r"\[objects\]")
        terminal.keys("Escape")
        terminal.wait(r"\[processes\]")
        self.go()
        self.finished()

    def test_a_paused_screen_stays_as_it_is(self):
        terminal = self.start_steady(pages=20_000, rate=2000)
        terminal.wait(r"^[1-9][\d,]* breaks/s")
        terminal.keys("p")
        terminal.wait(r"PAUSED")
        before = terminal.screen()
        # Two seconds of another clock than the screen's.
        time.sleep(2.2)
        self.assertEqual(terminal.screen(), before)
        terminal.keys("p")
        wait_until(lambda: "PAUSED" not in terminal.screen() and terminal.screen() != before, "it goes on")
        terminal.keys("q")
        status, report = self.finished()
        self.assertEqual(status, 0)
        self.assertGreater(report["totals"]["breaks"], 3000)

    def test_resizes(self):
        terminal = self.start_steady(columns=120, rows=40)
        self.wait_settled()
        terminal.wait(r"^ *0 breaks/s")
        terminal.keys("3")
        terminal.wait(r"\[objects\]")
        for columns, rows in ((80, 24), (200, 50), (40, 10), (80, 24)):
            terminal.resize(columns, rows)
            def drawn():
                lines = terminal.screen().rstrip("\n").split("\n")
                starts = {0: "cowtrace top: ", 2: " overview  proc", rows - 1: "tab table"}
                return len(lines) == rows and all(lines[i].startswith(start) for i, start in starts.items())

            wait_until(drawn, f"every line is in its place of {columns}x{rows}")
        self.go()
        self.finished()

    def test_output_comes_when_the_screen_is_gone(self):
        terminal = self.start_steady()
        self.wait_settled()
        terminal.wait(r"^ *0 breaks/s")
        self.assertNotIn("the parent begins", terminal.screen())
        self.go()
        self.finished()
        text = terminal.everything()
        places = [text.index(line) for line in ("the parent begins", "the child has written", "the parent ends", "Mechanisms")]
        self.assertEqual(places, sorted(places), text)
        self.assertIn("a word to standard error", text)
        self.assertNotIn("q leave", text)

    def test_much_output_is_cut_and_what_is_redirected_is_not_touched(self):
        script = "head -c 3000000 /dev/zero | tr '\\0' x | fold -w 1000; echo; echo the last line; echo to a file >&3"
        terminal = self.start_top("sh", "-c", script, redirect=f"3>{self.directory}/file")
        self.finished()
        text = terminal.everything()
        self.assertTrue(re.search(r"^cowtrace: the command wrote 1\.9 MiB more before this, which were not kept$", text, re.M), text[:200])
        self.assertTrue(re.search(r"^the last line$", text, re.M), text[-2000:])
        self.assertEqual(text.count("x" * 1000), 2**20 // 1001)
        self.assertEqual((self.directory / "file").read_text(encoding="utf-8"), "to a file\n")

    def test_q_lets_the_command_go_on_and_its_output_come(self):
        terminal = self.start_steady()
        self.wait_settled()
        terminal.wait(r"^ *0 breaks/s")
        terminal.keys("q")
        status, report = self.finished()
        self.assertEqual(status, 0)
        (child,) = [process["pid"] for process in report["processes"] if process["breaks"] > 2000]
        self.assertTrue(is_running(child))
        self.assertNotIn("the parent ends", terminal.everything())
        self.go()
        wait_until(lambda: "the parent ends" in terminal.everything(), "what it prints later comes to the terminal")
        wait_until(lambda: not is_running(child), "it ends")

    def test_a_killed_cowtrace_takes_nobody_with_it(self):
        terminal = self.start_steady()
        self.wait_settled()
        terminal.wait(r"^ *0 breaks/s")
        found = subprocess.run(["pgrep", "-f", f"^{COWTRACE} top .*{self.directory}"], capture_output=True, text=True, check=True).stdout.split()
        os.kill(int(found[0]), signal.SIGKILL)
        self.go()
        wait_until(lambda: "the parent ends" in terminal.everything(), "the command goes on and is heard")

    def test_ctrl_c_goes_to_the_command_and_once_more_leaves(self):
        script = f"trap 'echo got it >{self.directory}/trapped' INT; echo >{self.directory}/settled; while :; do sleep 0.1; done"
        terminal = self.start_top("sh", "-c", script)
        self.wait_settled()
        terminal.wait(r"\[overview\]")
        terminal.keys("C-c")
        wait_until((self.directory / "trapped").exists, "the command gets it")
        terminal.wait(r"^waiting for sh to end \(once more: stop now\)")
        terminal.keys("C-c")
        status, report = self.finished()
        self.assertEqual(status, 0)
        for process in report["processes"]:
            if is_running(process["pid"]):
                os.kill(process["pid"], signal.SIGKILL)

    def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(self):
        terminal = Terminal(self, "bash --norc --noprofile -i", 100, 30)
        terminal.wait(r"^bash-.*[#$] *$")
        words = [COWTRACE, "top", "-o", self.report, "--", PYTHON, "-B", STEADY, 500, 0, self.directory]
        terminal.keys(shlex.join(map(str, words)), "Enter")
        self.wait_settled()
        terminal.wait(r"\[overview\]")
        terminal.keys("C-z")
        terminal.wait(r"Stopped")
        self.assertNotIn("[overview]", terminal.screen())
        terminal.keys("fg", "Enter")
        terminal.wait(r"\[overview\]")
        terminal.keys("2")
        terminal.wait(r"\[processes\]")
        self.go()
        terminal.wait(r"^bash-.*[#$] *$")
        self.assertIn("the parent ends", terminal.everything())

    def test_keys_when_standard_input_is_redirected(self):
        terminal = self.start_top("sh", "-c", f"cat >{self.directory}/read; sleep 100", redirect="</etc/hostname")
        terminal.wait(r"\[overview\]")
        wait_until(lambda: (self.directory / "read").exists() and
                   (self.directory / "read").read_bytes() == pathlib.Path("/etc/hostname").read_bytes(), "the command reads its input")
        terminal.keys("2")
        terminal.wait(r"\[processes\]")
        terminal.keys("q")
        _, report = self.finished()
        for process in report["processes"]:
            if is_running(process["pid"]):
                os.kill(process["pid"], signal.SIGKILL)

    def test_colour_only_where_it_is_wanted(self):
        """What is lost is red: a small buffer makes sure that something is."""
        colour = re.compile(r"\x1b\[(?:\d+;)*3[0-7]m")
        for environment, options, coloured in (((), (), True), (("NO_COLOR=1",), (), False), ((), ("--color", "never"), False),
                                               (("NO_COLOR=1",), ("--color", "always"), True)):
            with self.subTest(environment=environment, options=options):
                for name in ("status", "settled", "go"):
                    (self.directory / name).unlink(missing_ok=True)
                terminal = self.start_steady(pages=20_000, options=("--buffer", "4KiB", *options), environment=environment)
                self.wait_settled()
                terminal.wait(r"[\d,]+ LOST")
                self.assertEqual(colour.search(terminal.screen("-e")) is not None, coloured)
                self.go()
                _, report = self.finished()
                self.assertGreater(report["capture"]["lost_events"], 0)
                terminal.run("kill-server")


class WithoutATerminal(TopTest):
    def lines(self, text):
        return [line for line in text.decode().splitlines() if line.startswith("cowtrace: ")]

    def test_a_line_a_second_and_the_last_one_agrees(self):
        self.go()
        done = self.cowtrace("top", "-o", self.report, "--", PYTHON, "-B", STEADY, 3000, 1000, self.directory)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = load(self.report)
        self.assertEqual(report_errors(report), [])
        lines = self.lines(done.stdout)
        self.assertGreaterEqual(len(lines), 3)
        pattern = r"cowtrace: +[\d.]+ \w+  [\d,]+ breaks/s  [\d.]+ \w+/s copied  total ([\d,]+) breaks, ([\d.]+ \w+)  \d+ process(?:es)?"
        for line in lines:
            self.assertRegex(line, pattern)
        last = re.match(pattern, lines[-1])
        self.assertEqual(number(last[1]), report["totals"]["breaks"])
        self.assertEqual(last[2], human_bytes(report["totals"]["copied_bytes"]))
        self.assertRegex(lines[-1], r"native  .*  write_page \(steady\.py:\d+\)$")
        # COMMAND keeps its streams, and the report is where run puts it.
        self.assertIn(b"the parent begins", done.stdout)
        self.assertIn(b"a word to standard error", done.stderr)
        self.assertIn(b"Mechanisms", done.stderr)

    def test_a_native_program(self):
        truth = self.directory / "truth.json"
        done = self.cowtrace("top", "-q", "-o", self.report, "--", SCENARIO, "storm", "--pages", 20_000, "--children", 2, "--truth", truth)
        self.assertEqual(done.returncode, 0, done.stderr)
        last = self.lines(done.stdout)[-1]
        truly = sum(len(process["copied"]) for process in load(truth)["processes"])
        total = number(re.search(r"total ([\d,]+) breaks", last)[1])
        self.assertEqual(total, load(self.report)["totals"]["breaks"])
        # Its stacks and libraries come on top.
        self.assertGreaterEqual(total, truly)
        self.assertLess(total, truly + 100)

    def test_every_backend_and_snapshot(self):
        self.go()
        for options in (("--backend", "static"), ("--snapshot", "passive"), ("--snapshot", "off"), ("--stacks", "none"), ("-q",)):
            with self.subTest(options):
                done = self.cowtrace("top", *options, "-o", self.report, "--", PYTHON, "-B", STEADY, 500, 0, self.directory)
                self.assertEqual(done.returncode, 0, done.stderr)
                total = re.search(r"total ([\d,]+) breaks", self.lines(done.stdout)[-1])
                self.assertEqual(number(total[1]), load(self.report)["totals"]["breaks"])
                self.assertEqual(b"Mechanisms" in done.stderr, options != ("-q",))

    def test_a_terminal_that_nobody_knows_gets_lines(self):
        parent, child = pty.openpty()
        self.addCleanup(os.close, parent)
        done = subprocess.run([COWTRACE, "top", "-q", "--", "true"], stdin=child, stdout=child, stderr=child, check=False, timeout=TIMEOUT,
                              env={**os.environ, "TERM": "no-such-terminal"})
        os.close(child)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"total ", os.read(parent, 65536))

    def test_wrong_use(self):
        for arguments, status, words in ((("top",), 2, ("no COMMAND",)), (("top", "one"), 2, ("'one'", "no PID")),
                                         (("top", "999999"), 1, ("999999", "no such process")),
                                         (("top", "--", "nosuchcommand"), 1, ("not found",)),
                                         (("top", "--snapshot", "x", "--", "true"), 2, ("--snapshot x",)),
                                         (("top", "--watch", "x", "--", "true"), 2, ("--watch",))):
            with self.subTest(arguments):
                done = self.cowtrace(*arguments)
                self.assertEqual(done.returncode, status)
                lines = [line for line in done.stderr.decode().splitlines() if line]
                self.assertEqual(len(lines), 1, lines)
                for word in words:
                    self.assertIn(word, lines[0])


if __name__ == "__main__":
    unittest.main()
