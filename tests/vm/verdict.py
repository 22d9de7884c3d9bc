# SPDX-License-Identifier: Apache-2.0
"""Holds a report against the truth that the traced program wrote about itself."""
import collections
import json

SCENARIO_CANNOT = 77


def inside(address, regions):
    return any(start <= address < start + size for start, size in regions)


def copies(report, regions):
    """(pid, page) -> copies, inside the regions."""
    counted = collections.Counter()
    for page in report["pages"]:
        address = int(page["address"], 16)
        if inside(address, regions) and page["by_mechanism"].get("copy"):
            counted[page["pid"], address] += page["breaks"]
    return counted


def check_copies(report, truth):
    """Yields what differs: the copied pages inside the truth's regions are the truth's, and each broke once."""
    regions = [(int(region["start"], 16), region["size"]) for region in truth["regions"]]
    wanted = {(process["pid"], int(page, 16)) for process in truth["processes"] for page in process["copied"]}
    found = copies(report, regions)
    missing, extra = wanted - found.keys(), found.keys() - wanted
    if missing or extra:
        yield f"of {len(wanted)} copied pages {len(missing)} are missing, {len(extra)} are extra"
    again = sum(count != 1 for count in found.values())
    if again:
        yield f"{again} pages broke more than once"
    if len(wanted) != truth["copied_pages_expected"]:
        yield f"the truth has {len(wanted)} copied pages, the experiment expects {truth['copied_pages_expected']}"


def check_mechanisms(report, truth):
    """Yields what differs from the counts by mechanism that a truth states for its regions."""
    regions = [(int(region["start"], 16), region["size"]) for region in truth["regions"]]
    found = collections.Counter()
    for page in report["pages"]:
        if inside(int(page["address"], 16), regions):
            found.update(page["by_mechanism"])
    found = {mechanism: count for mechanism, count in found.items() if count}
    if found != truth["by_mechanism"]:
        yield f"mechanisms {found}, not {truth['by_mechanism']}"


def check_health(report):
    """Yields losses, and private pages that nothing explains."""
    for key in ("lost_events", "lost_control", "undecodable_events"):
        if report["capture"].get(key):
            yield f"{key} {report['capture'][key]}"
    for process in report["processes"]:
        if process["audit"] is None:
            yield f"no audit of process {process['pid']}: {process.get('audit_missing')}"
        elif process["audit"]["unexplained"]:
            yield f"process {process['pid']}: {process['audit']['unexplained']} unexplained {process['audit']['reasons']}"


def judge(name, files):
    """("ok" | "wrong" | "cannot" | "failed", details) of one job, from the files that it left."""
    status = int(files.get(f"{name}.status", b"-1"))
    stderr = files.get(f"{name}.stderr", b"").decode(errors="replace").strip()
    if status == SCENARIO_CANNOT:
        return "cannot", [files.get(f"{name}.stdout", b"").decode(errors="replace").strip() or stderr]
    try:
        report, truth = (json.loads(files[f"{name}.{suffix}"]) for suffix in ("json", "truth"))
    except (KeyError, ValueError) as missing:
        return "failed", [f"status {status}, {missing!r}", *stderr.splitlines()[-12:]]
    details = [] if status == 0 else [f"status {status}"]
    details += check_mechanisms(report, truth) if "by_mechanism" in truth else check_copies(report, truth)
    details += check_health(report)
    return ("wrong" if details else "ok"), details
