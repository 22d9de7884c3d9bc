#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What of root's power cowtrace keeps while it traces, and how it writes files for somebody who called sudo."""
import os
import pathlib
import pwd
import resource
import shutil
import signal
import stat
import subprocess
import unittest

from support import COWTRACE, SANITIZED, TIMEOUT, IntegrationTest, load, report_errors, status_of, wait_until

CALLER = 12345  # a user that need not be in any file
NOBODY = 65534
# linux/capability.h: DAC_READ_SEARCH, KILL, SYS_PTRACE, SYS_ADMIN, PERFMON, BPF
KEPT = sum(1 << number for number in (2, 5, 19, 21, 38, 39))


def nice_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16])


def processes_of(uid):
    """Every process that has the user id `uid`, be it real, effective or saved."""
    statuses = ((int(name), status_of(name)) for name in os.listdir("/proc") if name.isdigit())
    return {pid for pid, status in statuses if status and str(uid) in status["Uid"].split()}


class WhileItTraces(IntegrationTest):
    def assert_little_is_left(self, pid):
        wait_until(lambda: status_of(pid)["NoNewPrivs"] == "1", "privileges to be given up")
        (uid,) = set(status_of(pid)["Uid"].split())
        self.assertNotIn(int(uid), [user.pw_uid for user in pwd.getpwall()])
        self.assertEqual(processes_of(uid), {pid}, "no other process is of the tracer's user")
        for task in os.listdir(f"/proc/{pid}/task"):
            status = status_of(task)
            self.assertEqual(set(status["Uid"].split()), {uid})
            self.assertEqual(set(status["Gid"].split()), {uid})
            self.assertEqual(status.get("Groups", "").strip(), "")
            for kind in ("CapEff", "CapPrm"):
                self.assertEqual(int(status[kind], 16) & ~KEPT, 0, status[kind])
            self.assertEqual(status["CapInh"].strip("0"), "")
        # Made before there are threads: later the kernel would wait for all CPUs each time that it grows.
        self.assertGreaterEqual(int(status_of(pid)["FDSize"]), min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
        # One thread goes before others, and keeps none of what it took.
        usual = nice_of("self")
        wait_until(lambda: [nice for nice in map(nice_of, os.listdir(f"/proc/{pid}/task")) if nice < usual] == [usual - 10], "one thread to go before others")

    def test_run(self):
        child = self.start(COWTRACE, "run", "-q", "-o", self.directory / "x.cow", "--", "sleep", "60")
        self.assert_little_is_left(child.pid)
        # The command has what it would have without.
        command = wait_until(lambda: [int(pid) for pid in pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()], "the command")
        own = status_of("self")
        theirs = wait_until(lambda: status_of(command[0]), "the command")
        for field in ("Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs"):
            self.assertEqual(theirs[field], own[field])
        self.assertEqual(nice_of(command[0]), nice_of("self"))
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(timeout=TIMEOUT), 128 + signal.SIGTERM)

    def test_attach(self):
        target = self.start("sleep", "60")
        child = self.start(COWTRACE, "attach", "-q", target.pid)
        self.assert_little_is_left(child.pid)
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(timeout=TIMEOUT), 0)

    def test_top(self):
        child = self.start(COWTRACE, "top", "-q", "--", "sleep", "60", stdout=subprocess.DEVNULL)
        self.assert_little_is_left(child.pid)

    @unittest.skipIf(SANITIZED, "a sanitizer reports to where nobody may write")
    def test_a_setuid_program_is_still_one(self):
        program = self.directory / "id"
        shutil.copy("/usr/bin/id", program)
        program.chmod(0o4755)
        for snapshot in ("exact", "passive"):
            done = self.cowtrace("-q", "--snapshot", snapshot, "-u", "nobody", "--", program, "-u")
            self.assertEqual((done.returncode, done.stdout), (0, b"0\n"), done.stderr)


# A program that does what its user may to the process in its last argument, and says how that went. It forks, so that there is something to trace.
ATTACKER = """
import os, resource, signal, sys
how, go, victim = sys.argv[1], sys.argv[2], int(sys.argv[3]) or os.getppid()
attempts = {
    "stop": lambda: os.kill(victim, signal.SIGSTOP),
    "end": lambda: os.kill(victim, signal.SIGTERM),
    "kill": lambda: os.kill(victim, signal.SIGKILL),
    "files": lambda: resource.prlimit(victim, resource.RLIMIT_FSIZE, (4096, 4096)),
    "time": lambda: resource.prlimit(victim, resource.RLIMIT_CPU, (0, 0)),
    "descriptors": lambda: resource.prlimit(victim, resource.RLIMIT_NOFILE, (3, 3)),
    "memory": lambda: resource.prlimit(victim, resource.RLIMIT_AS, (1, 1)),
    "urgency": lambda: os.setpriority(os.PRIO_PROCESS, victim, 19),
    "policy": lambda: os.sched_setscheduler(victim, os.SCHED_IDLE, os.sched_param(0)),
    "processor": lambda: os.sched_setaffinity(victim, {0}),
    "read": lambda: open(f"/proc/{victim}/mem", "rb"),
    "look": lambda: os.listdir(f"/proc/{victim}/fd"),
}
if go != "-":
    open(go).read()
for name in attempts if how == "all" else [how]:
    try:
        attempts[name]()
        print(name, "done", flush=True)
    except PermissionError:
        print(name, "refused", flush=True)
memory = bytearray(4096 * 50)
if os.fork() == 0:
    for at in range(0, len(memory), 4096):
        memory[at] = 1
    os._exit(0)
os.wait()
"""


class AgainstWhoItTraces(IntegrationTest):
    """A traced program of a plain user cannot stop, end, limit or slow the tracer, whoever the user is."""

    def setUp(self):
        super().setUp()
        self.directory.chmod(0o755)
        self.attacker = self.directory / "attacker.py"
        self.attacker.write_text(ATTACKER)
        self.report = self.directory / "report.json"

    def assert_all_refused(self, said):
        self.assertGreaterEqual(len(said), 1)
        self.assertEqual([line for line in said if not line.endswith(" refused")], [])
        report = load(self.report)
        self.assertEqual(report_errors(report), [])
        self.assertGreaterEqual(report["totals"]["breaks"], 50)

    def test_run(self):
        for how in ("all", "kill"):
            done = self.cowtrace("-q", "-u", "nobody", "-o", self.report, "--", "/usr/bin/python3", self.attacker, how, "-", 0)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assert_all_refused(done.stdout.decode().splitlines())

    def test_attach(self):
        go, said = self.directory / "go", self.directory / "said"
        os.mkfifo(go)
        go.chmod(0o644)
        nobody = ("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups")
        # The attacker learns late whom to attack: its victim is started after it.
        script = 'read victim < "$1"; exec /usr/bin/python3 "$2" all - "$victim"'
        with said.open("wb") as output:
            attacker = self.start(*nobody, "sh", "-c", script, "sh", go, self.attacker, stdout=output)
        told = self.directory / "told"
        with told.open("wb") as output:
            child = self.start(COWTRACE, "attach", "-o", self.report, attacker.pid, stderr=output)
        wait_until(lambda: "attached to 1 process" in told.read_text(), "cowtrace to be attached")
        go.write_text(f"{child.pid}\n")
        self.assertEqual(attacker.wait(timeout=TIMEOUT), 0)
        self.assertEqual(child.wait(timeout=TIMEOUT), 0)
        self.assert_all_refused(said.read_text().splitlines())


class Files(IntegrationTest):
    def write(self, path, caller=None):
        environment = {**os.environ, **({"SUDO_UID": str(caller), "SUDO_GID": str(caller + 1)} if caller else {})}
        return self.cowtrace("-q", "-o", path, "--", "true", env=environment)

    def assert_refused(self, path, *words, caller=None):
        before = path.read_bytes() if path.is_file() else None
        done = self.write(path, caller)
        self.assertEqual(done.returncode, 125)
        self.assert_one_error_line(done.stderr, path.name, *words)
        if before is not None:
            self.assertEqual(path.read_bytes(), before)

    def test_a_new_file_is_the_callers(self):
        for name, caller, owner in (("a.json", CALLER, (CALLER, CALLER + 1)), ("b.cow", CALLER, (CALLER, CALLER + 1)), ("c.json", None, (0, 0))):
            self.assertEqual(self.write(self.directory / name, caller).returncode, 0)
            about = (self.directory / name).stat()
            self.assertEqual((about.st_uid, about.st_gid), owner)
            self.assertGreater(about.st_size, 0)

    def test_an_old_file_is_emptied_and_keeps_its_owner(self):
        path = self.directory / "old.txt"
        path.write_text("x" * 100_000)
        os.chown(path, CALLER, CALLER)
        self.assertEqual(self.write(path, CALLER).returncode, 0)
        self.assertNotIn("x" * 100, path.read_text())
        self.assertEqual(path.stat().st_uid, CALLER)

    def test_nobody_else_may_read_a_new_file(self):
        """Whatever the umask allows: it quotes what processes had in their memory."""
        def modes(*names):
            return [stat.S_IMODE((self.directory / name).stat().st_mode) for name in names]

        old = self.directory / "old.json"
        old.write_text("{}")
        old.chmod(0o640)
        mask = os.umask(0)
        self.addCleanup(os.umask, mask)
        names = ("t.cow", "t.json", "t.html", "t.txt", "t.jsonl")
        for name in (*names, "old.json"):
            self.assertEqual(self.write(self.directory / name).returncode, 0)
        self.assertEqual(modes(*names), [0o600] * len(names))
        self.assertEqual(modes("old.json"), [0o640])
        trace = self.directory / "t.cow"
        for command in (("report", trace, "-o", self.directory / "r.json"), ("diff", trace, trace, "-o", self.directory / "d.json")):
            done = self.cowtrace(*command)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(modes("r.json", "d.json"), [0o600] * 2)

    def test_a_diff_is_written_through_no_link(self):
        trace, target, link = (self.directory / name for name in ("t.cow", "precious", "link.json"))
        self.assertEqual(self.write(trace).returncode, 0)
        target.write_text("keep me")
        link.symlink_to(target)
        done = self.cowtrace("diff", trace, trace, "-o", link)
        self.assertNotEqual(done.returncode, 0)
        self.assert_one_error_line(done.stderr, "link.json", "symbolic link")
        self.assertEqual(target.read_text(), "keep me")

    def test_nothing_is_written_through_a_link(self):
        target = self.directory / "precious"
        target.write_text("keep me")
        link = self.directory / "link.json"
        link.symlink_to(target)
        self.assert_refused(link, "symbolic link")
        missing = self.directory / "missing.json"
        missing.symlink_to(self.directory / "made")
        self.assert_refused(missing, "symbolic link")
        self.assertFalse((self.directory / "made").exists())
        hard = self.directory / "hard.json"
        hard.hardlink_to(target)
        self.assert_refused(hard, "hard link")
        self.assertEqual(target.read_text(), "keep me")

    def test_what_is_no_file_of_the_callers(self):
        fifo = self.directory / "fifo.json"
        os.mkfifo(fifo)
        done = self.write(fifo)
        self.assertEqual(done.returncode, 125)
        self.assertTrue(stat.S_ISFIFO(fifo.stat().st_mode))
        other = self.directory / "other.json"
        other.write_text("somebody else's")
        os.chown(other, CALLER + 7, CALLER + 7)
        self.assert_refused(other, "somebody else", caller=CALLER)
        folder = self.directory / "folder.json"
        folder.mkdir()
        self.assert_refused(folder)


if __name__ == "__main__":
    unittest.main()
