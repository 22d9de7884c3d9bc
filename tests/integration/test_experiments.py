#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Experiments whose truth names mechanisms: every backend that works here must report exactly these pages by process and
mechanism, name the process that acted, and leave to the audit only what it is blind to and says so."""
import collections
import json
import subprocess
import unittest

from support import COWTRACE, PLAYED, SCENARIO, IntegrationTest, scenario_names

PAGES = (1, 300)
CANNOT = 77  # scenario's exit status, with the reason on standard error
SEES_NO_EXCEPTION = ("fentry", "kprobe")  # static needs a page-fault exception for each break


def backends():
    """Those that doctor found to work, by trying."""
    done = subprocess.run([COWTRACE, "doctor", "--json"], capture_output=True, text=True, check=False)
    return [backend["name"] for backend in json.loads(done.stdout)["backends"] if backend["usable"]]


def true_breaks(truth):
    """(pid, mechanism, page) of every break that the truth names."""
    return {(process["pid"], mechanism, int(page, 16))
            for process in truth["processes"] for mechanism, pages in process["breaks"].items() for page in pages}


class Experiments(IntegrationTest):
    def reported(self, trace):
        """(pid, mechanism, page) -> count, inside the regions: of any process, known to the truth or not."""
        counted = collections.Counter()
        for page in trace.report["pages"]:
            address = int(page["address"], 16)
            if any(start <= address < end for start, end in trace.regions):
                for mechanism, count in page["by_mechanism"].items():
                    counted[page["pid"], mechanism, address] += count
        return counted

    def assert_same_breaks(self, trace, wanted):
        found = self.reported(trace)
        missing, extra = wanted - found.keys(), found.keys() - wanted
        self.assertFalse(missing or extra, f"{len(missing)} missing, {len(extra)} extra of {len(wanted)}: "
                                           f"{sorted(missing)[:3]} {sorted(extra)[:3]}")
        self.assertEqual({key: count for key, count in found.items() if count != 1}, {})

    def assert_actors(self, trace):
        actors = {process["pid"]: process["actor"] for process in trace.truth["processes"] if "actor" in process}
        for page in trace.report["pages"]:
            actor = actors.get(page["pid"])
            if actor and any(start <= int(page["address"], 16) < end for start, end in trace.regions):
                self.assertEqual(page["actor"], actor, page["address"])

    def assert_audit(self, trace, unseen):
        """Unexplained are exactly the (pid, page) of `unseen` (fewer than a report lists). A process without an audit says why."""
        left = set()
        for process in trace.processes:
            audit = process["audit"]
            if audit is None:
                self.assertTrue(process["audit_missing"], process)
                continue
            self.assertEqual(audit["unexplained"], len(audit["unexplained_pages"]), process)
            left |= {(process["pid"], int(page, 16)) for page in audit["unexplained_pages"]}
            self.assertEqual(audit["reasons"].get("remote-write", 0), audit["unexplained"], audit["reasons"])
        self.assertEqual(left, unseen)

    def assert_blind_spot(self, trace, unseen):
        named = "/proc/PID/mem" in " ".join(trace.capture["blind_spots"])
        self.assertTrue(named or not unseen, trace.capture["blind_spots"])

    def check(self, name, pages, backend):
        """Runs it once; returns the reason where it cannot be done, else None."""
        trace = self.trace(SCENARIO, name, "--pages", pages, options=("-q", "--backend", backend), truth=True, status=None)
        if trace.returncode == CANNOT:
            self.assertRegex(trace.stderr, rf"\Ascenario: {name}: [^\n]+: [^\n]+\n\Z")
            return trace.stderr.strip()
        self.assertEqual(trace.returncode, 0, trace.stderr)
        self.assert_nothing_lost(trace)
        wanted, unseen = true_breaks(trace.truth), set()
        if trace.truth.get("no_exception") and backend not in SEES_NO_EXCEPTION:
            # What fork itself copied was never shared as far as the snapshots show, which are taken after it.
            unseen = {(pid, page) for pid, mechanism, page in wanted if mechanism != "fork-copy"}
            wanted = set()
        if trace.truth.get("from_swap") and backend not in SEES_NO_EXCEPTION:
            wanted = set()  # A blind spot, and no page that a fork had handed on in memory.
        self.assert_same_breaks(trace, wanted)
        self.assert_actors(trace)
        self.assert_audit(trace, unseen)
        self.assert_blind_spot(trace, unseen)
        return None

    def test_every_backend_reports_the_truth(self):
        able = backends()
        self.assertIn("static", able)
        for backend in able:
            for name in scenario_names():
                if name in PLAYED:
                    continue
                for pages in PAGES:
                    with self.subTest(scenario=name, pages=pages, backend=backend):
                        reason = self.check(name, pages, backend)
                        if reason:
                            print(f"{name}, {pages} pages, {backend}: cannot: {reason}")
                            self.skipTest(reason)


if __name__ == "__main__":
    unittest.main()
