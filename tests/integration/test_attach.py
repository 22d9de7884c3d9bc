#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""cowtrace attach: processes that run already. What was copied is compared with the page tables, from outside, before and after."""
import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

from attaching import AttachTest
from bpf_objects import held_by, named, without_a_holder
from running import LongRunning
from support import COWTRACE, TIMEOUT, is_running, load, report_errors, wait_until

PYTHON = "/usr/bin/python3"


def new_group(test, *names):
    """Makes a control group that nobody else has, with groups of these names below it, each in the one before; returns them all. They are
    removed when the test ends and they are empty."""
    (top, *_) = [folder for folder in map(pathlib.Path, ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup")) if (folder / "cgroup.procs").exists()]
    groups = [top / f"cowtrace-{test.directory.name}"]
    for name in names:
        groups.append(groups[-1] / name)
    for group in groups:
        group.mkdir()
        test.addCleanup(lambda group=group: wait_until(lambda: not (group / "cgroup.procs").read_text(), "the group to be empty") and group.rmdir())
    return groups


class Attach(AttachTest):
    def test_children_that_were_forked_long_ago(self):
        program = LongRunning(self, pages=2000, children=3)
        before = program.frames()
        child = self.attach(program.pid)
        program.do("write")
        after = program.frames()
        trace = self.report(child)
        changed = self.assert_same_pages(trace, program, before, after)
        self.assertEqual(len(changed), 3 * 1000)
        self.assert_nothing_lost(trace)
        self.assertEqual({process["pid"] for process in trace.processes}, {program.pid, *program.children})
        parent = trace.process(program.pid)
        for pid in program.children:
            self.assertEqual(trace.process(pid)["forked_from"], parent["process"])
            self.assertIsNone(trace.process(pid)["inherited_bytes"])
        self.assertIn("python3", trace.capture["command"][0])

    def test_only_those_that_are_named(self):
        program = LongRunning(self, children=3)
        child = self.attach(*program.children[:2])
        program.do("write")
        trace = self.report(child)
        self.assertEqual({process["pid"] for process in trace.processes}, set(program.children[:2]))

    def test_threads_are_of_their_process(self):
        program = LongRunning(self, pages=1000, children=2, threads=7)
        before = program.frames()
        child = self.attach(program.pid)
        program.do("write")
        trace = self.report(child)
        self.assertEqual(len(self.assert_same_pages(trace, program, before, program.frames())), 2 * 500)
        self.assertEqual(len(trace.processes), 3)

    def test_what_is_forked_from_now_on(self):
        program = LongRunning(self)
        child = self.attach(program.pid)
        (forked,) = program.do("fork")
        trace = self.report(child)
        (process,) = [process for process in trace.processes if process["pid"] == int(forked)]
        self.assertEqual(process["forked_from"], trace.process(program.pid)["process"])
        copies = [page for pid, page in trace.copies([(program.start, program.end)]) if pid == int(forked)]
        self.assertEqual(len(copies), 10)

    def test_exact_snapshots_audit_what_is_forked_from_now_on(self):
        program = LongRunning(self, threads=2)
        child = self.attach("--snapshot", "exact", program.pid)
        (forked,) = program.do("fork")
        program.do("write")
        trace = self.report(child)
        audit = trace.process(int(forked))["audit"]
        self.assertGreaterEqual(audit["explained"], 10)
        self.assertEqual(audit["unexplained"], 0, audit)
        self.assertIsNone(trace.process(program.children[0])["audit"])
        self.assert_left_alone(program)

    def test_objects_have_names_although_fork_was_long_ago(self):
        program = LongRunning(self)
        child = self.attach(program.pid)
        program.do("write")
        trace = self.report(child)
        objects = {page["object"] for page in trace.report["pages"] if program.start <= int(page["address"], 16) < program.end}
        names = {one["name"] for one in trace.report["objects"] if one["id"] in objects}
        self.assertTrue(any(name.startswith("__main__.MEMORY") for name in names), names)
        self.assertTrue(any("as they were when cowtrace attached" in note for note in trace.capture["notes"]))
        functions = {frame["function"] for site in trace.report["sites"] for frame in site["stack"] if frame["kind"] == "python"}
        self.assertIn("write", functions)

    def test_it_ends_with_the_processes(self):
        program = LongRunning(self)
        child = self.attach(program.pid)
        program.process.stdin.write("end\n")
        trace = self.report(child, stop=None)
        self.assertTrue(all(process["exit_ns"] for process in trace.processes))

    def test_duration(self):
        program = LongRunning(self)
        done = self.cowtrace("attach", "-d", "300ms", program.pid)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"captured", done.stderr)
        self.assert_left_alone(program)

    def test_the_report_on_standard_output(self):
        program = LongRunning(self)
        done = self.cowtrace("attach", "-q", "-d", "300ms", "-o", "-", "--format", "json", program.pid)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(report_errors(json.loads(done.stdout)), [])

    def test_the_trace_gives_the_same_report(self):
        program = LongRunning(self)
        child = self.attach(program.pid)
        program.do("write")
        self.report(child)
        done = self.cowtrace("report", self.directory / "attached.cow", "--format", "json")
        self.assertEqual(done.stdout, (self.directory / "report.json").read_bytes())

    def test_counts(self):
        program = LongRunning(self)
        before = program.frames()
        child = self.attach("--detail", "counts", program.pid)
        program.do("write")
        self.assert_same_pages(self.report(child), program, before, program.frames())

    def test_a_control_group_and_who_joins_it(self):
        group, below = new_group(self, "below")
        first, second, other = LongRunning(self), LongRunning(self), LongRunning(self)
        for pid in (first.pid, *first.children):
            (below / "cgroup.procs").write_text(str(pid))
        child = self.attach("--cgroup", group.name)
        first.do("write")
        for pid in (second.pid, *second.children):
            (group / "cgroup.procs").write_text(str(pid))
        time.sleep(3)  # cowtrace looks for new members twice a second, and does not say that it has found one
        before = second.frames()
        second.do("write")
        after = second.frames()
        other.do("write")
        trace = self.report(child)
        self.assertEqual(len(self.assert_same_pages(trace, second, before, after)), 200)
        self.assertEqual({process["pid"] for process in trace.processes}, {first.pid, *first.children, second.pid, *second.children})
        for program in (first, second, other):
            self.end(program.process)

    def test_a_control_group_without_processes(self):
        (group,) = new_group(self)
        report = self.directory / "report.json"
        done = self.cowtrace("attach", "-q", "--cgroup", group.name, "-d", "100ms", "-o", report)
        self.assertEqual(done.returncode, 0)
        self.assert_one_error_line(done.stderr, f"no process is in the control group {group.name} yet")
        self.assertEqual([note for note in load(report)["capture"]["notes"] if group.name in note],
                         [f"no process was in the control group {group.name} while it was traced"])

    def test_a_hundred_times_under_load(self):
        program = LongRunning(self, pages=500, children=4, threads=2)
        load = self.start(PYTHON, "-c", "import os\nprint('ready', flush=True)\nwhile True:\n pid = os.fork()\n if not pid: os._exit(0)\n os.waitpid(pid, 0)",
                          stdout=subprocess.PIPE)
        load.stdout.readline()  # its files are read, and closed again
        child = self.attach(program.pid)
        names = {name for one, name in named().items() if one in held_by(child.pid) and name}
        self.assertGreater(len(names), 10)
        self.report(child)
        handles = {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in (program.pid, load.pid)}
        for number in range(100):
            done = self.cowtrace("attach", "-q", "-d", "20ms", program.pid, load.pid)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            if number % 10 == 0:
                program.do("write")
        wait_until(lambda: not without_a_holder(names), "the kernel to free what no process has open")
        self.assertEqual(handles, {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in (program.pid, load.pid)})
        self.assert_left_alone(program)
        self.assertTrue(is_running(load.pid))

    def test_top_shows_processes_that_run(self):
        program = LongRunning(self, pages=1000)
        child = self.start(COWTRACE, "top", "-q", program.pid, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        child.stdout.readline()
        program.do("write")
        time.sleep(1.1)  # a line a second
        child.send_signal(signal.SIGINT)
        stdout, stderr = child.communicate(timeout=TIMEOUT)
        self.assertEqual((child.returncode, stderr), (0, b""))
        last = stdout.decode().splitlines()[-1]
        self.assertRegex(last, r"total 1,[0-9]{3} breaks, [34]\.[0-9] MiB +3 processes")
        self.assert_left_alone(program)

    def test_budgets(self):
        program = LongRunning(self)
        child = self.attach("--max-copied", "100KiB", program.pid)
        program.do("write")
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=TIMEOUT)
        self.assertEqual(child.returncode, 124)
        self.assertRegex(stderr.decode().splitlines()[-1], r"^cowtrace: budget EXCEEDED: the family copied .*, more than --max-copied 100.0 KiB$")

    def test_why_a_process_cannot_be_read(self):
        """A root that lacks something is told what; it is not told to be root."""
        child = self.start("sleep", "60")
        for wrapper, words in ((("setpriv", "--bounding-set=-sys_ptrace,-perfmon,-sys_admin"), ("CAP_SYS_PTRACE", "lacks")),
                               (("unshare", "--user", "--map-root-user"), ("user namespace", "root of the machine")),
                               (("setpriv", "--reuid", "65534", "--clear-groups"), ("not root", "sudo"))):
            with self.subTest(wrapper):
                done = subprocess.run([*wrapper, COWTRACE, "attach", str(child.pid)], capture_output=True, check=False, timeout=TIMEOUT)
                self.assertEqual(done.returncode, 1)
                self.assert_one_error_line(done.stderr, f"cannot attach to {child.pid}", "Permission denied", *words)
                self.assertNotIn(b"run as root\n", done.stderr)

    def test_what_cannot_be(self):
        for arguments, status, words in ((("999999",), 1, ("999999", "no such process")), (("2",), 1, ("kernel thread",)),
                                         (("self",), 2, ("'self'", "no PID")), (("0",), 2, ("'0'",)), (("12x",), 2, ("'12x'",)), (("--watch", "x", "1"), 2, ("--watch",)), ((), 2, ("nobody to attach to",)),
                                         (("--cgroup", "no/such/group"), 1, ("no control group",)),
                                         (("--cgroup", ""), 1, ("--cgroup", "empty")),
                                         (("--all", "--snapshot", "exact"), 2, ("--all",)), (("1", "--", "true"), 2, ("no command",))):
            with self.subTest(arguments):
                done = self.cowtrace("attach", *arguments)
                self.assertEqual(done.returncode, status)
                self.assert_one_error_line(done.stderr, *words)


if __name__ == "__main__":
    unittest.main()
