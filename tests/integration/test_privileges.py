#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What of root's power cowtrace keeps while it traces, and how it writes files for somebody who called sudo."""
import os
import pathlib
import resource
import shutil
import signal
import stat
import subprocess
import unittest

from support import COWTRACE, SANITIZED, IntegrationTest, status_of, wait_until

CALLER = 12345  # a user that need not be in any file
NOBODY = "65534"
# linux/capability.h: DAC_READ_SEARCH, KILL, SYS_PTRACE, SYS_ADMIN, PERFMON, BPF
KEPT = sum(1 << number for number in (2, 5, 19, 21, 38, 39))


def nice_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16])


class WhileItTraces(IntegrationTest):
    def assert_little_is_left(self, pid):
        wait_until(lambda: status_of(pid)["NoNewPrivs"] == "1", "privileges to be given up")
        for task in os.listdir(f"/proc/{pid}/task"):
            status = status_of(task)
            self.assertEqual(set(status["Uid"].split()), {NOBODY})
            self.assertEqual(set(status["Gid"].split()), {NOBODY})
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
        self.assertEqual(child.wait(timeout=30), 128 + signal.SIGTERM)

    def test_attach(self):
        target = self.start("sleep", "60")
        child = self.start(COWTRACE, "attach", "-q", target.pid)
        self.assert_little_is_left(child.pid)
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(timeout=30), 0)

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
