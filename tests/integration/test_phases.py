#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""In which part of its life a program breaks pages: held against programs that write to known pages at work and while they end, and against
the same programs that end at once."""
import json
import unittest

from support import PAGE, IntegrationTest, load, program

PAGES = 300
PYTHON = """
import os, sys
ROWS = [[f"row {number}"] for number in range(40000)]
worker = os.fork()
if worker == 0:
    sum(map(len, ROWS[:10000]))
    if sys.argv[1] == "orderly":
        sys.exit(0)
    os._exit(0)
os.waitpid(worker, 0)
os._exit(0)
"""

# The work is done in an exit handler, as test runners do it.
FORKS_AT_THE_END = """
import atexit, os
ROWS = [[f"row {number}"] for number in range(20000)]

@atexit.register
def work():
    for _ in range(2):
        if os.fork() == 0:
            sum(map(len, ROWS))
            os._exit(0)
        os.wait()
"""
PERL = """
use POSIX ();
sub run {
    my %rows = map { ("key $_" => [$_, "row $_"]) } 1..20000;
    my $worker = fork;
    if (!$worker) {
        my $sum = 0;
        $sum += $_->[0] for @rows{map { "key $_" } 1..2000};
        POSIX::_exit(0) if $ARGV[0] eq "at-once";
        exit 0;
    }
    waitpid $worker, 0;
    POSIX::_exit(0);
}
run();
"""


class Phases(IntegrationTest):
    def traced(self, how, *options):
        trace = self.trace(program("endings"), how, PAGES, options=("-q", *options))
        self.assert_nothing_lost(trace)
        work, end = (int(word, 16) for word in trace.stdout.split())
        self.child = trace.processes[1]
        return trace, range(work, work + PAGES * PAGE), range(end, end + (PAGES + 1) * PAGE)

    def phases_in(self, report, memory):
        """How many broken pages of the child have which phase."""
        found = {}
        for page in report["pages"]:
            if page["pid"] == self.child["pid"] and page["breaks"] and int(page["address"], 16) in memory:
                found[page["phase"]] = found.get(page["phase"], 0) + 1
        return found

    def test_exit_handlers_and_destructors(self):
        """Also from stacks that are cut short before they reach exit()."""
        trace, work, end = self.traced("orderly")
        self.assertEqual(self.phases_in(trace.report, work), {"running": PAGES})
        self.assertEqual(self.phases_in(trace.report, end), {"ending": PAGES + 1})
        by_phase = trace.report["totals"]["by_phase"]
        self.assertEqual(sum(one["breaks"] for one in by_phase.values()), trace.report["totals"]["breaks"])
        # A few pages of the C library more.
        self.assertLess(by_phase["ending"]["breaks"], PAGES + 30)
        self.assertEqual(self.child["ending"], by_phase["ending"])
        self.assertEqual(sum(row["ending"]["breaks"] for row in trace.report["sites"]), by_phase["ending"]["breaks"])
        self.assertEqual(sum(row["ending"]["breaks"] for row in trace.report["objects"]), by_phase["ending"]["breaks"])
        self.assertEqual(sum(row["ending_bytes"] for row in trace.report["timeline"]), by_phase["ending"]["bytes"])
        self.assertEqual(sum(one["bytes"] for one in trace.report["totals"]["ending_by_cause"].values()), by_phase["ending"]["bytes"])

    def test_a_child_that_ends_at_once(self):
        trace, work, end = self.traced("at-once")
        self.assertEqual(self.phases_in(trace.report, work), {"running": PAGES})
        self.assertEqual(self.phases_in(trace.report, end), {})
        self.assertEqual(trace.report["totals"]["by_phase"]["ending"]["breaks"], 0)

    def test_threads_that_work_meanwhile(self):
        trace, work, end = self.traced("thread")
        self.assertEqual(self.phases_in(trace.report, work), {"running": PAGES})
        self.assertEqual(self.phases_in(trace.report, end), {"ending": PAGES + 1})

    def test_starting(self):
        """The command, until its first fork."""
        trace, _, _ = self.traced("orderly", "-o", self.directory / "events.jsonl")
        parent = trace.processes[0]["pid"]
        lines = [json.loads(line) for line in (self.directory / "events.jsonl").read_text(encoding="utf-8").splitlines()]
        events = [line for line in lines if line["type"] == "resolution" and line["pid"] == parent]
        before = {event["phase"] for event in events if event["t_ns"] < self.child["fork_ns"]}
        after = {event["phase"] for event in events if event["t_ns"] > self.child["fork_ns"]}
        self.assertEqual((before, after), ({"starting"}, {"running"}))

    def test_where_no_stacks_tell(self):
        for options in (("--stacks", "none"), ("--detail", "counts")):
            trace, work, _ = self.traced("orderly", *options)
            self.assertIsNone(trace.report["totals"]["by_phase"], options)
            self.assertEqual(self.phases_in(trace.report, work), {None: PAGES})

    def test_it_is_said(self):
        """In the first sentence, in the verdict of a budget, in a diff and by a filter, also of a trace file."""
        path = self.directory / "orderly.cow"
        trace, _, _ = self.traced("orderly", "-o", path, "-o", self.directory / "once.cow")
        ending = trace.report["totals"]["by_phase"]["ending"]
        shown = self.cowtrace("report", path, "-o", self.directory / "again.json", "-o", self.directory / "end.jsonl", "--filter", "phase=ending",
                              "--max-copied", "1KiB")
        self.assertEqual(shown.returncode, 124, shown.stderr)
        self.assertIn(b"while ending)", shown.stderr)
        self.assertEqual(load(self.directory / "again.json"), trace.report)
        last = json.loads((self.directory / "end.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        self.assertEqual((last["breaks"], last["copied_bytes"]), (ending["breaks"], ending["bytes"]))
        text = " ".join(self.cowtrace("report", path).stdout.decode().split())
        self.assertRegex(text, r"copied, 1.\d MiB of it while ending, of [\d.]+ MiB inherited; all explained")
        self.traced("at-once", "-o", self.directory / "at-once.cow")
        compared = self.cowtrace("diff", path, self.directory / "at-once.cow", "-o", self.directory / "diff.json")
        self.assertEqual(compared.returncode, 0, compared.stderr)
        (row,) = [row for row in load(self.directory / "diff.json")["phases"] if row["phase"] == "ending"]
        self.assertEqual(row["breaks"]["difference"], -ending["breaks"])
        self.assertIn("Phases", compared.stdout.decode() or self.cowtrace("diff", path, self.directory / "at-once.cow").stdout.decode())

    def check_the_end_of_an_interpreter(self, *command):
        """What a worker copies more than one that ends at once is what it copies while ending."""
        totals = {}
        for how in ("orderly", "at-once"):
            trace = self.trace(*command, how, options=("-q",))
            self.assert_nothing_lost(trace)
            totals[how] = trace.report["totals"]
        more = totals["orderly"]["breaks"] - totals["at-once"]["breaks"]
        ending = totals["orderly"]["by_phase"]["ending"]["breaks"]
        self.assertGreater(more, 500)
        # Between the last line of the program and the end of the interpreter it gives back what it had compiled.
        self.assertLessEqual(abs(more - ending), more / 10)
        self.assertEqual(totals["at-once"]["by_phase"]["ending"]["breaks"], 0)

    def test_the_end_of_cpython(self):
        self.check_the_end_of_an_interpreter("/usr/bin/python3", "-c", PYTHON)

    def test_the_end_of_perl(self):
        self.check_the_end_of_an_interpreter("/usr/bin/perl", "-e", PERL)

    def test_what_an_exit_handler_forks_is_at_work(self):
        trace = self.trace("/usr/bin/python3", "-c", FORKS_AT_THE_END, options=("-q",))
        self.assert_nothing_lost(trace)
        children = [process for process in trace.processes if process["parent"] is not None]
        self.assertEqual([child["ending"]["breaks"] for child in children], [0, 0])
        self.assertGreater(min(child["breaks"] for child in children), 500)


if __name__ == "__main__":
    unittest.main()
