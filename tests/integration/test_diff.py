#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`cowtrace diff` against the JSON reports of the runs that it compares: the gc.freeze() example of docs/advice, three runs a side, and runs
that differ in nothing."""
import base64
import collections
import hashlib
import html.parser
import json
import os
import statistics
import unittest

import advice_figures as figures
from support import SCENARIO, SOURCE, IntegrationTest, jsonschema, load, sampled, validate_report

PYTHON = "/usr/bin/python3"
RUNS = 3
# What two runs of the same program differ by, in a row that three runs a side did not show to be noise.
NOISE = 64 << 10
SCHEMA = validate_report.forbid_undescribed(load(SOURCE / "docs" / "diff.schema.json"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def spread(values):
    return {"median": int(statistics.median(values)), "min": min(values), "max": max(values)}


def causes_of(report):
    return {name: (row["breaks"], row["bytes"]) for name, row in report["totals"]["by_cause"].items()}


def mechanisms_of(report):
    return {name: (row["count"], row["bytes"]) for name, row in report["totals"]["by_mechanism"].items() if row["count"]}


def added_up(rows):
    """key -> (breaks, bytes) of (key, breaks, bytes)."""
    sums = collections.defaultdict(lambda: (0, 0))
    for key, breaks, size in rows:
        sums[key] = (sums[key][0] + breaks, sums[key][1] + size)
    return dict(sums)


def objects_of(report):
    return added_up(((item["group"] or item["name"], item["type"], item["kind"]), item["breaks"], item["copied_bytes"])
                    for item in report["objects"] if item["breaks"])


def types_of(report):
    return added_up(((item["type"], item["kind"]), item["breaks"], item["copied_bytes"]) for item in report["objects"] if item["breaks"])


def mappings_of(report):
    return added_up((row["label"], row["breaks"], row["copied_bytes"]) for row in report["mappings"])


def roles_of(report):
    parents = {process["process"]: process["parent"] for process in report["processes"]}

    def generation(key):
        return 0 if parents[key] is None else 1 + generation(parents[key])

    return added_up(((process["command"], generation(process["process"])), process["breaks"], process["copied_bytes"])
                    for process in report["processes"])


def sites_of(report):
    def name(frame):
        return frame["function"] if frame["why_unnamed"] is None else "(no name)"

    return added_up((tuple((name(frame), frame["file"], frame["line"], frame["module"]) for frame in site["stack"]),
                     site["breaks"], site["copied_bytes"]) for site in report["sites"])


# Section of a diff -> key of its rows, and the same from a report.
SECTIONS = {
    "causes": (lambda row: row["cause"], causes_of),
    "objects": (lambda row: (row["name"], row["type"], row["kind"]), objects_of),
    "types": (lambda row: (row["type"], row["kind"]), types_of),
    "mappings": (lambda row: row["label"], mappings_of),
    "roles": (lambda row: (row["command"], row["generation"]), roles_of),
}


class Page(html.parser.HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.content = collections.Counter(), [], collections.defaultdict(str)
        self.inside = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.inside = tag if tag in ("style", "script") else None

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside:
            self.content[self.inside] += data


class Diff(IntegrationTest):
    def record(self, name, *command):
        """A trace, and the report of the same run."""
        trace, report = self.directory / f"{name}.cow", self.directory / f"{name}.json"
        done = self.cowtrace("run", "-q", "-o", trace, "-o", report, "--", *command, env={**os.environ, "PYTHONHASHSEED": "0"})
        self.assertEqual(done.returncode, 0, done.stderr)
        return trace, load(report)

    def diff(self, *arguments, status=0):
        done = self.cowtrace("diff", *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        if status == 0:
            self.assertEqual(done.stderr, b"")
        else:
            self.assertEqual(done.stdout, b"")
            self.assert_one_error_line(done.stderr)
        return done.stdout.decode("utf-8") if status == 0 else done.stderr.decode("utf-8")

    def diff_json(self, *arguments):
        found = json.loads(self.diff(*arguments, "--format", "json"))
        self.assertEqual([f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(sampled(found))], [])
        return found


def lists(*sides):
    return [",".join(str(path) for path, _ in side) for side in sides]


class GcFreeze(Diff):
    """The example that the advice is about, without it and with it."""

    def setUp(self):
        super().setUp()
        self.before, self.after = (
            [self.record(f"{side}{number}", PYTHON, "-B", figures.PROGRAMS / run.program) for number in range(RUNS)]
            for side, run in zip(("before", "after"), figures.PAIRS["gc-freeze"][1:]))

    def check_against_reports(self, found, before, after):
        sides = {"before": before, "after": after}
        for side, runs in sides.items():
            totals = [report["totals"] for _, report in runs]
            for key in ("breaks", "copied_bytes", "inherited_bytes", "still_shared_bytes"):
                self.assertEqual(found["totals"][key][side], spread([one[key] for one in totals]), key)
            self.assertEqual([run["copied_bytes"] for run in found[side]], [one["copied_bytes"] for one in totals])
            for section, (key_of, figures_of) in SECTIONS.items():
                by_run = [figures_of(report) for _, report in runs]
                rows = {key_of(row): row for row in found[section]}
                self.assertEqual(len(rows), len(found[section]), f"{section}: names are not unique")
                self.assertLessEqual(set().union(*by_run), set(rows))
                for key, row in rows.items():
                    for member, place in (("breaks", 0), ("copied_bytes", 1)):
                        expected = spread([run.get(key, (0, 0))[place] for run in by_run])
                        self.assertEqual(row[member][side], expected, f"{section} {key}")
        for section in (*SECTIONS, "sites"):
            for row in found[section]:
                for change in (row["breaks"], row["copied_bytes"]):
                    self.assertEqual(change["difference"], change["after"]["median"] - change["before"]["median"])

    def check_sites(self, found):
        """Sites whose lines did not move are those of the reports; all of them add up."""
        rows = {tuple((frame["function"], frame["file"], frame["line"], frame["module"]) for frame in row["stack"]): row
                for row in found["sites"]}
        (_, before), (_, after) = self.before[0], self.after[0]
        for side, report in (("before", before), ("after", after)):
            sites = sites_of(report)
            self.assertEqual(sum(row["copied_bytes"][side]["median"] for row in found["sites"]), sum(size for _, size in sites.values()))
            same = [key for key in sites if key in rows]
            self.assertTrue(same)
            for key in same:
                self.assertEqual(rows[key]["copied_bytes"][side]["median"], sites[key][1], key)

    def test_the_saving_its_cause_and_its_objects(self):
        found = self.diff_json(*lists(self.before, self.after))
        self.check_against_reports(found, self.before, self.after)
        copied = found["totals"]["copied_bytes"]
        self.assertLess(copied["difference"] * -1, copied["before"]["median"])
        self.assertLess(copied["difference"], -10 << 20)
        self.assertIs(copied["noise"], False)
        self.assertRegex(found["headline"], r"\Asaved \d+\.\d MiB of \d+\.\d MiB copied \(\d+%\): ")
        # The cause: the headers of the garbage collector, none of which is written any more.
        cause = found["causes"][0]
        self.assertEqual((cause["cause"], cause["copied_bytes"]["noise"]), ("gc-header", False))
        self.assertGreater(cause["copied_bytes"]["difference"], 1.2 * copied["difference"])
        self.assertLess(cause["copied_bytes"]["difference"], 0.8 * copied["difference"])
        # The objects: what the program made at its start.
        saved = sum(row["copied_bytes"]["difference"] for row in found["objects"] if row["name"].startswith("__main__.ROUTES"))
        self.assertLess(saved, 0.5 * copied["difference"])
        self.assertTrue(found["objects"][0]["name"].startswith("__main__.ROUTES"), found["objects"][0])
        # The workers saved it.
        workers = next(row for row in found["roles"] if row["generation"] == 1)
        self.assertEqual(workers["processes"]["before"], {"median": 4, "min": 4, "max": 4})
        self.assertLess(workers["copied_bytes"]["difference"], 0.9 * copied["difference"])
        # The advice was followed.
        (advice,) = [row for row in found["advice"] if row["id"] == "gc-freeze"]
        self.assertEqual((advice["before"]["runs"], advice["after"]["runs"], advice["after"]["saves_at_most_bytes"]), (RUNS, 0, None))
        self.assertGreaterEqual(advice["before"]["saves_at_most_bytes"]["median"] + 5 * NOISE, -copied["difference"])
        # It is another program, which is said.
        self.assertTrue(any("command differs" in warning and "gc_freeze_after.py" in warning for warning in found["warnings"]))

        back = self.diff_json(*lists(self.after, self.before))
        self.assertEqual(back["totals"]["copied_bytes"]["difference"], -copied["difference"])
        self.assertIn("cost ", back["headline"])

        one = self.diff_json(self.before[0][0], self.after[0][0])
        self.check_against_reports(one, self.before[:1], self.after[:1])
        self.check_sites(one)
        self.assertIsNone(one["totals"]["copied_bytes"]["noise"])
        self.assertIs(one["noise"]["known"], False)

        self.check_text()
        self.check_page()

    def check_text(self):
        for sides, words in ((lists(self.before, self.after), "marked ~"), ((self.before[0][0], self.after[0][0]), "one run a side")):
            text = self.diff(*sides)
            lines = text.splitlines()
            self.assertRegex(lines[0], r"\Asaved \d+\.\d MiB of ")
            self.assertIn("most of it: cause gc-header -", text)
            self.assertLess(text.index("! the command differs"), text.index("\nTotals\n"))
            self.assertIn(words, text)
            self.assertLessEqual(max(map(len, lines)), 80)
            self.assertEqual(text, self.diff(*sides), "the same files give the same text")

    def check_page(self):
        path = self.directory / "diff.html"
        self.assertEqual(self.diff(*lists(self.before, self.after), "-o", path), "")
        page = Page(path.read_text(encoding="utf-8"))
        (policy,) = [value for tag, name, value in page.attributes if tag == "meta" and name == "content" and "default-src" in value]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        for part in ("style", "script"):
            self.assertEqual(page.tags[part], 1)
            digest = base64.b64encode(hashlib.sha256(page.content[part].encode("utf-8")).digest()).decode("ascii")
            self.assertIn(f"{part}-src 'sha256-{digest}'", policy)
        self.assertEqual([one for one in page.attributes if one[1] in ("src", "href", "style") or one[1].startswith("on")], [])
        self.assertIn("gc-header", path.read_text(encoding="utf-8"))


class Scenarios(Diff):
    def test_files_are_what_is_shown(self):
        sides = lists(*([self.record(f"{side}{number}", SCENARIO, "mutate", "--pages", pages) for number in range(2)]
                        for side, pages in (("before", 90), ("after", 30))))
        names = {name: self.directory / f"out.{suffix}" for name, suffix in (("text", "txt"), ("json", "json"), ("html", "html"))}
        options = [word for path in names.values() for word in ("-o", path)]
        self.assertEqual(self.diff(*sides, *options), "")
        for name, path in names.items():
            self.assertEqual(path.read_text(encoding="utf-8"), self.diff(*sides, "--format", name))
        self.assertEqual(self.diff(*sides, "-o", "-"), self.diff(*sides))
        self.assertIn("\x1b[", self.diff(*sides, "--color", "always"))

    def test_runs_that_differ_in_nothing(self):
        sides = [[self.record(f"{side}{number}", SCENARIO, "mutate", "--pages", 200) for number in range(RUNS)] for side in "ab"]
        found = self.diff_json(*lists(*sides))
        self.assertEqual(found["warnings"], [])
        self.assertIs(found["noise"]["known"], True)
        for section in ("causes", "objects", "types", "sites", "mappings", "roles"):
            for row in found[section]:
                change = row["copied_bytes"]
                self.assertTrue(change["noise"] or abs(change["difference"]) <= NOISE, (section, row))
        (buffer,) = [row for row in found["objects"] if row["name"] == "buffer"]
        self.assertEqual((buffer["breaks"]["before"]["min"], buffer["breaks"]["difference"], buffer["breaks"]["noise"]), (400, 0, True))
        self.assertRegex(found["headline"], r"\A(no difference|saved \d+\.\d KiB|cost \d+\.\d KiB)")

    def test_what_makes_sides_hard_to_compare(self):
        first, _ = self.record("first", SCENARIO, "mutate", "--pages", 50)
        trace = self.directory / "counts.cow"
        done = self.cowtrace("run", "-q", "--detail", "counts", "--snapshot", "passive", "-o", trace, "--", SCENARIO, "mutate",
                             "--pages", 50, "--children", 3)
        self.assertEqual(done.returncode, 0, done.stderr)
        warnings = "\n".join(self.diff_json(first, trace)["warnings"])
        for words in ("the command differs", "--detail differs: events before, counts after", "--snapshot differs: exact before, passive after",
                      "the number of processes differs: 3 before, 4 after"):
            self.assertIn(words, warnings)
        self.assertIn("are the same run", self.diff(first, f"{trace},{first}"))

        cut = self.directory / "cut.cow"
        content = first.read_bytes()
        cut.write_bytes(content[: len(content) * 3 // 4])
        self.assertIn("cut.cow: its recording was cut off", self.diff(cut, trace))

    def test_names_that_are_markup(self):
        program = self.directory / "<b>&\x1b[31m.sh"
        program.write_text("#!/bin/sh\n(x=1)\n(y=2)\n", encoding="utf-8")
        program.chmod(0o755)
        trace, _ = self.record("markup", program)
        other, _ = self.record("other", SCENARIO, "mutate", "--pages", 50)
        page = self.diff(trace, other, "--format", "html")
        self.assertIn("&lt;b&gt;&amp;", page)
        self.assertEqual((Page(page).tags["b"], page.count("\x1b")), (0, 0))
        self.assertNotIn("\x1b", self.diff(trace, other))


class Schema(unittest.TestCase):
    def test_the_golden_diff_is_valid(self):
        golden = load(SOURCE / "tests" / "golden" / "diff" / "several.json")
        self.assertEqual([f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(golden)], [])
        del golden["causes"][0]["breaks"]["noise"]
        self.assertEqual(len(list(VALIDATOR.iter_errors(golden))), 1)


class Usage(Diff):
    def test_wrong_uses(self):
        trace, _ = self.record("x", SCENARIO, "mutate", "--pages", 20)
        for arguments, words in (
            ((), "BEFORE"),
            ((trace,), "AFTER"),
            ((trace, trace, trace), ""),
            ((trace, trace, "--no-such-option"), "--no-such-option"),
            ((f"{trace},", trace), "empty"),
            ((trace, ""), "empty"),
            ((trace, trace, "-o", self.directory / "x.pb.gz"), ".txt, .json, .html"),
            ((trace, trace, "-o", self.directory / "absent" / "x.txt"), "No such file or directory"),
            ((trace, trace, "--format", "folded"), "text, json, html"),
            ((trace, trace, "--color", "mauve"), "mauve"),
            ((trace, trace, "--", "true"), "no command"),
        ):
            with self.subTest(arguments):
                self.assertIn(words, self.diff(*arguments, status=2))

    def test_what_cannot_be_read(self):
        trace, _ = self.record("x", SCENARIO, "mutate", "--pages", 20)
        other = self.directory / "no trace.cow"
        other.write_text("not a trace", encoding="utf-8")
        kept = self.directory / "kept.txt"
        kept.write_text("keep me", encoding="utf-8")
        for arguments in ((self.directory / "absent.cow", trace), (trace, self.directory / "absent.cow"), (trace, f"{trace},{other}"),
                          (trace, self.directory)):
            with self.subTest(arguments):
                self.diff(*arguments, "-o", kept, status=1)
        self.assertEqual(kept.read_text(encoding="utf-8"), "keep me")
        self.assertIn("full.html", self.diff(trace, trace, "-o", self.full_disk() / "full.html", status=1))

    def test_a_name_with_a_comma(self):
        trace, _ = self.record("a,b", SCENARIO, "mutate", "--pages", 20)
        self.assertRegex(self.diff(trace, trace), r"(?m)^no difference: ")


if __name__ == "__main__":
    unittest.main(verbosity=2)
