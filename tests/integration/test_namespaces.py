#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pid namespaces: everybody is called as the caller of cowtrace sees him in /proc, and nothing else changes."""
import json
import os
import subprocess
import unittest

from running import LONG_RUNNING, PYTHON, frames
from support import COWTRACE, PAGE, SCENARIO, TIMEOUT, IntegrationTest, children_of, program, wait_until

SHAPES = program("unwind_shapes")
INSIDE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


class Namespaces(IntegrationTest):
    def test_cowtrace_in_a_namespace(self):
        report, truth = self.directory / "report.json", self.directory / "truth.json"
        for snapshot in ("exact", "passive"):
            done = subprocess.run([*INSIDE, COWTRACE, "-q", "--snapshot", snapshot, "-o", report, "--", SCENARIO, "mutate", "--pages", "300", "--truth", truth],
                                  capture_output=True, check=False, timeout=TIMEOUT)
            self.assertEqual(done.returncode, 0, done.stderr)
            trace = self.loaded(0, b"", "", report, truth)
            self.assertEqual(trace.capture["notes"], [])
            self.assert_nothing_lost(trace)
            self.assert_same_copies(trace)
            self.assertLess(max(process["pid"] for process in trace.processes), 20)
            if snapshot == "exact":
                self.assert_all_explained(trace)

    def test_a_command_in_a_namespace(self):
        """Whoever is in a namespace below has a number in ours."""
        trace = self.trace(*INSIDE, SCENARIO, "mutate", "--pages", "300", "--children", "1", options=("-q",))
        self.assert_nothing_lost(trace)
        self.assert_all_explained(trace)
        named = [process for process in trace.processes if process["command"] == "scenario"]
        self.assertEqual(len(named), 2)
        self.assertTrue(all(process["pid"] > 20 for process in named))
        self.assertGreaterEqual(sum(page["by_mechanism"].get("copy", 0) for page in trace.report["pages"]), 300)
        self.assertTrue(any(one["kind"] == "registered" for one in trace.report["objects"]))

    def test_a_program_that_only_its_mount_namespace_has(self):
        """Its symbols, lines and rules for stacks are read below its own root: the path leads nowhere else."""
        hidden = self.directory / "hidden"
        hidden.mkdir()
        inside = hidden / "only-inside"
        script = 'mount -t tmpfs none "$1" && cp "$2" "$3" && shift 2 && exec "$@"'
        trace = self.trace("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", hidden, SHAPES, inside, 1,
                           options=("-q", "--frames", 64))
        self.assertFalse(inside.exists())
        self.assert_nothing_lost(trace)
        stacks = [site["stack"] for site in trace.report["sites"] if not site["truncated"] and
                  any(os.path.basename(frame["module"] or "") == inside.name and frame["function"] == "write_pages" for frame in site["stack"])]
        self.assertTrue(stacks)
        for stack in stacks:
            ours = [frame for frame in stack if os.path.basename(frame["module"] or "") == inside.name]
            self.assertTrue(all(frame["function"] and not frame["function"].startswith("0x") for frame in ours), ours)
            self.assertTrue(ours[0]["line"])
            self.assertTrue({"main", "thread_main"} & {frame["function"] for frame in ours}, ours)

    def test_attach_to_a_namespace_from_outside(self):
        target = self.start(*INSIDE, PYTHON, LONG_RUNNING, 200, 2, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        said = json.loads(target.stdout.readline())
        self.assertLess(said["pid"], 20)
        (parent,) = children_of(target.pid)
        children = wait_until(lambda: len(children_of(parent)) == 2 and children_of(parent), "the children")
        before = {pid: frames(pid, said["start"], said["pages"]) for pid in children}
        report = self.directory / "report.json"
        attached = self.start(COWTRACE, "attach", "-o", report, parent, stderr=subprocess.PIPE)
        attached.stderr.readline()
        target.stdin.write("write\n")
        self.assertEqual(target.stdout.readline(), "done\n")
        after = {pid: frames(pid, said["start"], said["pages"]) for pid in children}
        attached.send_signal(2)
        _, stderr = attached.communicate(timeout=TIMEOUT)
        self.assertEqual(attached.returncode, 0, stderr)
        trace = self.loaded(0, b"", stderr.decode(), report)
        changed = {(pid, said["start"] + PAGE * page) for pid in children for page in range(said["pages"]) if before[pid][page] != after[pid][page]}
        self.assertEqual(len(changed), 200)
        self.assertEqual(set(trace.copies([(said["start"], said["start"] + PAGE * said["pages"])])), changed)
        self.assertEqual({process["pid"] for process in trace.processes}, {parent, *children})
        self.assertTrue(any(one["name"].startswith("__main__.MEMORY") for one in trace.report["objects"]))


if __name__ == "__main__":
    unittest.main()
