#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A container: namespaces and a root of its own. Whoever asks sees his own numbers of processes, and addresses and functions are right from both sides."""
import os
import shutil
import subprocess
import unittest

from measuring import PAGE, SIZES, LimitsTest
from support import COWTRACE, TIMEOUT, children_of, status_of

CHILDREN, PAGES = 5, 40
UNSHARE = ("unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "--kill-child")
NAME = "only-here"


class Containers(LimitsTest):
    def setUp(self):
        super().setUp()
        self.root = self.directory / "root"
        for folder in ("app", "proc", "usr", "sys", "tmp", "etc", "dev"):
            (self.root / folder).mkdir(parents=True)
        for link in ("lib", "lib64", "bin"):
            if os.path.islink(f"/{link}"):
                (self.root / link).symlink_to(os.readlink(f"/{link}"))
        shutil.copy(SIZES, self.root / "app" / NAME)
        shutil.copy(COWTRACE, self.root / "app" / "cowtrace")

    def inside(self, *command):
        """`command` as it is run in the container."""
        root = self.root
        script = (f"mount --bind /usr {root}/usr && mount -t proc proc {root}/proc && mount --rbind /sys {root}/sys && mount --bind /dev {root}/dev && "
                  f'exec chroot {root} "$@"')
        return (*UNSHARE, "sh", "-c", script, "sh", *map(str, command))

    @property
    def family(self):
        return (f"/app/{NAME}", "children", CHILDREN, PAGES)

    def assert_named(self, trace):
        """The program is at a path that is there in the container alone."""
        functions = {frame["function"] for site in trace.report["sites"] for frame in site["stack"]}
        self.assertTrue(functions & {"write_pages", "write_and_claim", "shape_children"}, functions)

    def number_inside(self, pid):
        return int(status_of(pid)["NSpid"].split()[-1])

    def test_seen_from_outside(self):
        sized = self.sized(command=self.inside(*self.family))
        sized.until_ready()
        claimed = {pid: start for pid, start, _ in sized.claims["wrote"]}  # by the numbers inside
        pid = sized.process.pid
        while len(children_of(pid)) < CHILDREN:
            (pid,) = children_of(pid)
        children = {child: self.number_inside(child) for child in children_of(pid)}
        sized.go_on()
        trace = sized.end()
        self.assertEqual(set(children.values()), set(claimed))
        self.assert_nothing_lost(trace)
        written = {(child, claimed[number] + index * PAGE) for child, number in children.items() for index in range(PAGES)}
        self.assert_exactly(trace, written)
        for child in children:
            self.assertEqual(trace.process(child)["audit"]["unexplained"], 0)
        self.assert_named(trace)
        self.figures("container_outside", written_pages=CHILDREN * PAGES, reported_pages=self.reported(trace, written), pids_inside=sorted(claimed), pids_reported=sorted(children), unexplained=trace.audited("unexplained"))

    def test_seen_from_inside(self):
        report = self.root / "tmp" / "report.json"
        done = subprocess.run(self.inside("/app/cowtrace", "-q", "-o", "/tmp/report.json", "--", *self.family), input="\n", capture_output=True, text=True,
                              check=False, timeout=TIMEOUT)
        self.assertEqual(done.returncode, 0, done.stderr)
        written = {(int(pid), int(start, 16) + index * PAGE) for word, pid, start, _ in (line.split() for line in done.stdout.splitlines() if line.startswith("wrote"))
                   for index in range(PAGES)}
        trace = self.loaded(0, "", "", report)
        self.assertEqual(len(written), CHILDREN * PAGES)
        self.assert_nothing_lost(trace)
        self.assert_exactly(trace, written)
        self.assert_all_explained(trace)
        self.assert_named(trace)
        self.assertLess(max(process["pid"] for process in trace.processes), 30)
        self.figures("container_inside", written_pages=len(written), reported_pages=self.reported(trace, written), pids_reported=sorted({pid for pid, _ in written}), unexplained=trace.audited("unexplained"))


if __name__ == "__main__":
    unittest.main()
