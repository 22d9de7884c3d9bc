#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the programs of tests/programs/advice under cowtrace and puts the figures into the pages of docs/advice.

usage: sudo advice_figures.py [--python PATH] [PAGE.md...]      default: /usr/bin/python3 and all pages

In a page, what stands between `<!-- measured: TABLE -->` and `<!-- end -->` becomes that table of TABLES; `machine` is what they were
measured with. COWTRACE_BIN is the directory of the built cowtrace. Exit status: 0 done, 1 a program failed, 2 used wrongly.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import typing

import pythons

SOURCE = pathlib.Path(os.environ.get("COWTRACE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("COWTRACE_BIN", SOURCE / "build" / "release" / "bin"))
PROGRAMS = SOURCE / "tests" / "programs" / "advice"
PAGES = SOURCE / "docs" / "advice"
PLACE = re.compile(r"(<!-- measured: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
HUGE_PAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
HUGE_PAGES_NEEDED = 16  # of thp.py
CANNOT = 77
TIMEOUT = 300


class Run(typing.NamedTuple):
    program: str
    arguments: tuple = ()
    environment: tuple = ()  # of (name, value)

    @property
    def label(self):
        words = [*(f"{name}={value}" for name, value in self.environment), self.program, *self.arguments]
        return f"`{' '.join(words)}`"


# What an advice says of `before` is held against what `after` does not copy any more.
class Pair(typing.NamedTuple):
    advice: str
    before: Run
    after: Run


def pair(advice):
    """Two programs that differ in more than a line."""
    stem = advice.replace("-", "_")
    return Pair(advice, Run(f"{stem}_before.py"), Run(f"{stem}_after.py"))


def switched(advice, stem=None):
    """One program that has what is advised behind an argument."""
    program = f"{stem or advice.replace('-', '_')}.py"
    return Pair(advice, Run(program), Run(program, ("after",)))


# All of these run with any version; immortal objects are a matter of the version, and workers-fit saves nothing.
PAIRS = {
    "end-at-once": switched("end-at-once"),
    "gc-freeze": pair("gc-freeze"),
    "fork-server": switched("gc-freeze", "fork_server"),
    "gc-often": Pair("gc-freeze", Run("gc_often.py"), Run("gc_often.py", ("once",))),
    "preload": pair("preload"),
    "warm-up": switched("preload", "warm_up"),
    "refcounts": pair("refcounts"),
    "unnamed": switched("refcounts", "unnamed"),
    "allocator-churn": switched("allocator-churn"),
    "per-request-writes": switched("per-request-writes"),
    "thp": switched("thp"),
    "thp-zero": switched("thp", "thp_zero"),
}
ORDERS = ((), ("collect",), ("freeze",), ("collect", "freeze"), ("disable", "freeze"), ("disable", "collect", "freeze"))
IMMORTAL = Run("immortal_objects.py")
QUIET = Run("quiet.py")


class Failed(Exception):
    """A program did not end as it should."""


def size(count):
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}".replace(".0 ", " ")
    return f"{count} B"


def advice_of(report, name):
    """The row of a report, or None."""
    return next((row for row in report["advice"] if row["id"] == name), None)


def taken(report):
    """Bytes that were copied, or given in the place of the huge page of zeros."""
    return report["totals"]["copied_bytes"] + report["totals"]["by_mechanism"]["huge-zero-fill"]["bytes"]


@contextlib.contextmanager
def huge_pages():
    """Some are reserved meanwhile, where that can be done."""
    before = HUGE_PAGES.read_text(encoding="ascii")
    if int(before) < HUGE_PAGES_NEEDED:
        HUGE_PAGES.write_text(str(HUGE_PAGES_NEEDED), encoding="ascii")
    try:
        yield
    finally:
        HUGE_PAGES.write_text(before, encoding="ascii")


def traced(run, python, options=("-B",)):
    """The report of one run; None where the program cannot run on this machine."""
    with tempfile.TemporaryDirectory(prefix="cowtrace-figures-") as folder:
        path = pathlib.Path(folder, "report.json")
        done = subprocess.run([BIN / "cowtrace", "-q", "-o", path, "--", python, *options, PROGRAMS / run.program, *run.arguments],
                              env={**os.environ, "PYTHONHASHSEED": "0", **dict(run.environment)}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=TIMEOUT, check=False)
        if done.returncode == CANNOT:
            return None
        if done.returncode != 0:
            raise Failed(f"{run.program} ended with {done.returncode}: {done.stderr.strip()}")
        return json.loads(path.read_text(encoding="utf-8"))


def row(label, report, advice=None):
    """One line of a table: what a run broke, and what the advice (default: the one that comes first) would save."""
    if report is None:
        return f"| {label} | cannot run here | | | |"
    found = advice_of(report, advice) if advice else next(iter(report["advice"]), None)
    inherited = max(process["inherited_bytes"] or 0 for process in report["processes"])
    saves = size(found["saves_at_most_bytes"]) if found else "not given" if advice else "none given"
    if found and not advice:
        saves = f"`{found['id']}`: {saves}"
    return f"| {label} | {size(inherited)} | {report['totals']['breaks']:,} | {size(taken(report))} | {saves} |"


def head(first, column="copied"):
    return [f"| {first} | inherited by a worker | breaks | {column} | advice: saves at most |", "| --- | --- | --- | --- | --- |"]


def pair_table(name, python):
    advice, *runs = PAIRS[name]
    reports = [traced(run, python) for run in runs]
    lines = head("program", "copied, or taken for zeros" if name == "thp-zero" else "copied")
    lines += [row(run.label, report, advice) for run, report in zip(runs, reports)]
    if all(reports):
        lines.append(f"| saved | | | {size(taken(reports[0]) - taken(reports[1]))} | |")
    return lines


def order_table(python):
    runs = [Run("gc_order.py", words) for words in ORDERS]
    return head("program") + [row(run.label, traced(run, python)) for run in runs]


def often_table(python):
    return head("program") + [row(run.label, traced(run, python)) for run in (*PAIRS["gc-often"][1:], Run("gc_often.py", ("each",)))]


def allocator_table(python):
    runs = [Run("allocator_churn.py", (), (setting,)) for setting in (("PYTHONMALLOC", "malloc"), ("MALLOC_ARENA_MAX", "1"))]
    return pair_table("allocator-churn", python) + [row(run.label, traced(run, python), "allocator-churn") for run in runs]


def immortal_table(_):
    """Without what is installed beside an interpreter (-S), which differs from one to the other."""
    found = [one for one in pythons.interpreters() if one.root == pathlib.Path("/")]
    reports = [(".".join(map(str, one.version)), traced(IMMORTAL, one.executable, ("-B", "-S"))) for one in found]
    return head("CPython") + [row(version, report, "immortal-objects") for version, report in reports]


def workers_table(python):
    lines = ["| program | what is said |", "| --- | --- |"]
    for run in (PAIRS["refcounts"].before, PAIRS["refcounts"].after):
        with limited_group() as enter:
            report = enter(run, python)
        found = advice_of(report, "workers-fit")
        lines.append(f"| {run.label} | {re.sub(r'/sys/fs/cgroup/[^ ,]*/', '.../', found['text']) if found else 'nothing'} |")
    return lines


@contextlib.contextmanager
def limited_group(limit=512 << 20):
    """A control group of `limit` bytes; gives a traced() that runs in it."""
    version2 = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()
    top = pathlib.Path("/sys/fs/cgroup" if version2 else "/sys/fs/cgroup/memory")
    group = top / f"cowtrace-figures-{os.getpid()}"
    group.mkdir()
    own = pathlib.Path("/proc/self/cgroup").read_text(encoding="utf-8")
    pattern = r"^0::(.*)$" if version2 else r"^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$"
    before = top / re.search(pattern, own, re.MULTILINE)[1].lstrip("/")
    try:
        (group / ("memory.max" if version2 else "memory.limit_in_bytes")).write_text(str(limit), encoding="ascii")
        (group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        yield traced
    finally:
        (before / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        group.rmdir()


def machine(python):
    version = subprocess.run([python, "-c", "import sys; print(sys.version.split()[0])"], capture_output=True, text=True, check=True).stdout
    report = traced(QUIET, python)["capture"]
    return [f"CPython {version.strip()}, Linux {report['kernel']} {report['arch']}, backend {report['backend']}"]


TABLES = {
    **{name: lambda python, name=name: pair_table(name, python) for name in PAIRS},
    "gc-order": order_table,
    "gc-often": often_table,
    "allocator-churn": allocator_table,
    "immortal-objects": immortal_table,
    "workers-fit": workers_table,
    "machine": machine,
}


def filled(text, python, known):
    """The page with its figures. `known` holds the tables that were measured already."""
    def replace(found):
        if found[2] not in known:
            known[found[2]] = TABLES[found[2]](python)
        return "\n".join([found[1].rstrip("\n"), *known[found[2]], found[3]])

    return PLACE.sub(replace, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("pages", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    known = {}
    with huge_pages():
        for page in arguments.pages or sorted(PAGES.glob("*.md")):
            text = page.read_text(encoding="utf-8")
            try:
                page.write_text(filled(text, arguments.python, known), encoding="utf-8")
            except (KeyError, Failed) as error:
                print(f"advice_figures.py: {page.name}: {error}", file=sys.stderr)
                return 1
            print(page.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
