#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Python stacks, under every interpreter of this machine: every page of a program that knows who called where it wrote has that chain."""
import json
import unittest

from pythons import EachInterpreter, place
from support import PAGE, SOURCE

PROGRAM = SOURCE / "tests" / "programs" / "python_chains.py"
FRAMES = 64  # the most, and fewer than the deepest recursion has


def chain_of(stack):
    """(function, line) of its Python frames, innermost first, without the names of what functions are in."""
    return [(frame["function"].rpartition(".")[2], frame["line"]) for frame in stack["frames"] if frame["kind"] == "python"]


class PythonStacks(EachInterpreter):
    def trace_chains(self, interpreter):
        """What the program says, and by page the stack of each copy in its child."""
        script, log = place(self.addCleanup, interpreter, PROGRAM.parent) / PROGRAM.name, self.directory / "events.jsonl"
        done = self.cowtrace("run", "-q", "--frames", FRAMES, "-o", log, "--", *interpreter.command(script))
        self.assertEqual(done.returncode, 0, done.stderr)
        said = json.loads(done.stdout.splitlines()[0])
        events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        stacks = {event["stack"]: event for event in events if event["type"] == "stack"}
        pages = range(said["start"], said["start"] + len(said["callers"]) * PAGE, PAGE)
        found = {int(event["page"], 16): stacks[event["stack"]] for event in events
                 if event.get("mechanism") == "copy" and int(event["page"], 16) in pages and event["process"] != 0}
        return [found[page] for page in pages], [[tuple(caller) for caller in chain] for chain in said["callers"]]

    def test_every_page_has_its_chain(self):
        for interpreter in self.interpreters:
            with self.subTest(interpreter=str(interpreter)):
                stacks, callers = self.trace_chains(interpreter)
                self.assertGreater(max(map(len, callers)), FRAMES)
                self.assertGreater(len(callers), 100)
                for stack, chain in zip(stacks, callers):
                    inner, *outer = chain_of(stack)
                    self.assertEqual(inner[0], "write_page")
                    self.assertEqual(outer, chain[:FRAMES - 1])
                    # Behind the outermost function there may be a frame that is none: of just so many it is not known that they are all.
                    if len(chain) != FRAMES - 1:
                        self.assertEqual(stack["truncated"], len(chain) >= FRAMES)


if __name__ == "__main__":
    unittest.main()
