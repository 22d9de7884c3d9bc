# SPDX-License-Identifier: Apache-2.0
"""Holds a report against the truth that the traced program wrote about itself.

A truth names, for each process, the pages of its `regions` by mechanism (`breaks`; what is not there must not be reported), or only those
that were copied (`copied`; other mechanisms are then not judged). `actor` is who must be named for every break of a process. With
`no_exception` the writes raise no page fault: the static backend sees none of them, and its audit must call exactly these pages unexplained.
`first_writes` are those of `breaks` that nobody had mapped before: static cannot tell what they are where the kernel does not show mappings.
With `from_swap` they are to pages that nobody has in memory: the static backend sees none of them, and there is nothing to audit.
"""
import collections
import dataclasses
import json
import re

SCENARIO_CANNOT = 77
BACKEND_CANNOT = 125
HUGE = 2 << 20
# One break of these is about a whole huge page, wherever in it the write was.
WHOLE = ("huge-split", "huge-zero-fill", "hugetlb-copy")
# These give a process another frame than the one that it has inherited. What fork itself copies is never inherited: snapshots come after it.
CHANGES = ("copy", "hugetlb-copy", "unshare", "ksm-copy")


@dataclasses.dataclass
class Cell:
    """What became of one scenario under one backend: ok, wrong, cannot or failed; `details` say how or why."""

    word: str
    details: list = dataclasses.field(default_factory=list)
    measured: dict = dataclasses.field(default_factory=dict)  # see measure()
    blind: bool = False  # cannot, as the truth demands of this backend


COMPLAINT = re.compile(r"^\[ *[\d.]+\] (WARNING|BUG|Oops): ")
# How the blind spot begins (src/capture/coverage.cpp).
FIRST_WRITES = "first writes to absent pages"
# Why there is nothing to audit: no exit at which memory could be compared with what was inherited. The experiment's own process was forked
# and then executed; of the others only these experiments have some that did, or that shared memory.
EXECUTED, SHARED = "it ran another program (exec)", "it shared its parent's memory"
WITHOUT_AUDIT = {"exec": (EXECUTED,), "vfork": (SHARED,), "clone-vm": (SHARED,)}
# What a report of kprobe says where tracefs could not be used: it can miss faults, and here it can be used.
FEW_RETURNS = "more than a few faults at a time may be missed"


def regions_of(truth):
    return [(int(region["start"], 16), int(region["start"], 16) + region["size"]) for region in truth["regions"]]


def place(mechanism, address):
    return address & ~(HUGE - 1) if mechanism in WHOLE else address


def found_breaks(report, truth):
    """(pid, mechanism, page) -> how often the report has it, inside the truth's regions."""
    found, regions = collections.Counter(), regions_of(truth)
    for page in report["pages"]:
        # The shell that executed the program had its heap somewhere above its own file, both at fixed addresses: now and then where the data of
        # the program is.
        if truth.get("scenario") == "elf-data" and page.get("mapping") == "[heap]":
            continue
        address = int(page["address"], 16)
        if any(start <= address < end for start, end in regions):
            for mechanism, count in page["by_mechanism"].items():
                if count:
                    found[page["pid"], mechanism, place(mechanism, address)] += count
    return found


def wanted_breaks(truth):
    """The same as the truth has it, and the pids whose every mechanism is known."""
    wanted, complete = collections.Counter(), set()
    for process in truth["processes"]:
        if "breaks" in process:
            complete.add(process["pid"])
        for mechanism, pages in process.get("breaks", {"copy": process.get("copied", [])}).items():
            wanted.update({(process["pid"], mechanism, place(mechanism, int(page, 16))) for page in pages})
    return wanted, complete


def check_breaks(found, truth):
    """Yields what differs, one line a mechanism."""
    wanted, complete = wanted_breaks(truth)
    found = {key: count for key, count in found.items() if key[0] in complete or key[1] == "copy"}
    for mechanism in sorted({key[1] for key in [*wanted, *found]}):
        here = {key for key in wanted if key[1] == mechanism}
        there = {key for key in found if key[1] == mechanism}
        missing, extra = here - there, there - here
        if missing or extra:
            example = min(missing or extra)
            yield (f"of {len(here)} pages by {mechanism} {len(missing)} are missing and {len(extra)} are extra, "
                   f"{'missing' if missing else 'extra'} is {example[2]:#x} of process {example[0]}")
        again = [key for key in here & there if found[key] != wanted[key]]
        if again:
            yield f"{len(again)} pages by {mechanism} are there more than once"


def check_mechanisms(found, truth):
    """Yields what differs from the counts by mechanism that a truth states for its regions."""
    counted = by_mechanism(found)
    if counted != truth["by_mechanism"]:
        yield f"mechanisms {counted}, not {truth['by_mechanism']}"


def by_mechanism(found):
    counted = collections.Counter()
    for (_, mechanism, _), count in found.items():
        counted[mechanism] += count
    return dict(counted)


def measure(report, truth, found):
    """What was seen, by role: how many processes, the page faults that they took (by their own count), the bytes that they copied in all, and
    the count of each mechanism inside the truth's regions."""
    copied = {process["pid"]: process["copied_bytes"] for process in report["processes"]}
    roles = {}
    for process in truth["processes"]:
        role = roles.setdefault(process["role"], {"processes": 0, "faults": 0, "copied_bytes": 0, "by_mechanism": collections.Counter()})
        role["processes"] += 1
        role["faults"] += process.get("faults", 0)
        role["copied_bytes"] += copied.get(process["pid"], 0)
        for (pid, mechanism, _), count in found.items():
            if pid == process["pid"]:
                role["by_mechanism"][mechanism] += count
    return {name: {**role, "by_mechanism": dict(sorted(role["by_mechanism"].items()))} for name, role in roles.items()}


def check_expected(truth):
    copied = {(process["pid"], page) for process in truth["processes"] for page in process.get("copied", [])}
    if len(copied) != truth.get("copied_pages_expected", len(copied)):
        yield f"the truth has {len(copied)} copied pages, the experiment expects {truth['copied_pages_expected']}"


def check_actors(report, truth):
    """Yields breaks that do not name who really made them."""
    regions = regions_of(truth)
    for process in truth["processes"]:
        actor = process.get("actor")
        pages = [page for page in report["pages"] if page["pid"] == process["pid"] and page["breaks"] and
                 any(start <= int(page["address"], 16) < end for start, end in regions)]
        others = [page["actor"] for page in pages if actor and page.get("actor") != actor]
        if others:
            yield f"{len(others)} breaks of process {process['pid']} name {others[0]} as actor, not {actor}"


def check_losses(report):
    if any(note.startswith(FEW_RETURNS) for note in report["capture"].get("notes", ())):
        yield FEW_RETURNS
    for key in ("lost_events", "lost_control", "undecodable_events", "untracked_tasks"):
        if report["capture"].get(key):
            yield f"{key} {report['capture'][key]}"


def check_forks(report):
    """Yields forks whose time was not seen, where what fork copies is."""
    if any(spot.startswith("pinned pages that fork copies") for spot in report["capture"]["blind_spots"]):
        return
    unknown = [process["pid"] for process in report["processes"] if process.get("fork_ns") is not None and not process["fork_took_ns"]]
    if unknown:
        yield f"nobody knows how long {len(unknown)} forks took, that of {unknown[0]} the first"


def check_audits(report, unexplained, scenario):
    """Yields processes without audit, and those whose audit leaves unexplained what is not in `unexplained` (pid -> pages)."""
    for number, process in enumerate(report["processes"]):
        audit, allowed = process["audit"], unexplained.get(process["pid"], 0)
        if audit is None:
            excuses = (*WITHOUT_AUDIT.get(scenario, ()), *((EXECUTED,) if number == 0 else ()))
            if allowed or process.get("audit_missing") not in excuses:
                yield f"no audit of process {process['pid']}: {process.get('audit_missing')}"
        elif audit["unexplained"] != allowed:
            yield f"process {process['pid']}: {audit['unexplained']} unexplained, not {allowed}: {audit['reasons']}"


def part_of(report, root):
    """The report as it would be of the process with the pid `root` and all that it has forked."""
    children = collections.defaultdict(list)
    for process in report["processes"]:
        children[process["parent"]].append(process)
    family = [process for process in report["processes"] if process["pid"] == root]
    for process in family:
        family += children[process["process"]]
    keys = {process["process"] for process in family}
    return {**report, "processes": family, "pages": [page for page in report["pages"] if page["process"] in keys]}


def check_first_writes(report):
    """Yields what is not told of new memory, where it was asked for (--allocators)."""
    unknown = report.get("allocators_unknown")
    if unknown is None:
        return
    if not report["totals"]["by_mechanism"]["first-write"]["count"]:
        yield "no first write was seen"
    told = sum(site["breaks"] for site in report["allocators"])
    if not told or told + unknown["breaks"] != report["totals"]["breaks"]:
        yield f"of {report['totals']['breaks']} breaks {told} have a first writer, and {unknown['breaks']} are said to have none"


def unseen_pages(truth):
    """pid -> pages whose frame is another one, and that no exception has shown."""
    wanted, _ = wanted_breaks(truth)
    return collections.Counter(pid for pid, mechanism, _ in wanted if mechanism in CHANGES)


def check_blindness(report, found):
    """Yields what a backend says of writes that it cannot see."""
    if found:
        yield f"{sum(found.values())} breaks where none can be seen"
    if not report["capture"]["blind_spots"]:
        yield "no blind spot is named"


def check_without_first_writes(report, found, truth):
    """Yields what differs when first writes to absent pages are left out of the truth."""
    first = {process["pid"]: set(process.get("first_writes", ())) for process in truth["processes"]}
    seen = [{**process, "breaks": {mechanism: [page for page in pages if page not in first[process["pid"]]]
                                   for mechanism, pages in process["breaks"].items()}} for process in truth["processes"]]
    yield from check_breaks(found, {**truth, "processes": seen})


def compare(report, truth, backend, audited=True):
    """The cell of an experiment that has left both; `audited`: the capture was to audit every process."""
    found = found_breaks(report, truth)
    details = [*check_losses(report), *check_forks(report), *check_expected(truth)]
    if not report["processes"]:
        details.append("its processes are not in the report")
    unseen, why = {}, ""
    if backend == "static" and truth.get("no_exception"):
        unseen = unseen_pages(truth)
        why = "no exception shows these writes"
        if audited and unseen:
            why += f"; the audit has their {sum(unseen.values())} pages as unexplained"
    elif backend == "static" and truth.get("from_swap"):
        why = "no exception shows whether a page was copied as it came back from swap"
    if audited:
        details += check_audits(report, unseen, truth.get("scenario"))
    if why:
        details += check_blindness(report, found)
        return Cell("wrong", details) if details else Cell("cannot", [why], blind=True)
    spots = [spot for spot in report["capture"]["blind_spots"] if spot.startswith(FIRST_WRITES)]
    if backend == "static" and spots and any(process.get("first_writes") for process in truth["processes"]):
        details += check_without_first_writes(report, found, truth)
        return Cell("wrong", details) if details else Cell("cannot", [f"not seen: {spots[0]}; all else is right"])
    details += check_mechanisms(found, truth) if "by_mechanism" in truth else check_breaks(found, truth)
    details += check_actors(report, truth)
    return Cell("wrong" if details else "ok", details, measure(report, truth, found))


# What a guest runs while a switch is off, the pages that it copies, and which backend has no hook that is called then.
SWITCHED_PAGES = 100
DEAD = {"kprobes": "kprobe", "ftrace": "fentry"}


def switched_off(files):
    """What is wrong with runs that a guest made with kprobes or ftrace switched off: a backend sees every copy, or one line refuses it."""
    for file in sorted(files):
        found = re.fullmatch(r"(off-(\w+)\.(\w+))\.status", file)
        if found:
            name, switch, backend = found.groups()
            wrong = wrong_while_off(files, name, backend == DEAD[switch])
            if wrong:
                yield f"{name}: {wrong}"


def wrong_while_off(files, name, dead):
    """`dead`: on most kernels the backend has a hook that is not called. Returns "" where all is right."""
    status = files[f"{name}.status"].decode().strip()
    lines = files.get(f"{name}.stderr", b"").decode(errors="replace").splitlines()
    if status == str(BACKEND_CANNOT):
        if len(lines) != 1:
            return f"refused in {len(lines)} lines: {lines[:3]}"
        return "" if not dead or "switched off: " in lines[0] else f"refused for another reason: {lines[0]}"
    if status != "0":
        return f"status {status}: {lines[:3]}"
    copies = json.loads(files[f"{name}.json"])["totals"]["by_mechanism"]["copy"]["count"]
    return "" if copies >= SWITCHED_PAGES else f"{copies} copies seen of {SWITCHED_PAGES}"


def complaints(files):
    """Yields what a guest's kernel has said against us, and what cowtrace has left behind in it."""
    for name in ("dmesg", "probes"):
        if name not in files:
            yield f"it left no {name}"
    for line in files.get("dmesg", b"").decode(errors="replace").splitlines():
        if COMPLAINT.search(line):
            yield f"the kernel complained: {line}"
    for line in files.get("probes", b"").decode(errors="replace").splitlines():
        yield f"a kprobe was left behind: {line}"
    yield from switched_off(files)


class Left:
    """What a guest has left: files by name (bytes), those of a backend as text."""

    def __init__(self, files):
        self.files = files
        self.reports = {}

    def text(self, backend, file):
        return self.files.get(f"{backend}.{file}", b"").decode(errors="replace").strip()

    def report(self, backend, capture):
        """The report of a capture, which is long and has many experiments: read once. Raises ValueError if there is none."""
        if (backend, capture) not in self.reports:
            self.reports[backend, capture] = json.loads(self.text(backend, f"{capture}.json"))
        return self.reports[backend, capture]


def judge(backend, capture, name, left):
    """The cell of the experiment `name`, from what it and its capture left."""
    status, captured = (int(left.text(backend, f"{of}.status") or -1) for of in (name, capture))
    first = (left.text(backend, f"{name}.stderr") or left.text(backend, f"{name}.stdout") or "it said nothing").splitlines()[0]
    reason = (left.text(backend, f"{capture}.stderr") or "it said nothing").splitlines()
    if captured == BACKEND_CANNOT and reason[0].startswith("cowtrace: "):
        return Cell("cannot", reason[:1])
    if status == SCENARIO_CANNOT:
        return Cell("cannot", [first])
    try:
        report, truth = left.report(backend, capture), json.loads(left.text(backend, f"{name}.truth"))
    except ValueError:
        return Cell("failed", [f"status {status}, of cowtrace {captured}, no report or no truth", first, *reason[-12:]])
    cell = compare(part_of(report, int(left.text(backend, f"{name}.pid"))), truth, backend, audited=capture == "exact")
    missing = list(check_first_writes(report))
    if missing:
        return Cell("wrong", [*missing, *cell.details], cell.measured)
    for what, ended in (("the experiment", status), ("cowtrace", captured)):
        if ended != 0:
            return Cell("wrong", [f"{what} ended with {ended}: {first if ended is status else reason[0]}", *cell.details], cell.measured)
    return cell
