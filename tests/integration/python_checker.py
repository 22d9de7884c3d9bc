# SPDX-License-Identifier: Apache-2.0
"""Holds reports against what Python programs expect of them (tests/programs/python/expectations.py), and against themselves."""
import collections
import pathlib

import expectations


def total(counts, pattern):
    return sum(count for name, count in counts.items() if expectations.matches(pattern, name))


def causes(by_cause):
    return {cause: row["breaks"] for cause, row in by_cause.items()}


class Counted:
    """A report of several programs, looked through once for all that is expected of them."""

    def __init__(self, report):
        self.forked = collections.defaultdict(set)    # process -> processes that it forked
        self.pages = collections.defaultdict(list)    # process -> its pages with breaks
        self.objects = collections.defaultdict(list)  # process -> objects with breaks that it wrote
        self.sites = collections.defaultdict(list)    # (innermost frame alone?, line, function, file) -> breaks by cause
        for process in report["processes"]:
            self.forked[process["forked_from"]].add(process["process"])
        for page in report["pages"]:
            if page["breaks"]:
                self.pages[page["process"]].append(page)
        for item in report["objects"]:
            if item["breaks"]:
                for process in item["processes"]:
                    self.objects[process].append(item)
        for site in report["sites"]:
            places = [(frame["line"], frame["function"].rpartition(".")[2], pathlib.PurePath(frame["file"] or "").name)
                      for frame in site["stack"] if frame["kind"] == "python"]
            counts = causes(site["by_cause"])
            for place in places[:1]:
                self.sites[True, *place].append(counts)
            for place in set(places):
                self.sites[False, *place].append(counts)


class Checker:
    """Holds a report against what a program expects that ran as process `program`. `counted`: Counted of the report."""

    def __init__(self, counted, program):
        self.counted = counted
        self.parent = {program}
        self.child = set(counted.forked[program])
        # What other programs did in the same capture is none of ours.
        here = self.parent | self.child
        self.written = list({item["id"]: item for process in here for item in counted.objects[process]}.values())
        self.pages = [page for process in here for page in counted.pages[process]]

    def writers(self, expected):
        return getattr(self, expected["process"])

    def objects(self, expected):
        """The written objects that have the name and the type, in the process."""
        return [item for item in self.written
                if expectations.matches(expected["object"], item["name"]) and expectations.matches(expected["type"], item["type"] or "")
                and self.writers(expected).intersection(item["processes"])]

    def page_breaks(self, expected, objects=None):
        """Breaks of the process's pages by the cause; only those of the objects, if given."""
        ids = None if objects is None else {item["id"] for item in objects}
        return sum(page["breaks"] for page in self.pages
                   if page["process"] in self.writers(expected) and expectations.matches(expected["cause"], page["cause"])
                   and (ids is None or page["object"] in ids))

    def site_breaks(self, expected):
        """Breaks by the cause at the line."""
        place = (expected["frame"] == "inner", expected["line"], expected["function"], expected["file"])
        return sum(total(by_cause, expected["cause"]) for by_cause in self.counted.sites.get(place, ()))

    def missing(self, expected):
        """What an expectation of breaks lacks, as a list of sentences."""
        least, problems = expected["at-least"], []
        site = self.site_breaks(expected)
        if site < least:
            problems.append(f"{site} breaks at this line")
        if expected["named"] == "maybe":
            return problems
        objects = self.objects(expected)
        if not objects:
            return [*problems, f"no such object among {sorted({item['name'] for item in self.written})[:40]}"]
        fields = sum(total(item["fields"], expected["field"]) for item in objects)
        if expected["field"] and fields < least:
            problems.append(f"{fields} breaks in this field, of {[item['fields'] for item in objects[:5]]}")
        pages = self.page_breaks(expected, objects)
        if pages < least:
            problems.append(f"{pages} breaks of its pages by this cause, of {[item['by_cause'] for item in objects[:5]]}")
        return problems

    def too_many(self, limit):
        """What exceeds an upper bound, as a list of sentences."""
        objects = None if limit["object"] is limit["type"] is limit["field"] is None else self.objects(limit)
        breaks = self.page_breaks(limit, objects)
        if limit["field"]:
            breaks = min(breaks, sum(total(item["fields"], limit["field"]) for item in objects))
        return [f"{breaks} breaks"] if breaks > limit["breaks"] else []

    def problems(self, listed, version):
        """One line for each expectation that does not hold."""
        for expected in listed:
            if expectations.holds_for(expected, version):
                wrong = self.missing(expected) if expected["kind"] == "expect" else self.too_many(expected)
                if wrong:
                    said = {key: value for key, value in expected.items() if value and key not in ("kind", "since", "until", "file")}
                    yield f"{expected['file']}:{expected['line']}: {said}: {'; '.join(wrong)}"


def altered(expected):
    """Expectations that differ from a true one in one thing each, so that they are none of them true."""
    yield {**expected, "line": expected["line"] + 1000}
    yield {**expected, "function": "no_such_function"}
    yield {**expected, "at-least": 1_000_000}
    keys = ("cause",) if expected["named"] == "maybe" else ("object", "type", "field", "cause")
    for key in keys:
        yield {**expected, key: "no such thing"}
    if expected["named"] != "maybe":
        yield {**expected, "process": "child" if expected["process"] == "parent" else "parent"}


def sums(rows):
    """Breaks by cause of many rows that have by_cause."""
    found = collections.Counter()
    for row in rows:
        found.update(causes(row["by_cause"]))
    return found


def disagreements(report, pythons):
    """Sentences: where the report counts one thing twice and differently. `pythons` are the processes that were forked by Python."""
    breaks = report["totals"]["breaks"]
    for section in ("pages", "processes", "sites"):
        if sum(row["breaks"] for row in report[section]) != breaks:
            yield f"{breaks} breaks, {sum(row['breaks'] for row in report[section])} of {section}"
    if sums(report["sites"]) != sums([report["totals"]]):
        yield f"by cause: {causes(report['totals']['by_cause'])}, of sites {dict(sums(report['sites']))}"
    for page in report["pages"]:
        if page["breaks"] and page["process"] in pythons and page["cause"] == "unknown":
            yield f"the cause of {page['address']} in {page['mapping']} is unknown"
    for item in report["objects"]:
        named, counted = item["fields"], causes(item["by_cause"])
        if sum(counted.values()) != item["breaks"] or (item["kind"] == "python" and sum(named.values()) != item["breaks"]):
            yield f"{item['name']} has {item['breaks']} breaks: {counted}, {named}"
        for field, cause in (("refcount", "refcount"), ("gc header", "gc-header")):
            # The kernel writes for system calls, to buffers; who writes to a field of this kind is the interpreter.
            if item["kind"] == "python" and named.get(field, 0) != counted.get(cause, 0):
                yield f"{item['name']}: {named.get(field, 0)} breaks of its {field}, {counted.get(cause, 0)} by {cause}"
