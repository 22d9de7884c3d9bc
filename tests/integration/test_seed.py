#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What docs/seed.md says of the six programs that this project began with holds, under every interpreter of this machine
(pythons.py says which): with fork, and with forkserver where that is how multiprocessing starts workers.
"""
import collections
import os
import re
import shlex
import unittest

from pythons import furnish, interpreters, place
from support import SOURCE, IntegrationTest

PROGRAMS = SOURCE / "tests" / "programs" / "seed"
# Runs a program as `python program` would, with the start method that all of them had when they were written, and a write a line.
FORKING = ("import multiprocessing, sys; sys.stdout.reconfigure(line_buffering=True, write_through=False); "
           "multiprocessing.set_start_method('fork'); p = sys.argv[1]; exec(compile(open(p).read(), p, 'exec'))")
FORKSERVER_IS_DEFAULT = (3, 14)
EXPRESSIONS = ("sys", "sys.modules['os']", "sys.modules['statistics']", *(f"__main__.f.__code__.co_consts[{i}]" for i in range(5)))


class SeedTest(IntegrationTest):
    # {interpreter: look() at all programs}. They share one capture, for most of what a short capture takes is its start.
    forked = {}

    def setUp(self):
        super().setUp()
        self.found = interpreters()
        furnish({one.root for one in self.found})

    def look(self, interpreter, *numbers, forking=True):
        """Runs the programs, one after the other: (processes, watches, {number: what it printed}). The rest of the report is large."""
        folder = place(self.addCleanup, interpreter, PROGRAMS)
        lines = []
        for number in numbers:
            (program,) = PROGRAMS.glob(f"{number}_*.py")
            command = interpreter.command(folder / program.name)
            if forking:
                command = [*command[:-1], "-c", FORKING, command[-1]]
            lines.append(shlex.join(map(str, command)) + f" >{self.directory}/{number}")
        # Workers of a pool may be ended before they write what they have buffered.
        environment = {**os.environ, "PYTHONUNBUFFERED": "" if forking else "1"}
        options = [word for expression in EXPRESSIONS for word in ("--watch", expression)]
        trace = self.trace("/bin/sh", "-ec", "\n".join(lines), options=options, env=environment)
        return trace.processes, trace.report["watches"], {number: (self.directory / str(number)).read_text(encoding="utf-8") for number in numbers}

    def watch(self, interpreter, number, forking=True):
        """(process that shares with all workers, {pid: id that it printed}, {expression: {pid: row}})"""
        if forking and interpreter not in self.forked:
            self.forked[interpreter] = self.look(interpreter, *range(1, 7))
        processes, watches, printed = self.forked[interpreter] if forking else self.look(interpreter, number, forking=False)
        # Unbuffered, lines of several processes may run into each other.
        said = re.findall(r"^(\d+) (\d+)$", printed[number], re.M)
        pids = {process["pid"] for process in processes}
        ids = {}
        for pid, address in said:
            if int(pid) in pids:
                ids.setdefault(int(pid), set()).add(int(address))
        self.assertTrue(ids, printed[number])
        forked = {process["pid"]: process["forked_from"] for process in processes}
        keys = {process["process"]: process["pid"] for process in processes}
        (source,) = {keys[forked[pid]] for pid in ids}
        rows = collections.defaultdict(dict)
        for row in watches:
            rows[row["expression"]][row["pid"]] = row
        return source, ids, rows

    @staticmethod
    def was_written(row):
        """Its page was: copied, or given to the writer as it was because nobody else had it any more."""
        return row["state"] == "copied" or row["in_place"] is not None

    def for_all(self, check):
        for one in self.found:
            with self.subTest(str(one)):
                check(one)

    def check_inherited(self, one, number, expression):
        source, ids, rows = self.watch(one, number)
        rows = rows[expression]
        for pid, addresses in ids.items():
            about = f"{one}: {rows[pid]}"
            self.assertEqual({hex(address) for address in addresses}, {rows[source]["address"]}, about)
            self.assertEqual(rows[pid]["address"], rows[source]["address"], about)
            # To take a reference to it is to write it.
            self.assertTrue(self.was_written(rows[pid]), about)
            self.assertIn(rows[pid]["slot"]["state"], ("shared", "copied"), about)

    def test_1_sys(self):
        self.for_all(lambda one: self.check_inherited(one, 1, "sys"))

    def test_2_a_startup_module(self):
        self.for_all(lambda one: self.check_inherited(one, 2, "sys.modules['os']"))

    def test_3_a_module_imported_before_fork(self):
        self.for_all(lambda one: self.check_inherited(one, 3, "sys.modules['statistics']"))

    def test_4_import_in_the_child(self):
        def check(one):
            expression = "sys.modules['statistics']"
            source, ids, rows = self.watch(one, 4)
            rows = rows[expression]
            self.assertEqual(rows[source]["state"], "missing")
            for pid, addresses in ids.items():
                self.assertEqual((rows[pid]["state"], rows[pid]["at_fork"]), ("replaced", None), rows[pid])
                self.assertEqual({hex(address) for address in addresses}, {rows[pid]["address"]})
            # Equal or not, behind each address there is a frame of its own.
            self.assertEqual(len({rows[pid]["frame"] for pid in ids}), len(ids))

        self.for_all(check)

    def test_5_the_same_number_in_each_child(self):
        def check(one):
            expression = "sys.modules['statistics']"
            constants = EXPRESSIONS[3:]
            source, ids, rows = self.watch(one, 5)
            # 3.8 to 3.13 have None or a docstring first; the one int is the number.
            (constant,) = [name for name in constants if rows[name][source]["type"] == "int"]
            for pid, addresses in ids.items():
                row = rows[expression][pid]
                self.assertEqual(row["state"], "replaced", row)
                self.assertTrue(row["slot"]["state"] in ("copied", "moved") or row["slot"]["in_place"], row)
                # The number is where the code object has it, in the parent too: that is why id() is equal.
                self.assertEqual({hex(address) for address in addresses}, {rows[constant][source]["address"]}, row)
                self.assertEqual(row["address"], rows[constant][pid]["address"])
            self.assertIn(rows[expression][source]["state"], ("shared", "copied"))

        self.for_all(check)

    def test_6_a_number_of_its_own_in_each_child(self):
        def check(one):
            expression = "sys.modules['statistics']"
            source, ids, rows = self.watch(one, 6)
            rows = rows[expression]
            for pid, addresses in ids.items():
                row = rows[pid]
                self.assertEqual(row["state"], "replaced", row)
                self.assertTrue(row["slot"]["state"] in ("copied", "moved") or row["slot"]["in_place"], row)
                self.assertIn(int(row["address"], 16), addresses)  # the last one that it made
                self.assertNotEqual(row["address"], rows[source]["address"])

        self.for_all(check)

    def test_3_with_a_forkserver(self):
        """Nothing is inherited from the program itself: the server has imported its modules once more, and the workers share with it."""
        def check(one):
            if one.version[:2] < FORKSERVER_IS_DEFAULT:
                return
            expression = "sys.modules['statistics']"
            server, ids, rows = self.watch(one, 3, forking=False)
            rows = rows[expression]
            for pid, addresses in ids.items():
                self.assertEqual({hex(address) for address in addresses}, {rows[server]["address"]})
                self.assertTrue(self.was_written(rows[pid]))
            (program,) = [row for row in rows.values() if row["at_fork"] is None and row["address"]]
            self.assertNotIn(program["pid"], ids)
            self.assertEqual(program["state"], "unknown")
            self.assertIn("shares nothing", program["reason"])

        self.for_all(check)


if __name__ == "__main__":
    unittest.main()
