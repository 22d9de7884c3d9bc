#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A family that outlives cowtrace: it goes on as if nothing had been, and nothing of cowtrace stays in the kernel."""
import os
import signal
import subprocess
import unittest

from measuring import SIZES, LimitsTest
from bpf_objects import held_by, is_in_the_kernel
from support import COWTRACE, TIMEOUT, children_of, is_running, status_of, wait_until

PAGES = 50


class Outlived(LimitsTest):
    def assert_nothing_stays(self, objects):
        self.assertGreater(len({kind for kind, _ in objects}), 1, objects)
        self.assertGreater(len(objects), 10)
        wait_until(lambda: not any(map(is_in_the_kernel, objects)), "the kernel to free what is not used any more")

    def assert_left_alone(self, *pids):
        for pid in pids:
            status = status_of(pid)
            self.assertEqual(status["TracerPid"], "0")
            self.assertTrue(status["State"].startswith("S"), status["State"])

    def check_rest(self, sized, daemon):
        """It writes the other half, which nobody traces, and ends by itself."""
        before = len(sized.claims["wrote"])
        sized.go_on()
        sized.until_ready()
        self.assertEqual(len(sized.claims["wrote"]), before + 1)
        sized.go_on()
        wait_until(lambda: not is_running(daemon), "the daemon ends")

    def check(self, stop, status, *options):
        sized = self.sized("daemon", PAGES, "stay", options=("-q", *options))
        sized.until_ready()
        if "stays" not in sized.other:
            wait_until(lambda: not sized.read_line() or "stays" in sized.other, "the command stays")
        objects = held_by(sized.process.pid)
        (command,) = children_of(sized.process.pid)
        ((daemon, start, _),) = sized.claims["wrote"]
        stop(sized.process)
        self.assertEqual(sized.process.wait(timeout=TIMEOUT), status)
        self.assert_nothing_stays(objects)
        self.assert_left_alone(command, daemon)
        self.check_rest(sized, daemon)
        self.assertTrue(is_running(command))
        os.kill(command, signal.SIGKILL)
        trace = sized.end(status)
        self.assert_nothing_lost(trace)
        self.assert_exactly(trace, {(daemon, start + index * 4096) for index in range(PAGES)}, [(start, start + 2 * PAGES * 4096)])
        for pid in (command, daemon):
            self.assertEqual(trace.process(pid)["audit_missing"], "it was still running")
            self.assertIsNone(trace.process(pid)["exit_ns"])
        self.figures(f"outlived_{self._testMethodName[5:]}", bpf_objects=len(objects), bpf_objects_after=0, status=status,
                     audited=sum(process["audit"] is not None for process in trace.processes), processes=len(trace.processes))

    def test_duration(self):
        self.check(lambda process: None, 0, "-d", "2s")

    def test_interrupted_twice(self):
        def twice(process):
            process.send_signal(signal.SIGINT)
            # Two that come at one time are one.
            wait_until(lambda: int(status_of(process.pid)["ShdPnd"], 16) & (1 << (signal.SIGINT - 1)) == 0, "the first is taken")
            process.send_signal(signal.SIGINT)

        self.check(twice, 128 + signal.SIGINT)

    def test_attached_and_detached(self):
        program = self.start(SIZES, "daemon", PAGES, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        _, daemon, _, _ = program.stdout.readline().split()
        daemon = int(daemon)
        self.addCleanup(lambda: is_running(daemon) and os.kill(daemon, signal.SIGKILL))
        self.assertEqual(program.stdout.readline(), "ready\n")
        for snapshot in ("passive", "exact"):
            attached = self.start(COWTRACE, "attach", "--snapshot", snapshot, "-o", self.directory / "report.json", daemon, stderr=subprocess.PIPE)
            attached.stderr.readline()
            objects = held_by(attached.pid)
            attached.send_signal(signal.SIGINT)
            _, stderr = attached.communicate(timeout=TIMEOUT)
            self.assertEqual(attached.returncode, 0, stderr)
            self.assert_nothing_stays(objects)
            self.assert_left_alone(daemon)
            trace = self.loaded(0, b"", "", self.directory / "report.json")
            self.assertIsNone(trace.process(daemon)["audit"])
        program.stdin.write("\n")
        self.assertTrue(program.stdout.readline().startswith(f"wrote {daemon} "))
        self.assertEqual(program.stdout.readline(), "ready\n")
        program.stdin.write("\n")
        wait_until(lambda: not is_running(daemon), "the daemon ends")


if __name__ == "__main__":
    unittest.main()
