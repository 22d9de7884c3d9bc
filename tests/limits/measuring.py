# SPDX-License-Identifier: Apache-2.0
"""What the tests at size have in common: tests/programs/family_sizes under cowtrace, the peak of cowtrace's own memory, the bound that docs/limits.md
states, and figures that refresh.py makes the tables of that page from.

Assertions are about counts and bytes; seconds are figures only, for machines differ and others work on them.
"""
import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import threading
import time

SOURCE = pathlib.Path(os.environ.get("COWTRACE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(SOURCE / "tests" / "integration"))
from support import BIN, COWTRACE, PAGE, TIMEOUT, IntegrationTest, program, status_of  # noqa: E402

SIZES = program("family_sizes")
FIGURES = BIN.parent / "limits"
MIB = 1 << 20

# The bound of docs/limits.md, "Memory of cowtrace itself": bytes.
BASE = 64 * MIB           # the program, its libraries, the symbols of what it traces, a block of a trace file
BUFFER = 64 * MIB         # --buffer, which is mapped twice
RULES = 2 * MIB           # with native stacks on x86-64: of how to unwind them
COPIES_FOR_EACH_CPU = 4 * MIB  # and copies of stacks, mapped twice as well: a power of two, and LEAST_COPIES to MOST_COPIES in all
LEAST_COPIES, MOST_COPIES = 8 * MIB, 64 * MIB
A_RESOLUTION = 128        # every event: kept as it is
A_PROCESS = 8 * 1024      # its maps and mappings
A_FORK_OF_PYTHON = 256 * 1024  # of a small program: pages that had changed since the last, and what was named in them
A_PAGE_OF_SNAPSHOT = 8
A_PAGE_RECORDED = 192     # each page of the report, with -o FILE.cow: what lies there
A_ROW = 192               # --detail counts: every process, page and mechanism


def unwinding():
    if platform.machine() != "x86_64":
        return 0
    cpus = int(re.split("[-,]", pathlib.Path("/sys/devices/system/cpu/possible").read_text(encoding="ascii").strip())[-1]) + 1
    power_of_two = 1 << (cpus * COPIES_FOR_EACH_CPU - 1).bit_length()
    return RULES + 2 * min(max(power_of_two, LEAST_COPIES), MOST_COPIES)


def most_memory(trace, snapshot_pages=0, recorded=False):
    """What cowtrace may need at most for a run with these figures."""
    pages = len(trace.report["pages"])
    rows = sum(len(page["by_mechanism"]) for page in trace.report["pages"]) if trace.capture["detail"] == "counts" else 0
    stacks = unwinding() if trace.capture["detail"] == "events" else 0
    return (BASE + 2 * BUFFER + stacks + A_RESOLUTION * trace.capture["events"] + A_PROCESS * len(trace.processes) + A_PAGE_OF_SNAPSHOT * snapshot_pages
            + A_ROW * rows + (A_PAGE_RECORDED * pages if recorded else 0))


class Peak(threading.Thread):
    """VmHWM of a process, looked at until it ends: wait4 would tell the largest of its children as well."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.bytes = pid, 0
        self.start()

    def run(self):
        while (status := status_of(self.pid)) and "VmHWM" in status:
            self.bytes = max(self.bytes, int(status["VmHWM"].split()[0]) * 1024)
            time.sleep(0.005)


def smaps(pid, start, size):
    """The sums of /proc/PID/smaps over the mappings inside [start, start + size), in bytes."""
    sums, inside = {}, False
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        for line in file:
            if begin := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
                inside = start <= int(begin[1], 16) and int(begin[2], 16) <= start + size
            elif inside and line.endswith(" kB\n"):
                name, value = line.split(":")
                sums[name] = sums.get(name, 0) + int(value.split()[0]) * 1024
    return sums


class Sized:
    """A family of tests/programs/family_sizes under `cowtrace run`, while it runs and afterwards."""

    def __init__(self, test, *shape, options=("-q",), command=None, prefix=(), environment=None):
        self.test = test
        self.path = test.directory / "report.json"
        self.stderr = open(test.directory / "stderr", "w+b")  # a file, so that nobody waits for a reader
        test.addCleanup(self.stderr.close)
        self.process = test.start(*prefix, COWTRACE, "run", *options, "-o", self.path, "--", *(command or (SIZES, *shape)), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=self.stderr, text=True, bufsize=1, env={**os.environ, **(environment or {})})
        test.addCleanup(self.kill_family)
        self.peak = Peak(self.process.pid)
        self.claims = {}   # word -> [(pid, start, pages)]
        self.figures = {}
        self.other = []

    def kill_family(self):
        """Whoever outlived cowtrace is still of its process group."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def read_line(self):
        """Takes one line in: False for `ready` and at the end."""
        line = self.process.stdout.readline()
        word, *rest = line.split() or [""]
        if word in ("", "ready"):
            return False
        if word == "figure":
            self.figures[rest[0]] = int(rest[1])
        elif len(rest) == 3 and rest[1].startswith("0x"):
            self.claims.setdefault(word, []).append((int(rest[0]), int(rest[1], 16), int(rest[2])))
        else:
            self.other.append(line.strip())
        return True

    def until_ready(self):
        while self.read_line():
            pass

    def go_on(self):
        self.process.stdin.write("\n")

    def end(self, status=0, valid=True, outlived=False):
        """Waits for it; a Trace. `outlived`: what goes on without cowtrace is killed then, for it may say more for ever."""
        if outlived:
            self.process.wait(timeout=TIMEOUT)
            self.kill_family()
        while self.read_line():
            pass
        code = self.process.wait(timeout=TIMEOUT)
        self.peak.join()
        self.stderr.seek(0)
        text = self.stderr.read().decode("utf-8")
        self.test.assertEqual(code, status, text)
        return self.test.loaded(code, "", text, self.path, valid=valid)

    def written(self, word="wrote"):
        return {(pid, start + index * PAGE) for pid, start, pages in self.claims.get(word, []) for index in range(pages)}


class LimitsTest(IntegrationTest):
    def sized(self, *shape, **keywords):
        return Sized(self, *shape, **keywords)

    def assert_exactly(self, trace, written, regions=None):
        """Each page that somebody says he wrote is a copy of his, once, and no other page of these regions is."""
        regions = regions or sorted({(page, page + PAGE) for _, page in written})
        ordered = []
        for start, end in regions:
            if ordered and ordered[-1][1] == start:
                ordered[-1][1] = end
            else:
                ordered.append([start, end])
        copies = trace.copies(ordered)
        missing, extra = written - copies.keys(), copies.keys() - written
        self.assertFalse(missing or extra, f"{len(missing)} missing, {len(extra)} extra of {len(written)}: {sorted(missing)[:3]} {sorted(extra)[:3]}")
        self.assertEqual(set(copies.values()), {1})

    @staticmethod
    def reported(trace, written):
        """How many of these pages the report calls copied."""
        return len(trace.copies().keys() & written)

    def assert_every_event_is_counted(self, trace):
        """What arrived and what was lost are what the kernel counted."""
        counted = sum(sums["count"] for sums in trace.report["totals"]["by_mechanism"].values())
        self.assertEqual(trace.capture["events"] + trace.capture["lost_events"], counted)
        for key in ("lost_control", "undecodable_events", "untracked_tasks"):
            self.assertEqual(trace.capture[key], 0, key)

    def assert_memory(self, sized, trace, snapshot_pages=0, recorded=False):
        most = most_memory(trace, snapshot_pages, recorded)
        self.assertGreater(sized.peak.bytes, 0)
        self.assertLess(sized.peak.bytes, most, f"{sized.peak.bytes / MIB:.0f} MiB of {most / MIB:.0f} MiB: {trace.capture['events']} events, {len(trace.processes)} processes")

    def figures(self, name, **values):
        """For refresh.py, and on standard output."""
        FIGURES.mkdir(exist_ok=True)
        (FIGURES / f"{name}.json").write_text(json.dumps(values) + "\n")
        print(f"limits.{name} {json.dumps(values)}", flush=True)
