#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long forks and breaks keep a process, against its own clock around fork() and the number of pages that it wrote."""
import json
import unittest

from support import PAGE, IntegrationTest, program

MIB = 256
FORKS = 8
WRITTEN = 100 * FORKS


class Stalls(IntegrationTest):
    def measured(self, *options):
        """The trace, and what the program's clocks said of each fork, of the writes behind it, and of the processor's work for the fork."""
        trace = self.trace(program("fork_times"), MIB, FORKS, options=("-q", *options))
        self.start_of_memory, *times = trace.stdout.decode().splitlines()
        return trace, *zip(*(map(int, line.split()) for line in times))

    def test_forks_take_what_the_program_measures(self):
        """Without stops, which the program cannot tell from the fork."""
        trace, around, _, worked = self.measured("--snapshot", "passive")
        self.assertEqual(len(around), FORKS)
        took = [process["fork_took_ns"] for process in trace.processes[1:]]
        self.assertEqual(len(took), FORKS)
        self.assertIsNone(trace.processes[0]["fork_took_ns"])
        for inside, outside in zip(took, around):
            self.assertGreater(inside, 0)
            self.assertLessEqual(inside, outside)
        # The tables of 256 MiB are nearly all of a fork's work. Others may have the processor between the two clocks, which is why the
        # lower bound is the work and not the time; an interrupt may still come there, of some.
        close = [inside for inside, work in zip(took, worked) if inside > 0.8 * work]
        self.assertGreaterEqual(len(close), FORKS - 2, f"{took} {worked}")
        stall = next(one for one in trace.report["stalls"] if one["process"] == 0)
        self.assertEqual((stall["forks"], stall["fork_max_ns"], stall["fork_total_ns"]), (FORKS, max(took), sum(took)))

    def test_stops_are_no_part_of_a_fork(self):
        """Exact snapshots stop the parent after the fork, which is not the fork's time."""
        trace, around, _, _ = self.measured()
        for process, outside in zip(trace.processes[1:], around):
            self.assertLess(process["fork_took_ns"], outside)

    def test_breaks(self):
        trace, _, around, _ = self.measured("-o", self.directory / "events.jsonl")
        events = [json.loads(line) for line in (self.directory / "events.jsonl").read_text(encoding="utf-8").splitlines()]
        memory = range(int(self.start_of_memory, 16), int(self.start_of_memory, 16) + WRITTEN // FORKS * PAGE)
        waits = [event["latency_ns"] for event in events if event.get("mechanism") == "copy" and event["pid"] == trace.processes[0]["pid"] and
                 int(event["address"], 16) in memory]
        self.assertEqual(len(waits), WRITTEN)
        # The program's clock has all of a fault, the way into the kernel and back too.
        self.assertLess(sum(waits), sum(around))
        self.assertGreater(min(waits), 0)
        stall = next(one for one in trace.report["stalls"] if one["process"] == 0)
        process = trace.processes[0]
        self.assertGreaterEqual(stall["breaks"], WRITTEN)
        self.assertEqual(stall["breaks"], process["breaks"])
        self.assertGreaterEqual(stall["latency_ns"]["max"] * stall["breaks"], stall["break_total_ns"])
        # Of 100 % the middle: not less than the bucket of p50 holds, and not more.
        below = sum(bucket["count"] for bucket in stall["histogram"] if bucket["below_ns"] and bucket["below_ns"] <= stall["latency_ns"]["p50"])
        self.assertLess(below, (stall["breaks"] + 1) / 2 + 1)

    def test_forks_into_namespaces(self):
        """These make counters after the memory: what such a fork took is not known, and is not made up."""
        code = "import ctypes, os\n" \
               "pid = ctypes.CDLL(None).syscall(56, 0x40000000 | 17, 0, 0, 0, 0)  # clone(CLONE_NEWNET, SIGCHLD) of x86-64\n" \
               "os._exit(0) if pid == 0 else os.waitpid(pid, 0)\n"
        trace = self.trace("/usr/bin/python3", "-c", code, options=("-q",))
        (child,) = trace.processes[1:]
        self.assertIsNotNone(child["fork_ns"])
        self.assertIsNone(child["fork_took_ns"])


if __name__ == "__main__":
    unittest.main()
