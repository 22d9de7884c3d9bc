#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A comparison that cannot fail proves nothing: reports that differ from the truth in one thing each, and what verdict.py says of them."""
import copy
import json
import unittest

import expected
import verdict

PID, ACTOR = 7, {"pid": 9, "command": "writer"}
REGIONS = [{"start": "0x200000", "size": 0x400000}]


def page(address, actor=None, pid=PID, **mechanisms):
    counts = {name.replace("_", "-"): count for name, count in mechanisms.items()}
    return {"pid": pid, "address": hex(address), "by_mechanism": counts, "breaks": counts.get("copy", 0), "actor": actor}


def report(*pages, unexplained=0, blind_spots=(), **capture):
    audit = {"private_pages": 2, "explained": 2 - unexplained, "unexplained": unexplained, "reasons": {}}
    return {"capture": {"blind_spots": list(blind_spots), **capture}, "pages": list(pages), "processes": [{"pid": PID, "audit": audit}]}


def truth(**process):
    return {"regions": REGIONS, "processes": [{"pid": PID, "role": "child", **process}]}


class Copied(unittest.TestCase):
    """The older shape: only copies are judged."""

    truth = {**truth(copied=["0x200000", "0x201000"]), "copied_pages_expected": 2}
    good = report(page(0x200000, copy=1), page(0x201000, copy=1), page(0x202000, reuse=1), page(0x900000, copy=1))

    def word(self, changed, backend="fentry"):
        return verdict.compare(changed, self.truth, backend).word

    def test_equal_is_ok_and_counted(self):
        cell = verdict.compare(self.good, self.truth, "fentry")
        self.assertEqual((cell.word, cell.details), ("ok", []))
        self.assertEqual(cell.measured, {"copy": 2, "reuse": 1})

    def test_missing_extra_and_repeated_copies_are_wrong(self):
        self.assertEqual(self.word(report(page(0x200000, copy=1))), "wrong")
        self.assertEqual(self.word(report(*self.good["pages"], page(0x203000, copy=1))), "wrong")
        self.assertEqual(self.word(report(page(0x200000, copy=2), page(0x201000, copy=1))), "wrong")
        self.assertEqual(self.word(report(*self.good["pages"], page(0x203000, copy=1, pid=8))), "wrong")

    def test_losses_and_bad_audits_are_wrong(self):
        for change in ({"lost_events": 1}, {"lost_control": 1}, {"untracked_tasks": 1}):
            self.assertEqual(self.word(report(*self.good["pages"], **change)), "wrong", change)
        self.assertEqual(self.word(report(*self.good["pages"], unexplained=1)), "wrong")
        without = copy.deepcopy(self.good)
        without["processes"][0]["audit"] = None
        self.assertEqual(self.word(without), "wrong")

    def test_a_truth_that_is_not_what_the_experiment_expects_is_wrong(self):
        self.assertEqual(verdict.compare(self.good, {**self.truth, "copied_pages_expected": 3}, "fentry").word, "wrong")


class ByMechanism(unittest.TestCase):
    """The shape that names pages by mechanism."""

    truth = truth(breaks={"copy": ["0x200000"], "reuse": ["0x201000"], "huge-split": ["0x400000"]}, actor=ACTOR)
    pages = (page(0x200000, ACTOR, copy=1), page(0x201000, reuse=1), page(0x4ff000, huge_split=1))

    def word(self, *pages):
        return verdict.compare(report(*pages), self.truth, "fentry").word

    def test_equal_is_ok_wherever_in_a_huge_page(self):
        self.assertEqual(verdict.compare(report(*self.pages), self.truth, "fentry").details, [])

    def test_every_mechanism_can_be_missing(self):
        for left_out in range(len(self.pages)):
            self.assertEqual(self.word(*self.pages[:left_out], *self.pages[left_out + 1 :]), "wrong", left_out)

    def test_what_the_truth_does_not_name_is_extra(self):
        self.assertEqual(self.word(*self.pages, page(0x203000, zero_fill=1)), "wrong")
        self.assertEqual(self.word(page(0x200000, ACTOR, copy=1, reuse=1), *self.pages[1:]), "wrong")

    def test_the_actor_has_to_be_the_right_one(self):
        for actor in (None, {"pid": 9, "command": "reader"}, {"pid": 7, "command": "writer"}):
            self.assertEqual(self.word(page(0x200000, actor, copy=1), *self.pages[1:]), "wrong", actor)

    def test_counts_alone(self):
        counted = {**truth(), "by_mechanism": {"zero-fill": 1}}
        self.assertEqual(verdict.compare(report(page(0x200000, zero_fill=1)), counted, "fentry").word, "ok")
        self.assertEqual(verdict.compare(report(page(0x200000, copy=1)), counted, "fentry").word, "wrong")


class NoException(unittest.TestCase):
    """Writes that the static backend cannot see."""

    truth = {**truth(breaks={"copy": ["0x200000", "0x201000"]}), "no_exception": True}
    seen = (page(0x200000, copy=1), page(0x201000, copy=1))

    def static(self, *pages, **keywords):
        return verdict.compare(report(*pages, **keywords), self.truth, "static")

    def test_static_cannot_and_has_to_say_so(self):
        cell = self.static(unexplained=2, blind_spots=["writes through /proc/PID/mem"])
        self.assertEqual((cell.word, cell.blind), ("cannot", True))

    def test_other_counts_of_unexplained_pages_are_wrong(self):
        for unexplained in (0, 1, 3):
            self.assertEqual(self.static(unexplained=unexplained, blind_spots=["x"]).word, "wrong")

    def test_no_blind_spot_or_a_break_from_nowhere_is_wrong(self):
        self.assertEqual(self.static(unexplained=2).word, "wrong")
        self.assertEqual(self.static(*self.seen, unexplained=2, blind_spots=["x"]).word, "wrong")

    def test_the_others_have_to_see_them(self):
        self.assertEqual(verdict.compare(report(*self.seen), self.truth, "kprobe").word, "ok")
        self.assertEqual(verdict.compare(report(unexplained=2, blind_spots=["x"]), self.truth, "kprobe").word, "wrong")


class Jobs(unittest.TestCase):
    """What a guest leaves."""

    def judge(self, status, stderr=b"", **files):
        left = {"fentry.read.status": str(status).encode(), "fentry.read.stderr": stderr}
        left.update({f"fentry.read.{suffix}": json.dumps(content).encode() for suffix, content in files.items()})
        return verdict.judge("fentry.read", "fentry", left)

    def test_status_77_and_an_error_of_cowtrace_are_cannot_with_the_reason(self):
        self.assertEqual(self.judge(77, b"swap: no swap: add some\n").details, ["swap: no swap: add some"])
        self.assertEqual(self.judge(125, b"cowtrace: cannot load: why\n").word, "cannot")

    def test_a_job_that_left_nothing_failed(self):
        self.assertEqual(self.judge(137).word, "failed")
        self.assertEqual(verdict.judge("fentry.read", "fentry", {}).word, "failed")

    def test_a_status_is_wrong_even_when_the_pages_agree(self):
        left = {"json": Copied.good, "truth": Copied.truth}
        self.assertEqual(self.judge(0, **left).word, "ok")
        self.assertEqual(self.judge(1, **left).word, "wrong")


class Expected(unittest.TestCase):
    table = (expected.Cannot("5.10", "6.1", ("kprobe",), ("swap",), "no swap"),)

    def surprise(self, kernel, backend, scenario, cell):
        return expected.surprise(kernel, backend, scenario, cell, self.table)

    def test_ok_where_nothing_stands_against_it(self):
        self.assertEqual(self.surprise("6.12", "kprobe", "swap", verdict.Cell("ok")), "")
        self.assertNotEqual(self.surprise("6.12", "kprobe", "swap", verdict.Cell("cannot", ["no swap"])), "")

    def test_a_row_holds_for_its_reason_only_and_not_when_it_works(self):
        self.assertEqual(self.surprise("5.10", "kprobe", "swap", verdict.Cell("cannot", ["there is no swap"])), "")
        self.assertNotEqual(self.surprise("5.10", "kprobe", "swap", verdict.Cell("cannot", ["it crashed"])), "")
        self.assertNotEqual(self.surprise("6.1", "kprobe", "swap", verdict.Cell("ok")), "")

    def test_wrong_and_failed_are_never_expected(self):
        for word in ("wrong", "failed"):
            self.assertNotEqual(self.surprise("5.10", "kprobe", "swap", verdict.Cell(word, ["no swap"])), "")

    def test_blind_as_the_truth_demands_is_expected(self):
        self.assertEqual(self.surprise("6.18", "static", "gup-write", verdict.Cell("cannot", ["why"], blind=True)), "")


if __name__ == "__main__":
    unittest.main()
