# SPDX-License-Identifier: Apache-2.0
"""Holds a report against the truth that the traced program wrote about itself.

A truth names, for each process, the pages of its `regions` by mechanism (`breaks`; what is not there must not be reported), or only those
that were copied (`copied`; other mechanisms are then not judged). `actor` is who must be named for every break of a process. With
`no_exception` the writes raise no page fault: the static backend sees none of them, and its audit must call exactly these pages unexplained.
"""
import collections
import dataclasses
import json

SCENARIO_CANNOT = 77
BACKEND_CANNOT = 125
HUGE = 2 << 20
# One break of these is about a whole huge page, wherever in it the write was.
WHOLE = ("huge-split", "huge-zero-fill", "hugetlb-copy")
# These give a process a frame that it did not inherit.
CHANGES = ("copy", "hugetlb-copy", "unshare", "fork-copy", "ksm-copy")


@dataclasses.dataclass
class Cell:
    """What became of one scenario under one backend: ok, wrong, cannot or failed; `details` say how or why."""

    word: str
    details: list = dataclasses.field(default_factory=list)
    measured: dict = dataclasses.field(default_factory=dict)  # mechanism -> count, inside the truth's regions
    blind: bool = False  # cannot, as the truth demands of this backend


def regions_of(truth):
    return [(int(region["start"], 16), int(region["start"], 16) + region["size"]) for region in truth["regions"]]


def place(mechanism, address):
    return address & ~(HUGE - 1) if mechanism in WHOLE else address


def found_breaks(report, regions):
    """(pid, mechanism, page) -> how often the report has it, inside the regions."""
    found = collections.Counter()
    for page in report["pages"]:
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
    for key in ("lost_events", "lost_control", "undecodable_events", "untracked_tasks"):
        if report["capture"].get(key):
            yield f"{key} {report['capture'][key]}"


def check_audits(report, unexplained):
    """Yields processes without audit, and those whose audit leaves unexplained what is not in `unexplained` (pid -> pages)."""
    for process in report["processes"]:
        audit, allowed = process["audit"], unexplained.get(process["pid"], 0)
        if audit is None:
            yield f"no audit of process {process['pid']}: {process.get('audit_missing')}"
        elif audit["unexplained"] != allowed:
            yield f"process {process['pid']}: {audit['unexplained']} unexplained, not {allowed}: {audit['reasons']}"


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


def compare(report, truth, backend):
    """The cell of a run that has left both."""
    found = found_breaks(report, regions_of(truth))
    blind = bool(truth.get("no_exception")) and backend == "static"
    details = [*check_losses(report), *check_expected(truth)]
    if blind:
        unseen = unseen_pages(truth)
        details += [*check_blindness(report, found), *check_audits(report, unseen)]
        reason = f"no exception shows these writes; the audit has their {sum(unseen.values())} pages as unexplained"
        return Cell("wrong", details) if details else Cell("cannot", [reason], blind=True)
    details += check_mechanisms(found, truth) if "by_mechanism" in truth else check_breaks(found, truth)
    details += [*check_actors(report, truth), *check_audits(report, {})]
    return Cell("wrong" if details else "ok", details, by_mechanism(found))


def judge(job, backend, files):
    """The cell of one job, from the files that it left."""

    def text(suffix):
        return files.get(f"{job}.{suffix}", b"").decode(errors="replace").strip()

    status = int(text("status") or -1)
    first = (text("stderr") or text("stdout") or "it said nothing").splitlines()[0]
    if status == SCENARIO_CANNOT or (status == BACKEND_CANNOT and first.startswith("cowtrace: ")):
        return Cell("cannot", [first])
    try:
        report, truth = json.loads(text("json")), json.loads(text("truth"))
    except ValueError:
        return Cell("failed", [f"status {status}, no report or no truth", *text("stderr").splitlines()[-12:]])
    cell = compare(report, truth, backend)
    if status != 0:
        return Cell("wrong", [f"status {status}: {first}", *cell.details], cell.measured)
    return cell
