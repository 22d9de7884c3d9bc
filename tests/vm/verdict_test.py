#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A comparison that cannot fail proves nothing: reports that differ from the truth in one thing each, and what verdict.py says of them."""
import copy
import json
import unittest

import expected
import rounds
import verdict

PID, ACTOR = 7, {"pid": 9, "command": "writer"}
REGIONS = [{"start": "0x200000", "size": 0x400000}]


def page(address, actor=None, pid=PID, **mechanisms):
    counts = {name.replace("_", "-"): count for name, count in mechanisms.items()}
    return {"process": pid, "pid": pid, "address": hex(address), "by_mechanism": counts, "breaks": counts.get("copy", 0), "actor": actor}


def report(*pages, unexplained=0, blind_spots=(), **capture):
    audit = {"private_pages": 2, "explained": 2 - unexplained, "unexplained": unexplained, "reasons": {}}
    return {"capture": {"blind_spots": list(blind_spots), **capture}, "pages": list(pages), "processes": [{"process": PID, "parent": None, "pid": PID, "copied_bytes": 12288, "audit": audit}]}


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
        self.assertEqual(cell.measured, {"child": {"processes": 1, "faults": 0, "copied_bytes": 12288,
                                                   "by_mechanism": {"copy": 2, "reuse": 1}}})

    def test_missing_extra_and_repeated_copies_are_wrong(self):
        self.assertEqual(self.word(report(page(0x200000, copy=1))), "wrong")
        self.assertEqual(self.word(report(*self.good["pages"], page(0x203000, copy=1))), "wrong")
        self.assertEqual(self.word(report(page(0x200000, copy=2), page(0x201000, copy=1))), "wrong")
        self.assertEqual(self.word(report(*self.good["pages"], page(0x203000, copy=1, pid=8))), "wrong")

    def test_forks_take_time(self):
        for took, blind_spots, word in ((5, (), "ok"), (None, (), "wrong"), (None, ("pinned pages that fork copies",), "ok")):
            forked = copy.deepcopy(report(*self.good["pages"], blind_spots=blind_spots))
            forked["processes"][0].update(fork_ns=1, fork_took_ns=took)
            self.assertEqual(self.word(forked), word, (took, blind_spots))

    def test_losses_and_bad_audits_are_wrong(self):
        for change in ({"notes": [f"{verdict.FEW_RETURNS}: why"]}, {"lost_events": 1}, {"lost_control": 1}, {"untracked_tasks": 1}):
            self.assertEqual(self.word(report(*self.good["pages"], **change)), "wrong", change)
        self.assertEqual(self.word(report(*self.good["pages"], unexplained=1)), "wrong")
        without = copy.deepcopy(self.good)
        for missing, word in ((None, "wrong"), ("it was killed", "wrong"), (verdict.SHARED, "wrong"), (verdict.EXECUTED, "ok")):
            without["processes"][0].update(audit=None, audit_missing=missing)
            self.assertEqual(self.word(without), word, missing)
        without["processes"].append({**without["processes"][0], "pid": 8})
        self.assertEqual(self.word(without), "wrong")
        self.assertEqual(verdict.compare(without, {**self.truth, "scenario": "exec"}, "fentry").word, "ok")

    def test_the_heap_of_the_shell_is_no_data_of_the_program(self):
        for mapping, scenario, word in (("[heap]", "elf-data", "ok"), ("/scenario", "elf-data", "wrong"), ("[heap]", "mutate", "wrong")):
            changed = report(*self.good["pages"], {**page(0x203000, copy=1), "mapping": mapping})
            self.assertEqual(verdict.compare(changed, {**self.truth, "scenario": scenario}, "fentry").word, word, (mapping, scenario))

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


class FirstWrites(unittest.TestCase):
    """What static cannot tell on kernels that do not show mappings."""

    truth = truth(breaks={"file-copy": ["0x200000", "0x201000"]}, first_writes=["0x201000"])
    rest, all = (page(0x200000, file_copy=1),), (page(0x200000, file_copy=1), page(0x201000, file_copy=1))
    spot = (verdict.FIRST_WRITES + " of private file mappings (seen from 5.17)",)

    def cell(self, *pages, backend="static", blind_spots=()):
        return verdict.compare(report(*pages, blind_spots=blind_spots), self.truth, backend)

    def test_static_cannot_where_it_says_so(self):
        cell = self.cell(*self.rest, blind_spots=self.spot)
        self.assertEqual((cell.word, cell.blind), ("cannot", False))
        self.assertIn("5.17", cell.details[0])

    def test_all_else_has_to_be_right_all_the_same(self):
        self.assertEqual(self.cell(blind_spots=self.spot).word, "wrong")
        self.assertEqual(self.cell(*self.all, blind_spots=self.spot).word, "wrong")

    def test_without_the_blind_spot_they_have_to_be_seen(self):
        self.assertEqual(self.cell(*self.rest).word, "wrong")
        self.assertEqual(self.cell(*self.all).word, "ok")
        self.assertEqual(self.cell(*self.rest, backend="kprobe", blind_spots=self.spot).word, "wrong")


class FromSwap(unittest.TestCase):
    """Pages that come back from swap: the static backend sees no break, and its audit finds nothing."""

    truth = {**truth(breaks={"copy": ["0x200000"]}), "from_swap": True}

    def test_static_cannot_and_has_to_say_so(self):
        self.assertTrue(verdict.compare(report(blind_spots=["swap"]), self.truth, "static").blind)
        self.assertEqual(verdict.compare(report(), self.truth, "static").word, "wrong")
        self.assertEqual(verdict.compare(report(unexplained=1, blind_spots=["swap"]), self.truth, "static").word, "wrong")
        self.assertEqual(verdict.compare(report(page(0x200000, copy=1), blind_spots=["swap"]), self.truth, "static").word, "wrong")

    def test_the_others_have_to_see_them(self):
        self.assertEqual(verdict.compare(report(page(0x200000, copy=1)), self.truth, "fentry").word, "ok")
        self.assertEqual(verdict.compare(report(blind_spots=["swap"]), self.truth, "fentry").word, "wrong")


class Parts(unittest.TestCase):
    """One capture has many experiments: each is judged by its own processes."""

    whole = {"capture": {"blind_spots": []},
             "processes": [{"process": 1, "parent": None, "pid": 40, "audit": None}, {"process": 2, "parent": 1, "pid": PID, "audit": None},
                           {"process": 3, "parent": 2, "pid": 8, "audit": None}, {"process": 4, "parent": 1, "pid": 9, "audit": None}],
             "pages": [{"process": key, "pid": 0} for key in (1, 2, 3, 4)]}

    def test_a_process_and_what_it_forked(self):
        part = verdict.part_of(self.whole, PID)
        self.assertEqual([process["process"] for process in part["processes"]], [2, 3])
        self.assertEqual([page["process"] for page in part["pages"]], [2, 3])

    def test_an_experiment_that_is_not_in_the_report_is_wrong(self):
        empty = verdict.part_of(self.whole, 99)
        self.assertEqual(verdict.compare(empty, truth(breaks={}), "fentry", audited=False).word, "wrong")


class Jobs(unittest.TestCase):
    """What a guest leaves."""

    def judge(self, status, said=b"", captured=0, reason=b"", capture="exact", report=None, truth=None):
        left = {"read.status": str(status).encode(), "read.stderr": said, "read.pid": str(PID).encode(),
                f"{capture}.status": str(captured).encode(), f"{capture}.stderr": reason}
        if report:
            left[f"{capture}.json"] = json.dumps(report).encode()
        if truth:
            left["read.truth"] = json.dumps(truth).encode()
        return verdict.judge("fentry", capture, "read", verdict.Left({f"fentry.{name}": content for name, content in left.items()}))

    def test_status_77_and_an_error_of_cowtrace_are_cannot_with_the_reason(self):
        self.assertEqual(self.judge(77, b"swap: no swap: add some\n").details, ["swap: no swap: add some"])
        cell = self.judge("", captured=125, reason=b"cowtrace: cannot load: why\n")
        self.assertEqual((cell.word, cell.details), ("cannot", ["cowtrace: cannot load: why"]))

    def test_a_job_that_left_nothing_failed(self):
        self.assertEqual(self.judge(0, captured=137).word, "failed")
        self.assertEqual(verdict.judge("fentry", "exact", "read", verdict.Left({})).word, "failed")

    def test_a_status_is_wrong_even_when_the_pages_agree(self):
        left = {"report": Copied.good, "truth": Copied.truth}
        self.assertEqual(self.judge(0, **left).word, "ok")
        self.assertEqual(self.judge(1, **left).word, "wrong")
        self.assertEqual(self.judge(0, captured=139, **left).word, "wrong")

    def test_only_an_exact_capture_has_to_have_audits(self):
        without = copy.deepcopy(Copied.good)
        without["processes"][0]["audit"] = None
        self.assertEqual(self.judge(0, report=without, truth=Copied.truth).word, "wrong")
        self.assertEqual(self.judge(0, capture="passive", report=without, truth=Copied.truth).word, "ok")


    def test_new_memory_where_it_was_asked_for(self):
        def word(first_writes, told, unknown):
            asked = {**Copied.good, "totals": {"breaks": 3, "by_mechanism": {"first-write": {"count": first_writes}}},
                     "allocators": [{"breaks": told}], "allocators_unknown": {"breaks": unknown}}
            return self.judge(0, report=asked, truth=Copied.truth).word

        self.assertEqual(word(5, 2, 1), "ok")
        for wrong in ((0, 2, 1), (5, 0, 3), (5, 2, 0)):
            self.assertEqual(word(*wrong), "wrong", wrong)


class Complaints(unittest.TestCase):
    def test_warnings_of_the_kernel_and_probes_that_are_left(self):
        files = {"dmesg": b"[    0.1] Command line: oops=panic\n[   12.5] WARNING: CPU: 1 PID: 7 at mm/memory.c:1 x\n[   13.0] BUG: bad page\n",
                 "probes": b"r4096:cowtrace/return_7_handle_mm_fault handle_mm_fault\n"}
        self.assertEqual(len(list(verdict.complaints(files))), 3)
        self.assertEqual(list(verdict.complaints({"dmesg": files["dmesg"].splitlines()[0], "probes": b""})), [])
        self.assertEqual(len(list(verdict.complaints({}))), 2)


class Rounds(unittest.TestCase):
    """Several rounds have to agree."""

    def one(self, word="ok", faults=1, **mechanisms):
        seen = {"child": {"processes": 1, "faults": faults, "copied_bytes": faults, "by_mechanism": mechanisms}}
        return {"6.1": {("thp", "fentry"): verdict.Cell(word, [], seen)}}

    def test_equal_but_for_faults_agrees(self):
        self.assertEqual(list(rounds.differences([self.one(copy=3), self.one(copy=3, faults=2)])), [])

    def test_other_verdicts_counts_and_missing_cells_do_not(self):
        for other in (self.one("wrong", copy=3), self.one(copy=4), {"6.1": {}}, {}):
            self.assertEqual(len(list(rounds.differences([self.one(copy=3), other]))), 1, other)


class SwitchedOff(unittest.TestCase):
    """kprobes or ftrace are switched off: what is attached there is never called."""

    @staticmethod
    def said(switch, backend, status, stderr=b"", copies=0):
        name = f"off-{switch}.{backend}"
        report = {"totals": {"by_mechanism": {"copy": {"count": copies}}}}
        files = {f"{name}.status": str(status).encode(), f"{name}.stderr": stderr, f"{name}.json": json.dumps(report).encode()}
        return list(verdict.switched_off(files))

    def test_a_backend_that_sees_all_copies_is_right(self):
        self.assertEqual(self.said("kprobes", "auto", 0, copies=104), [])
        self.assertEqual(self.said("kprobes", "auto", 0, copies=7), ["off-kprobes.auto: 7 copies seen of 100"])

    def test_a_backend_whose_hooks_are_not_called_has_to_refuse_in_one_line(self):
        line = b"cowtrace: cannot use the kprobe backend: the kernel did not call its hooks: kprobes are switched off: write 1\n"
        self.assertEqual(self.said("kprobes", "kprobe", 125, line), [])
        self.assertEqual(self.said("ftrace", "fentry", 0, copies=0), ["off-ftrace.fentry: 0 copies seen of 100"])
        self.assertEqual(self.said("ftrace", "fentry", 0, copies=104), [])  # from 7.3 on the kernel calls it all the same
        self.assertEqual(len(self.said("kprobes", "kprobe", 125, line * 2)), 1)
        self.assertEqual(len(self.said("kprobes", "kprobe", 125, b"cowtrace: no memory\n")), 1)
        self.assertEqual(len(self.said("kprobes", "kprobe", 1)), 1)

    def test_another_backend_may_refuse_for_its_own_reasons(self):
        self.assertEqual(self.said("ftrace", "static", 125, b"cowtrace: no exception tracepoints\n"), [])


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

    def test_a_row_can_hold_for_every_scenario_of_one_kernel(self):
        table = (expected.Cannot("6.18-arm64", "6.18-arm64", ("static",), expected.EVERY, "why"),)
        for kernel, backend, holds in (("6.18-arm64", "static", True), ("6.18-arm64", "kprobe", False), ("6.18", "static", False)):
            self.assertEqual(expected.reason(kernel, backend, "swap", table), "why" if holds else None)

    def test_wrong_and_failed_are_never_expected(self):
        for word in ("wrong", "failed"):
            self.assertNotEqual(self.surprise("5.10", "kprobe", "swap", verdict.Cell(word, ["no swap"])), "")

    def test_blind_as_the_truth_demands_is_expected(self):
        self.assertEqual(self.surprise("6.18", "static", "gup-write", verdict.Cell("cannot", ["why"], blind=True)), "")


if __name__ == "__main__":
    unittest.main()
