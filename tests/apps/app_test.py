# SPDX-License-Identifier: Apache-2.0
"""What the tests of applications share: run one under cowtrace, and hold the report against the page tables and smaps of its processes."""
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get("COWTRACE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
sys.path[:0] = [str(SOURCE / "tests" / "integration"), str(SOURCE / "tests" / "apps")]
from page_tables import PAGE, Witness  # noqa: E402
from support import COWTRACE, TIMEOUT, IntegrationTest  # noqa: E402

PYTHON = "/usr/bin/python3"
PROGRAMS = SOURCE / "tests" / "programs" / "apps"
TOLERANCE = 0.05


def needs(test, *names, program=None):
    """Skips the test where an application is not installed; a failure from scripts/test.sh, which installs all."""
    missing = [name for name in names if name not in sys.modules and importlib.util.find_spec(name) is None]
    missing += [program] if program and shutil.which(program) is None else []
    if missing and os.environ.get("COWTRACE_APPS") == "required":
        test.fail(f"not installed: {missing}: run scripts/setup.sh test")
    if missing:
        test.skipTest(f"not installed: {', '.join(missing)}")


class AppTest(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.witness = Witness(self.directory / "witness")
        self.addCleanup(self.witness.close)

    def watched(self, *command, options=("-q",), **keywords):
        """The trace of a Python program whose forks and exits the witness looks at."""
        return self.trace(*command, options=options, env=self.witness.environment, **keywords)

    def killed_trace(self, *command, family_of, work, **keywords):
        """The trace of a server from its start to a sudden end: what an orderly end of Python writes is of no interest. `family_of(child)` waits for
        (main pid, workers' pids), and `work(workers)` until the work is done."""
        report = self.directory / "report.json"
        child = self.start(COWTRACE, "run", "-q", "-o", report, "--", *command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **keywords)
        main, workers = family_of(child)
        work(workers)
        self.witness.look()
        for pid in (main, *workers):
            os.kill(pid, signal.SIGKILL)
        _, stderr = child.communicate(timeout=TIMEOUT)
        self.assertEqual(child.returncode, 128 + signal.SIGKILL, stderr)
        trace = self.loaded(child.returncode, b"", stderr.decode(), report)
        self.assert_nothing_lost(trace)
        return trace

    def attach(self, *pids):
        """Starts cowtrace attach; returns when it has attached."""
        child = self.start(COWTRACE, "attach", "-o", self.directory / "attached.json", *pids, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.assertRegex(child.stderr.readline().decode(), r"\Acowtrace: attached to \d+ process")
        return child

    def detach(self, child):
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=TIMEOUT)
        self.assertEqual(child.returncode, 0, stderr)
        trace = self.loaded(0, b"", stderr.decode(), self.directory / "attached.json")
        self.assert_nothing_lost(trace)
        return trace

    @property
    def name(self):
        return self.id().split(".")[-1].removeprefix("test_").replace("_", " ")

    def figure(self, oracle, says, told, parts=""):
        """What an oracle and cowtrace say of the same thing, for whoever looks, and for the recipes in docs: a line of COWTRACE_FIGURES."""
        print(f"{self.name}: {oracle}: {says:,}, cowtrace: {told:,} {parts}")
        if os.environ.get("COWTRACE_FIGURES"):
            with open(os.environ["COWTRACE_FIGURES"], "a", encoding="utf-8") as file:
                file.write(json.dumps([self.name, oracle, says, told, parts]) + "\n")

    @staticmethod
    def copied_of(trace, name):
        """Bytes copied by writes to objects whose names begin so."""
        return sum(one["copied_bytes"] for one in trace.report["objects"] if one["name"].startswith(name))

    def assert_within(self, found, expected, what):
        self.assertLessEqual(abs(found - expected), TOLERANCE * expected, f"{what}: {found:,}, expected {expected:,}")

    def assert_same_pages(self, copies, changes):
        """Of all inherited pages that have another frame now, and no others, a copy was reported. `copies` are keys (pid, page). Both the sum
        and the pages, one by one, within the tolerance."""
        truth = {(pid, page) for pid, change in changes.items() for page in change.copied}
        told = {key for key in copies if key[0] in changes and key[1] in changes[key[0]].inherited}
        self.assertGreater(len(truth), 0)
        missing, extra = truth - told, told - truth
        print(f"{self.name}: {len(missing):,} pages missing, {len(extra):,} extra")
        self.figure("pages that have another frame", len(truth), len(told))
        self.assert_within(len(told), len(truth), "copied pages")
        self.assertLessEqual(len(missing) + len(extra), TOLERANCE * len(truth), f"{sorted(missing)[:5]} {sorted(extra)[:5]}")
        return truth

    def assert_smaps(self, copies, changes):
        """Private_Dirty of each child is what it copied, by cowtrace, and what page tables show to be no copy."""
        sums = dict.fromkeys(("dirty", "explained", "copied", "anew", "left alone"), 0)
        for pid, change in changes.items():
            copied = {page for (owner, page) in copies if owner == pid and page in change.inherited & change.alone}
            anew = change.anew & change.alone
            explained = PAGE * len(copied | anew | change.left_alone)
            self.assert_within(explained, change.private_dirty, f"Private_Dirty of {pid}")
            for name, size in zip(sums, (change.private_dirty, explained, PAGE * len(copied), PAGE * len(anew), PAGE * len(change.left_alone))):
                sums[name] += size >> 10
        parts = ", ".join(f"{sums[name]:,} {name}" for name in ("copied", "anew", "left alone"))
        self.figure("KiB of Private_Dirty in smaps", sums["dirty"], sums["explained"], parts)
