#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Signals, job control and sudden death: the command gets what it would get without cowtrace, and no report is lost."""
import contextlib
import os
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import termios
import time
import unittest

from support import COWTRACE, PAGE, SCENARIO, TIMEOUT, IntegrationTest, command_of, is_running, load, program, status_of, wait_until
from test_family import claims

# Says that it is there, then lives until a line comes through the fifo.
WAITER = "{1} echo $$ > {0}/ready.new; mv {0}/ready.new {0}/ready; read line < {0}/go; echo $line > {0}/done"


class WithCommand(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.report = self.directory / "report.json"
        self.ready = self.directory / "ready"
        self.go = self.directory / "go"
        self.done = self.directory / "done"
        os.mkfifo(self.go)

    def start_waiter(self, *options, trap=""):
        """Starts cowtrace with a shell that waits for tell(); returns cowtrace and the shell's pid."""
        script = WAITER.format(self.directory, trap)
        # Files, not pipes: a command that lives on would keep a pipe open.
        with open(self.directory / "stderr", "wb") as stderr:
            running = self.start(COWTRACE, *options, "-o", self.report, "--", "sh", "-c", script, stdout=subprocess.DEVNULL,
                                 stderr=stderr)
        wait_until(self.ready.exists, "the command runs")
        pid = int(self.ready.read_text())
        self.addCleanup(self.kill, pid)
        return running, pid

    def stderr(self):
        return (self.directory / "stderr").read_text(encoding="utf-8")

    @staticmethod
    def kill(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def tell(self, line="go on"):
        with open(self.go, "w", encoding="utf-8") as pipe:
            pipe.write(line + "\n")

    def assert_alive_and_unharmed(self, pid):
        self.assertTrue(is_running(pid))
        wait_until(lambda: status_of(pid)["TracerPid"] == "0", "it is let go")
        self.tell("unharmed")
        wait_until(lambda: self.done.exists() and self.done.read_text(), "it goes on")
        self.assertEqual(self.done.read_text(), "unharmed\n")
        wait_until(lambda: not is_running(pid), "it ends")


class Interrupts(WithCommand):
    def finish(self, running, status):
        self.assertEqual(running.wait(timeout=TIMEOUT), status, self.stderr())
        return self.loaded(running.returncode, b"", self.stderr(), self.report)

    def test_one_signal_ends_the_command_and_gives_the_report(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(number.name):
                self.ready.unlink(missing_ok=True)
                running, pid = self.start_waiter()
                os.kill(running.pid, number)
                trace = self.finish(running, 128 + number)
                self.assertFalse(is_running(pid))
                self.assertIn("cowtrace: waiting for sh to end", trace.stderr)
                self.assertIn("Mechanisms", trace.stderr)
                self.assertIsNotNone(trace.process(pid)["exit_ns"])

    def test_a_command_that_handles_it_has_its_own_status(self):
        running, _ = self.start_waiter(trap="trap 'exit 7' INT;")
        os.kill(running.pid, signal.SIGINT)
        self.finish(running, 7)

    def test_two_signals_stop_now_and_the_command_lives_on(self):
        running, pid = self.start_waiter(trap="trap '' INT TERM;")
        os.kill(running.pid, signal.SIGINT)
        wait_until(lambda: "waiting for sh to end (once more: stop now)" in self.stderr(), "the first signal is taken")
        self.assertTrue(is_running(pid))
        os.kill(running.pid, signal.SIGINT)
        trace = self.finish(running, 130)
        self.assertIsNone(trace.process(pid)["exit_ns"])
        self.assertEqual(trace.process(pid)["audit_missing"], "it was still running")
        self.assertIn("Processes", trace.stderr)
        self.assert_alive_and_unharmed(pid)

    def test_a_family_that_signals_its_process_group_means_itself(self):
        script = "trap : TERM INT; for name in TERM INT TERM; do kill -$name 0; sh -c 'kill -TERM 0; sleep 0.1'; done; exit 3"
        with open(self.directory / "stderr", "wb") as stderr:
            running = self.start(COWTRACE, "-o", self.report, "--", "sh", "-c", script, stdout=subprocess.DEVNULL, stderr=stderr,
                                 start_new_session=True)
        trace = self.finish(running, 3)
        self.assertNotIn("waiting for", trace.stderr)
        self.assert_all_explained(trace)

    def test_signals_that_the_caller_ignores_are_ignored(self):
        """Under nohup, or where SIGTERM is ignored: neither the first nor the second one stops the tracing."""
        with ignored(signal.SIGTERM, signal.SIGHUP):
            running, pid = self.start_waiter()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
            os.kill(running.pid, number)
        # A traced process answers to this one only while its tracer is there.
        self.assertEqual(status_of(pid)["TracerPid"], str(running.pid))
        self.tell()
        trace = self.finish(running, 0)
        self.assertNotIn("waiting for", trace.stderr)
        self.assertIsNotNone(trace.process(pid)["exit_ns"])

    def test_an_interrupt_that_the_caller_ignores_counts_when_a_process_sends_it(self):
        """A shell without job control has background jobs ignore SIGINT, for the sake of the terminal alone."""
        with ignored(signal.SIGINT):
            running, pid = self.start_waiter()
        os.kill(running.pid, signal.SIGINT)
        wait_until(lambda: "waiting for sh to end (once more: stop now)" in self.stderr(), "the first signal is taken")
        # The command ignores it still.
        self.assertTrue(is_running(pid))
        os.kill(running.pid, signal.SIGINT)
        trace = self.finish(running, 130)
        self.assertIsNone(trace.process(pid)["exit_ns"])
        self.assert_alive_and_unharmed(pid)

    def test_an_interrupt_of_the_terminal_is_ignored_where_the_caller_ignores_it(self):
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)
        with ignored(signal.SIGINT):
            running = self.start(COWTRACE, "-o", self.report, "--", "sh", "-c", WAITER.format(self.directory, "echo up;"), stdin=follower, stdout=follower,
                                 stderr=follower, preexec_fn=lambda: take_terminal(0))
        os.close(follower)
        screen = Screen(leader)
        wait_until(self.ready.exists, "the command runs")
        for _ in range(2):
            os.write(leader, b"\x03")
        self.tell()
        screen.expect("Mechanisms")
        self.assertEqual(running.wait(timeout=TIMEOUT), 0)
        self.assertNotIn("waiting for", screen.text)

    def test_a_caller_that_ignores_the_end_of_children(self):
        for mode in ("exact", "passive"):
            with self.subTest(mode):
                for command, status in ((("false",), 1), (("grep", "^SigIgn", "/proc/self/status"), 0)):
                    with ignored(signal.SIGCHLD):
                        running = self.start(COWTRACE, "-q", "--snapshot", mode, "--", *command, stdout=subprocess.PIPE)
                    self.assertEqual(running.wait(timeout=TIMEOUT), status)
                # The command still inherits it.
                self.assertEqual(int(running.stdout.read().split()[1], 16) >> (signal.SIGCHLD - 1) & 1, 1)

    def test_the_terminal_sends_it_to_both_and_once(self):
        """Ctrl-C on a terminal: the kernel signals the whole foreground group, so cowtrace must not signal again."""
        count = self.directory / "count"
        # The handler counts. A signal that comes just before bash blocks in read is handled when read returns: at the line below.
        script = f"trap 'echo x >> {count}' INT; echo up; while ! read line; do :; done; exit 5"
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)
        running = self.start(COWTRACE, "-o", self.report, "--", "bash", "-c", script, stdin=follower, stdout=follower, stderr=follower,
                             start_new_session=True, preexec_fn=lambda: take_terminal(0))
        os.close(follower)
        screen = Screen(leader)
        screen.expect("up")
        os.write(leader, b"\x03")
        screen.expect("waiting for bash to end")
        os.write(leader, b"line\n")
        screen.expect("Mechanisms")
        self.assertEqual(running.wait(timeout=TIMEOUT), 5)
        self.assertEqual(count.read_text(), "x\n")


class Death(WithCommand):
    def test_the_command_lives_on_when_cowtrace_is_killed(self):
        for mode in ("exact", "passive"):
            with self.subTest(mode):
                for file in (self.ready, self.done):
                    file.unlink(missing_ok=True)
                running, pid = self.start_waiter("--snapshot", mode)
                os.kill(running.pid, signal.SIGKILL)
                running.wait()
                self.assert_alive_and_unharmed(pid)

    def test_a_busy_family_finishes_correctly_when_cowtrace_is_killed(self):
        """Killed at random moments of forks, exits and faults: the experiment checks its own page tables and succeeds."""
        chance = random.Random(1)
        for turn in range(8):
            truth = self.directory / f"truth{turn}.json"
            running = self.start(COWTRACE, "-q", "--", SCENARIO, "grandchild", "--pages", 2000, "--children", 4, "--truth", truth,
                                 stdout=subprocess.PIPE)
            wait_until(lambda: command_of(running.pid), "the command is running")
            pause(chance.uniform(0, 0.3))
            os.kill(running.pid, signal.SIGKILL)
            running.stdout.read()  # to the end of the last of the family
            self.assertEqual(load(truth)["copied_pages_expected"], 4 * 2002, turn)

    def test_a_command_that_is_killed_at_any_moment(self):
        chance = random.Random(2)
        for turn in range(50):
            running = self.start(COWTRACE, "-q", "-o", self.report, "--", SCENARIO, "mutate", "--pages", 3000, "--children", 3,
                                 stdout=subprocess.DEVNULL)
            victim = wait_until(lambda: command_of(running.pid), "the command is running")
            pause(chance.uniform(0, 0.15))
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            status = running.wait(timeout=TIMEOUT)
            self.assertIn(status, (0, 137), turn)
            trace = self.loaded(status, b"", "", self.report)
            self.assertEqual(trace.process(victim)["pid"], victim)
            self.assertEqual(trace.audited("unexplained"), 0, turn)

    def test_a_child_that_is_killed(self):
        script = "sleep 1000 & kill -KILL $!; wait $!; exit 4"
        trace = self.trace("sh", "-c", script, options=("-q",), status=4)
        self.assertEqual(len(trace.processes), 2)
        for process in trace.processes:
            self.assertIsNotNone(process["exit_ns"])


class Stops(WithCommand):
    def test_stop_and_continue_by_another_process(self):
        for mode in ("exact", "passive"):
            with self.subTest(mode):
                for file in (self.ready, self.done):
                    file.unlink(missing_ok=True)
                running, pid = self.start_waiter("-q", "--snapshot", mode)
                os.kill(pid, signal.SIGSTOP)
                wait_until(lambda: status_of(pid)["State"][0] in "Tt", "it stops")
                os.kill(pid, signal.SIGCONT)
                wait_until(lambda: status_of(pid)["State"][0] == "S", "it continues")
                self.tell()
                self.assertEqual(running.wait(timeout=TIMEOUT), 0)
                self.assertEqual(self.done.read_text(), "go on\n")


class JobControl(WithCommand):
    def start_shell(self):
        """An interactive bash on a terminal of its own."""
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)
        environment = {**os.environ, "PS1": "prompt> ", "TERM": "dumb", "HISTFILE": ""}
        shell = self.start("bash", "--norc", "--noprofile", "-i", stdin=follower, stdout=follower, stderr=follower, env=environment,
                           start_new_session=True, preexec_fn=lambda: take_terminal(0))
        os.close(follower)
        screen = Screen(leader)
        screen.expect("prompt> ")
        return shell, screen

    def test_ctrl_z_gives_the_prompt_back_and_fg_goes_on(self):
        for mode in ("exact", "passive"):
            with self.subTest(mode):
                for file in (self.ready, self.done):
                    file.unlink(missing_ok=True)
                _, screen = self.start_shell()
                script = WAITER.format(self.directory, "") + "; exit 6"
                screen.type(f"{COWTRACE} -q --snapshot {mode} -o {self.report} -- sh -c '{script}'")
                wait_until(self.ready.exists, "the command runs")
                pid = int(self.ready.read_text())
                self.addCleanup(self.kill, pid)
                screen.send(b"\x1a")
                screen.expect("Stopped")
                screen.expect("prompt> ")
                self.assertIn(status_of(pid)["State"][0], "Tt")
                screen.type("echo still-$((40 + 2))-here")
                screen.expect("still-42-here")
                screen.expect("prompt> ")
                screen.type("fg")
                screen.expect("cowtrace")
                wait_until(lambda: status_of(pid)["State"][0] == "S", "it continues")
                self.tell()
                screen.expect("prompt> ")
                screen.type("echo status-$?-")
                screen.expect("status-6-")
                self.assertEqual(self.done.read_text(), "go on\n")


class OnTheTerminal(WithCommand):
    """What cowtrace draws there is gone at the end, and never where a program has written or may write."""
    COLUMNS = 100

    def on_terminal(self, *words):
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)
        set_size(follower, self.COLUMNS)
        running = self.start(COWTRACE, *words, stdin=follower, stdout=follower, stderr=follower)
        return running, Screen(leader), follower

    def lines(self, screen):
        return rendered(screen.text, self.COLUMNS)

    def test_a_command_has_it_for_itself(self):
        """It may write at any time, and nobody knows where the cursor is: there is no line while it runs."""
        began = time.monotonic()
        running, screen, follower = self.on_terminal("--color", "never", "-o", self.report, "--", "sh", "-c",
                                                     "printf first; read line < " + str(self.go) + "; printf ' second'")
        os.close(follower)
        screen.expect("first")
        # It came after a second, twice in each one.
        wait_until(lambda: time.monotonic() - began > 3, "seconds pass")
        self.tell()
        screen.expect("Mechanisms")
        self.assertEqual(running.wait(timeout=TIMEOUT), 0)
        self.assertNotIn("breaks/s", screen.text)
        self.assertTrue(self.lines(screen)[0].startswith("first second"), self.lines(screen)[0])

    def attach_on_terminal(self, target):
        running, screen, follower = self.on_terminal("attach", "--color", "never", target.pid)
        os.close(follower)
        screen.expect("attached to 1 process")
        return running, screen

    def test_the_line_of_attach_goes_away(self):
        running, screen = self.attach_on_terminal(self.start("sleep", "1000"))
        screen.expect("breaks/s")
        running.send_signal(signal.SIGINT)
        screen.expect("no shared page")
        self.assertEqual(running.wait(timeout=TIMEOUT), 0)
        self.assertNotIn("breaks/s", "\n".join(self.lines(screen)))

    def test_no_line_where_who_is_attached_to_has_the_terminal(self):
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)
        self.addCleanup(os.close, follower)
        began = time.monotonic()
        target = self.start("sleep", "1000", stdout=follower)
        running = self.start(COWTRACE, "attach", "--color", "never", target.pid, stdin=follower, stdout=follower, stderr=follower)
        screen = Screen(leader)
        screen.expect("attached to 1 process")
        wait_until(lambda: time.monotonic() - began > 4, "seconds pass")
        running.send_signal(signal.SIGINT)
        screen.expect("no shared page")
        self.assertEqual(running.wait(timeout=TIMEOUT), 0)
        self.assertNotIn("breaks/s", screen.text)

    def test_what_still_goes_on_after_the_end_is_said(self):
        program_text = ("import os\nROWS = [{'id': i, 'tags': ['a%d' % i]} for i in range(400000)]\nif os.fork() == 0:\n    raise SystemExit\nos.wait()\n"
                        "os.write(1, b'last words')\nos._exit(0)\n")
        path = self.directory / "work.py"
        path.write_text(program_text)
        running, screen, follower = self.on_terminal("--color", "never", "-o", self.directory / "x.cow", "--", "/usr/bin/python3", path)
        os.close(follower)
        screen.expect("last words")
        screen.expect("cowtrace: naming objects")
        self.assertEqual(self.lines(screen)[:1], ["last words"])
        screen.expect("Mechanisms")
        self.assertEqual(running.wait(timeout=TIMEOUT), 0)
        self.assertEqual(self.lines(screen)[0], "last words")
        self.assertNotIn("naming objects", "\n".join(self.lines(screen)))
        self.assertTrue(self.lines(screen)[1].startswith("2 processes broke"), self.lines(screen)[:3])


class Debuggers(IntegrationTest):
    def debuggers(self):
        yield [program("ptrace_child")]
        if shutil.which("strace"):
            yield ["strace", "-f", "-o", "/dev/null", "true"]

    def test_advice_and_no_hang(self):
        for command in self.debuggers():
            with self.subTest(command):
                done = self.cowtrace("-o", self.directory / "report.json", "--", *command)
                name = command[0].rsplit("/", 1)[-1]
                self.assertIn(f"cowtrace: {name} uses ptrace", done.stderr.decode())
                self.assertIn("--snapshot passive", done.stderr.decode())
                self.assertNotEqual(done.returncode, 0)
                notes = load(self.directory / "report.json")["capture"]["notes"]
                self.assertIn("--snapshot passive", " ".join(notes))

    def test_passive_leaves_ptrace_free(self):
        for command in self.debuggers():
            with self.subTest(command):
                trace = self.trace(*command, options=("--snapshot", "passive"))
                self.assertNotIn("uses ptrace", trace.stderr)
                self.assertGreaterEqual(len(trace.processes), 2)

    def test_a_traced_debugger_sees_the_breaks_of_its_child(self):
        if not shutil.which("strace"):
            self.skipTest("no strace")
        trace = self.trace("strace", "-f", "-o", "/dev/null", program("family_shapes"), "fork", options=("-q", "--snapshot", "passive"))
        claimed = claims(trace.stdout)
        self.assertEqual(trace.copies([(page, page + PAGE) for _, page in claimed]), dict.fromkeys(claimed, 1))


@contextlib.contextmanager
def ignored(*numbers):
    """What is started meanwhile inherits these signals ignored."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Screen:
    """What a program writes to a terminal."""

    def __init__(self, leader):
        self.leader = leader
        self.text = ""
        self.seen = 0

    def send(self, keys):
        os.write(self.leader, keys)

    def type(self, line):
        self.seen = len(self.text)
        self.send(line.encode() + b"\n")
        # The echo is no answer.
        self.expect(line[-20:])

    def expect(self, words, seconds=TIMEOUT):
        """Reads until `words` appear after the last ones that were expected."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.text.find(words, self.seen)
            if found >= 0:
                self.seen = found + len(words)
                return
            readable, _, _ = select.select([self.leader], [], [], max(0, deadline - time.monotonic()))
            if not readable:
                raise AssertionError(f"{words!r} is not on the screen: {self.text!r}")
            try:
                data = os.read(self.leader, 65536)
            except OSError:  # the other side is closed
                data = b""
            if not data:
                raise AssertionError(f"{words!r} is not on the screen at its end: {self.text!r}")
            # Lines are wrapped and redrawn by the shell's line editor only on smart terminals.
            self.text += re.sub(" \r(?!\n)", "", data.decode("utf-8", "replace"))


def set_size(fd, columns):
    import fcntl
    import struct
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))


def rendered(text, columns):
    """The lines that a terminal shows; it wraps when a character comes behind the last column, as terminals do."""
    lines, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.", text, re.DOTALL):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            row += 1
        elif piece == "\x1b[K":
            lines[row] = lines[row][:column]
        elif not piece.startswith("\x1b"):
            if column == columns:
                row, column = row + 1, 0
            while len(lines) <= row:
                lines.append("")
            lines[row] = lines[row].ljust(column)[:column] + piece + lines[row][column + 1:]
            column += 1
        while len(lines) <= row:
            lines.append("")
    return [line.rstrip() for line in lines]


def take_terminal(number):
    """In a new session: makes a descriptor its controlling terminal."""
    import fcntl
    fcntl.ioctl(number, termios.TIOCSCTTY, 0)


def pause(seconds):
    """A random moment is what these tests are about; nothing is awaited."""
    select.select([], [], [], seconds)


if __name__ == "__main__":
    unittest.main()
