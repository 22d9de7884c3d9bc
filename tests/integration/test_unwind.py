# SPDX-License-Identifier: Apache-2.0
"""Native stacks of code without frame pointers: every chain of a program that knows its own, by the C library's unwinder, and its pages."""
import collections
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from support import SOURCE, IntegrationTest, load, program  # noqa: E402

SHAPES = program("unwind_shapes")
LINES = (SOURCE / "tests" / "programs" / "unwind_shapes.c").read_text(encoding="utf-8").splitlines()
(WRITE,) = [number for number, line in enumerate(LINES, 1) if "region[PAGE * next_page++" in line]
ONE_CHILDS = 2  # pages that the chain `other-stack` writes in one child


def named(addresses):
    """(function, line) of each return address in the program, by binutils; those of inlined functions first."""
    if not addresses:
        return []
    text = subprocess.run(["addr2line", "-f", "-i", "-a", "-e", SHAPES, *[hex(address - 1) for address in addresses]],
                          capture_output=True, text=True, check=True).stdout.splitlines()
    result = []
    for line in text:
        if line.startswith("0x"):
            result.append([])
        else:
            result[-1].append(line)
    def pairs(lines):
        return [(function, int(place.split(":")[-1].split()[0].replace("?", "0")))
                for function, place in zip(lines[::2], lines[1::2])]
    return [pairs(lines) for lines in result]


class Chains:
    """What the program says of itself."""

    def __init__(self, stdout):
        self.pages = collections.Counter()  # by the chain's stack frames behind the first
        self.names = {}
        start = end = None
        for line in stdout.decode().splitlines():
            words = line.split()
            if words[0] == "image":
                start, end = (int(word, 16) for word in words[1:])
            else:
                addresses = [int(word, 16) for word in words[3:]]
                ours = iter(named([address - start for address in addresses if start <= address < end]))
                frames = [frame for address in addresses
                          for frame in (next(ours) if start <= address < end else [("libc.so.6", 0)])]
                self.pages[tuple(frames)] += int(words[1]) * int(words[2])
                self.names[tuple(frames)] = words[0]


def chains_of(report):
    """The same of a report, for walks that came to the end and for those that did not: breaks of the pages that chains write, by the stack
    frames behind the first."""
    whole, cut = collections.Counter(), collections.Counter()
    for site in report["sites"]:
        stack = site["stack"]
        if not stack or (stack[0]["function"], stack[0]["line"]) != ("write_pages", WRITE):
            continue
        frames = []
        for frame in stack[1:]:
            module = os.path.basename(frame["module"] or "?")
            if module == "unwind_shapes":
                frames.append((frame["function"], frame["line"] or 0))
            elif not frame["inlined"]:
                frames.append((module, 0))
        (cut if site["truncated"] else whole)[tuple(frames)] += site["breaks"]
    return whole, cut


class Unwinding(IntegrationTest):
    def assert_same_chains(self, report, stdout):
        told = Chains(stdout)
        whole, cut = chains_of(report)
        for frames, pages in told.pages.items():
            found = whole[frames]
            if told.names[frames] == "other-stack":
                # What was copied of the handler's stack does not hold the one that it interrupted: the first child's is cut short.
                begins = sum(breaks for start, breaks in cut.items() if frames[:len(start)] == start and "on_signal" in dict(start))
                self.assertLessEqual(begins, ONE_CHILDS)
                found += begins
            self.assertEqual(found, pages, f"{told.names[frames]}: {frames}\nof {list(whole)}\nand {list(cut)}")
        self.assertEqual(sum(whole.values()) + sum(cut.values()), sum(told.pages.values()))
        self.assertEqual(len(told.names), 11)
        self.assertEqual(len(told.pages), 11)

    def run_shapes(self, *arguments, options=()):
        trace = self.trace(SHAPES, *arguments, options=("-q", "--frames", 64, *options))
        self.assert_nothing_lost(trace)
        self.assertFalse([note for note in trace.capture["notes"] if "stacks" in note])
        self.assert_same_chains(trace.report, trace.stdout)
        return trace

    def test_every_chain_has_its_pages(self):
        self.run_shapes(1)

    def test_many_children_and_a_new_program(self):
        """The second program has its code elsewhere: what was learnt of the first is not valid there."""
        self.run_shapes(100, "exec")

    def test_nobody_stops_them(self):
        self.run_shapes(20, options=("--snapshot", "passive"))

    def test_a_walk_that_ends_early_says_so(self):
        trace = self.trace(SHAPES, 1, options=("-q", "--frames", 3))
        sites = [site for site in trace.report["sites"] if site["stack"] and site["stack"][0]["function"] == "write_pages"]
        self.assertTrue(sites)
        for site in sites:
            self.assertEqual(len([frame for frame in site["stack"] if not frame["inlined"]]), 3)
            self.assertTrue(site["truncated"])

    def test_the_trace_file_tells_the_same(self):
        recorded, direct, again = (self.directory / name for name in ("shapes.cow", "direct.json", "again.json"))
        done = self.cowtrace("run", "-q", "--frames", 64, "-o", recorded, "-o", direct, "--", SHAPES, 3)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.cowtrace("report", recorded, "-o", again).returncode, 0)
        self.assertEqual(load(again), load(direct))
        self.assert_same_chains(load(again), done.stdout)


if __name__ == "__main__":
    unittest.main()
