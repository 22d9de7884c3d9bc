#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Standard streams that are closed, full or broken, and limits that are small: report files are whole, and the command gets what cowtrace was given."""
import json
import os
import resource
import signal
import subprocess
import unittest

from support import COWTRACE, SCENARIO, TIMEOUT, IntegrationTest, load, report_errors

# Writes what a program inherits: open descriptors 0 to 9, limits, and signals.
SURROUNDINGS = """
import json, os, resource, sys
def kind(fd):
    try:
        at = os.fstat(fd)
        return [at.st_dev, at.st_ino, at.st_rdev]
    except OSError:
        return None
open_now = [kind(fd) for fd in range(3)]
names = sorted(name for name in dir(resource) if name.startswith("RLIMIT_"))
limits = {name: resource.getrlimit(getattr(resource, name)) for name in names}
signals = [line for line in open("/proc/self/status") if line.startswith(("SigIgn", "SigBlk"))]
json.dump([open_now, limits, signals], open(sys.argv[1], "w"))
os._exit(int(sys.argv[2]))
"""


def closed(*fds):
    def close():
        for fd in fds:
            os.close(fd)
    return close


def limited(which, soft, hard=None):
    return lambda: resource.setrlimit(which, (soft, soft if hard is None else hard))


def may_raise():
    """Whether root may raise hard limits here: some containers keep CAP_SYS_RESOURCE back."""
    with open("/proc/self/status", encoding="ascii") as file:
        (effective,) = [line.split()[1] for line in file if line.startswith("CapEff")]
    return bool(int(effective, 16) >> 24 & 1)


class Streams(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.files = [self.directory / f"x.{suffix}" for suffix in ("json", "html", "cow", "txt")]
        self.script = self.directory / "surroundings.py"
        self.script.write_text(SURROUNDINGS)

    def cowtrace_with(self, command, options=(), **keywords):
        for path in self.files:
            path.unlink(missing_ok=True)
        outputs = [word for path in self.files for word in ("-o", path)]
        return subprocess.run(list(map(str, [COWTRACE, *options, *outputs, "--", *command])), check=False, timeout=TIMEOUT, **keywords)

    def assert_whole(self):
        self.assertEqual(report_errors(load(self.directory / "x.json")), [])
        self.assertTrue((self.directory / "x.html").read_text(encoding="utf-8").endswith("</html>\n"))
        self.assertIn("\nMechanisms (", (self.directory / "x.txt").read_text(encoding="utf-8"))
        read = self.cowtrace("report", self.directory / "x.cow", "--format", "json")
        self.assertNotIn("the trace is incomplete", " ".join(json.loads(read.stdout)["capture"]["notes"]))

    def surroundings(self, command, status, **keywords):
        """What a program sees that is started alone, and under cowtrace."""
        seen = []
        for trace in (False, True):
            path = self.directory / f"seen{trace}"
            path.unlink(missing_ok=True)
            words = ["/usr/bin/python3", self.script, path, status]
            done = self.cowtrace_with(words, **keywords) if trace else subprocess.run(list(map(str, words)), check=False, timeout=TIMEOUT, **keywords)
            self.assertEqual(done.returncode, status, (command, done))
            seen.append(load(path))
        return seen

    def test_closed(self):
        for fds in ((2,), (1,), (0,), (0, 1, 2), (1, 2)):
            for status in (0, 3):
                with self.subTest(fds=fds, status=status):
                    plain, traced = self.surroundings("closed", status, preexec_fn=closed(*fds), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                                      stderr=subprocess.DEVNULL)
                    self.assertEqual(traced, plain)
                    self.assertEqual([fd for fd in range(3) if traced[0][fd] is None], list(fds))
                    self.assert_whole()

    def test_standard_error_is_full_or_broken(self):
        read, write = os.pipe()
        os.close(read)
        with open("/dev/full", "wb") as full, open("/dev/null", "rb") as unwritable:
            for stderr in (full, write, unwritable):
                for status in (0, 3):
                    with self.subTest(stderr=stderr, status=status):
                        done = self.cowtrace_with(["sh", "-c", f"exit {status}"], stderr=stderr)
                        self.assertEqual(done.returncode, status)
                        self.assert_whole()
        os.close(write)

    def test_the_command_dies_of_a_broken_pipe_as_ever(self):
        read, write = os.pipe()
        os.close(read)
        done = self.cowtrace_with(["sh", "-c", "while :; do echo line; done"], options=("-q",), stdout=write)
        os.close(write)
        self.assertEqual(done.returncode, 128 + signal.SIGPIPE)
        self.assert_whole()

    def test_standard_output_is_full(self):
        trace = self.directory / "t.cow"
        self.assertEqual(self.cowtrace("-q", "-o", trace, "--", "true").returncode, 0)
        with open("/dev/full", "wb") as full:
            for words in (("report", trace), ("report", trace, "--format", "json"), ("diff", trace, trace), ("--help",), ("doctor",)):
                with self.subTest(words):
                    done = subprocess.run([COWTRACE, *map(str, words)], stdout=full, stderr=subprocess.PIPE, check=False, timeout=TIMEOUT)
                    self.assertEqual(done.returncode, 1)
                    self.assert_one_error_line(done.stderr, "cannot write to standard output: No space left on device")

    def limits_of(self, command, which, soft, hard):
        """What `ulimit` says in a shell, alone and under cowtrace: Python itself needs more stack."""
        script = "ulimit -Sa; ulimit -Ha; exit 3"
        plain = subprocess.run(["sh", "-c", script], capture_output=True, check=False, preexec_fn=limited(which, soft, hard))
        traced = self.cowtrace_with(["sh", "-c", script], options=("-q",), capture_output=True, preexec_fn=limited(which, soft, hard))
        self.assertEqual((plain.returncode, traced.returncode, traced.stderr), (3, 3, b""), command)
        return plain.stdout, traced.stdout

    def test_limits_of_the_command_are_what_they_were(self):
        for which, soft in ((resource.RLIMIT_STACK, 64 << 10), (resource.RLIMIT_NOFILE, 16), (resource.RLIMIT_NOFILE, 300), (resource.RLIMIT_CORE, 0)):
            hards = {resource.getrlimit(which)[1], *((soft,) if may_raise() or soft in (0, 300) else ())}
            for hard in hards:
                with self.subTest(which=which, soft=soft, hard=hard):
                    plain, traced = self.limits_of("limits", which, soft, hard)
                    self.assertEqual(traced, plain)
                    self.assert_whole()

    def test_a_family_with_little_stack_and_few_files(self):
        for which, soft, words in ((resource.RLIMIT_STACK, 64 << 10, "ulimit -s"), (resource.RLIMIT_NOFILE, 16, "ulimit -n")):
            for hard in (soft, resource.getrlimit(which)[1]):
                with self.subTest(which=which, hard=hard):
                    done = self.cowtrace_with([SCENARIO, "mutate", "--pages", 200, "--children", 3], options=("-q",), stdout=subprocess.DEVNULL,
                                              stderr=subprocess.PIPE, preexec_fn=limited(which, soft, hard))
                    if hard == soft and not may_raise():
                        self.assertEqual(done.returncode, 125)
                        self.assert_one_error_line(done.stderr, words)
                        continue
                    self.assertEqual((done.returncode, done.stderr), (0, b""))
                    self.assert_whole()
                    self.assertGreaterEqual(load(self.directory / "x.json")["totals"]["breaks"], 600)

    def test_what_a_user_cannot_raise_is_said(self):
        trace = self.directory / "t.cow"
        self.assertEqual(self.cowtrace("-q", "-o", trace, "--", "true").returncode, 0)
        os.chmod(trace, 0o644)

        def nobody(which, soft):
            def become():
                resource.setrlimit(which, (soft, soft))
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            return become
        for which, soft, words in ((resource.RLIMIT_STACK, 64 << 10, "ulimit -s"), (resource.RLIMIT_NOFILE, 16, "ulimit -n")):
            with self.subTest(words):
                done = self.cowtrace("report", trace, preexec_fn=nobody(which, soft))
                self.assertEqual(done.returncode, 1)
                self.assert_one_error_line(done.stderr, words)

    def test_a_limit_of_file_sizes(self):
        for status in (0, 3):
            with self.subTest(status):
                done = self.cowtrace_with([SCENARIO, "mutate", "--pages", 400, "--children", 2] if status == 0 else ["sh", "-c", "exit 3"], options=("-q",),
                                          preexec_fn=limited(resource.RLIMIT_FSIZE, 16 << 10), stderr=subprocess.PIPE)
                # None of them is COMMAND's failure.
                self.assertEqual(done.returncode, status or 125, done.stderr)
                self.assert_one_error_line(done.stderr, "File too large")
                self.assertEqual(load(self.directory / "x.json")["schema"], "cowtrace.incomplete/1" if status == 0 else "cowtrace.report/1")
                self.assertIn("is incomplete", (self.directory / "x.html").read_text(encoding="utf-8"))
                self.assertLess((self.directory / "x.html").stat().st_size, 2048)

    def test_no_file_may_have_any_bytes(self):
        done = self.cowtrace_with(["sh", "-c", "kill -XFSZ $$"], options=("-q",), preexec_fn=limited(resource.RLIMIT_FSIZE, 0), stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 128 + signal.SIGXFSZ)
        self.assert_one_error_line(done.stderr, "File too large")


if __name__ == "__main__":
    unittest.main()
