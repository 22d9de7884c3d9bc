#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The HTML report in a browser: every view, by mouse and by keyboard, its figures against the JSON report's, hostile names, and how fast it is.

Pictures stay in html-pictures of the build directory.
"""
import base64
import collections
import hashlib
import json
import os
import re
import shutil
import subprocess
import unittest

from support import BIN, SCENARIO, SOURCE, TIMEOUT, IntegrationTest, program

WEB = SOURCE / "tests" / "web"
MODULES = SOURCE / "build" / "web-tests"
PICTURES = BIN.parent / "html-pictures"
MILLION = BIN.parent / "tests" / "bench" / "million_report"
ADVICE = SOURCE / "tests" / "programs" / "advice"
PYTHON = "/usr/bin/python3"
# What a person may wait for; twice that fails. docs/reading-a-report.md has what was measured.
OPEN_MS, ANSWER_MS, LARGEST = 3000, 200, 20 << 20


def human_bytes(value):
    """As the report prints sizes; written here anew, so that a wrong one there does not agree with itself."""
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    index = 0
    while value >= 1024 and index + 1 < len(units):
        value, index = value / 1024, index + 1
    return f"{value} B" if index == 0 else f"{value:.1f} {units[index]}"


class Html(IntegrationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        subprocess.run([WEB / "install.sh", MODULES], check=True, timeout=TIMEOUT)

    def node(self, script, *arguments, timeout=TIMEOUT):
        done = subprocess.run(["node", WEB / script, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False,
                              env={**os.environ, "COWTRACE_WEB_TESTS": str(MODULES)})
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return json.loads(done.stdout)

    def toured(self, name, *command, options=("-q",)):
        """Traces `command` into JSON and HTML, goes through the HTML, and checks what holds for every report."""
        html = self.directory / "report.html"
        trace = self.trace(*command, options=(*options, "-o", html))
        saw = self.node("tour.mjs", html, PICTURES / name)
        self.assertEqual(saw["alert"], 0)
        self.assert_harmless(saw)
        self.assert_figures(saw, trace.report)
        self.assert_tables(saw, trace.report)
        self.assert_usable(saw, trace.report)
        return trace, saw, html.read_text(encoding="utf-8")

    def assert_harmless(self, saw):
        self.assertEqual(saw["errors"], [])
        self.assertEqual(saw["requests"], [])
        self.assertEqual(saw["dialogs"], [])
        self.assertEqual(saw["foreign"], {"scripts": 1, "elements": 0, "handlers": 0, "owned": None})

    def assert_figures(self, saw, report):
        totals = report["totals"]
        self.assertEqual(saw["figures"]["copied"], human_bytes(totals["copied_bytes"]))
        self.assertEqual(saw["figures"]["shared pages broken"], f"{totals['breaks']:,}")
        for label, key in (("inherited", "inherited_bytes"), ("still shared at exit", "still_shared_bytes"), ("written to break them", "written_bytes")):
            self.assertEqual(saw["figures"][label], "–" if totals[key] is None else human_bytes(totals[key]))
        causes = sorted(totals["by_cause"], key=lambda cause: -totals["by_cause"][cause]["bytes"])
        self.assertEqual(sorted(saw["causes"]), sorted(causes))
        self.assertEqual(saw["causes"][0], causes[0])
        self.assertEqual(len(saw["advice"]), len(report["advice"]) + len(report["watches"]))
        for spot in report["capture"]["blind_spots"]:
            self.assertIn(spot, saw["trust"])
        self.assertIn(f"{report['capture']['events']:,} events, {report['capture']['lost_events']:,} lost", saw["trust"])

    def assert_tables(self, saw, report):
        """Each table against the same sums of the JSON report; of long ones the rows that are on the screen."""
        processes = {row[0]: row for row in saw["tables"]["processes"]}
        for process in report["processes"][:20]:
            if str(process["pid"]) in processes:
                row = processes[str(process["pid"])]
                self.assertEqual(row[1], process["command"])
                self.assertEqual(row[4:7], [f"{process['breaks']:,}" if process["breaks"] else "–", human_bytes(process["copied_bytes"]),
                                            "–" if process["still_shared_bytes"] is None else human_bytes(process["still_shared_bytes"])])
        self.assertGreaterEqual(len(processes), min(len(report["processes"]), 15))
        mappings = {row[0]: row for row in saw["tables"]["mappings"]}
        self.assertGreater(len(mappings), 0)
        for mapping in report["mappings"]:
            row = mappings[mapping["label"] or "(not known)"]
            self.assertEqual(row[2:4], [f"{mapping['breaks']:,}", human_bytes(mapping["copied_bytes"])])
        self.assertEqual(saw["tables"]["sitesShown"].split()[0], f"{len(report['sites']):,}")
        for row, site in zip(saw["tables"]["sites"][:1], report["sites"]):
            self.assertEqual(row[2:4], [f"{site['breaks']:,}", human_bytes(site["copied_bytes"])])
            if site["stack"]:
                self.assertIn(site["stack"][0]["function"], row[0])
        types = collections.Counter()
        for item in report["objects"]:
            types[item["type"] or f"({item['kind']})"] += item["breaks"]
        for row in saw["tables"]["types"]:
            if row[0] != "(not known)":
                self.assertEqual(row[2], f"{types[row[0]]:,}", row)

    def assert_usable(self, saw, report):
        for view, seen in saw["views"].items():
            self.assertEqual(seen["selected"], "true", view)
            self.assertTrue(view == "overview" or f"view={view}" in seen["fragment"], seen)
        self.assertTrue(all(colours > 3 for colours in saw["views"]["time"]["colours"]), saw["views"]["time"]["colours"])
        self.assertGreater(saw["views"]["memory"]["colours"], 3)
        self.assertGreater(saw["views"]["flame"]["colours"], 3)
        totals = report["totals"]
        self.assertIn(human_bytes(totals["copied_bytes"]), saw["views"]["flame"]["status"])
        self.assertIn(f"{totals['breaks']:,} breaks", saw["views"]["flame"]["breaks"])
        self.assertEqual(saw["sortedPids"], sorted(saw["sortedPids"]))
        mapping = max(report["mappings"], key=lambda one: one["copied_bytes"])
        label = mapping["label"] or "(not known)"
        keyboard = saw["keyboard"]
        self.assertEqual((keyboard["detail"], keyboard["chips"], keyboard["afterX"], keyboard["afterBack"]), ([label], [label], 0, [label]))
        expected = f"{mapping['breaks']:,} breaks, {human_bytes(mapping['copied_bytes'])} copied of {human_bytes(totals['copied_bytes'])}"
        self.assertEqual(keyboard["sums"], expected)
        self.assertEqual(saw["linked"], {"chips": [label], "sums": expected})
        self.assertEqual((keyboard["help"], keyboard["helpClosed"], keyboard["theme"], saw["systemDark"]), (1, 0, "dark", "dark"))
        self.assertEqual((saw["page"]["open"], saw["page"]["afterEscape"], saw["brush"]["afterEscape"]), (1, 0, 0))
        self.assertIn("Page 0x", saw["page"]["text"])
        self.assert_brushed(saw["brush"], report)
        name, _, _, breaks, copied, _ = saw["group"]["row"]
        self.assertEqual(saw["group"]["chips"], [name])
        self.assertTrue(saw["group"]["sums"].startswith(f"{breaks} break") and f", {copied} copied of" in saw["group"]["sums"], saw["group"])
        for package in ("uplot", "d3-hierarchy"):
            self.assertIn(package, saw["notices"])

    def assert_brushed(self, brush, report):
        """The time of a single break is in no other report but that of pages that broke once: these bound what a brush may keep."""
        start, end = brush["time"]
        inside = sum(page["breaks"] for page in report["pages"] if start <= page["first_ns"] and page["last_ns"] <= end)
        outside = sum(page["breaks"] for page in report["pages"] if page["last_ns"] < start or page["first_ns"] > end)
        kept = int(brush["sums"].split()[0].replace(",", ""))
        self.assertGreaterEqual(kept, inside)
        self.assertLessEqual(kept, report["totals"]["breaks"] - outside)

    def test_a_scenario(self):
        trace, saw, text = self.toured("mutate", SCENARIO, "mutate")
        self.assertEqual(saw["verdict"], "✓ all explained")
        self.assertIn(["buffer", "std::byte[]"], [row[:2] for row in saw["tables"]["objects"]])
        self.assert_policy(text)

    def assert_policy(self, text):
        """Nothing may run or be loaded but these two elements; their hashes are computed here."""
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
        directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))

        def digest(content):
            return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"

        style, = re.findall(r"<style>(.*?)</style>", text, re.S)
        script, = re.findall(r"<script>(.*?)</script>", text, re.S)
        self.assertEqual(directives["default-src"], "'none'")
        self.assertEqual(directives["script-src"], digest(script))
        self.assertEqual(directives["style-src"], digest(style))
        self.assertEqual(len(re.findall("</script", text)), 2)

    def test_a_python_program(self):
        _, saw, _ = self.toured("gc-freeze", PYTHON, ADVICE / "gc_freeze_before.py")
        self.assertEqual(saw["causes"][0], "gc-header")
        self.assertIn("__main__.ROUTES[...]", [row[0] for row in saw["tables"]["objects"]])

    def test_counts(self):
        html = self.directory / "report.html"
        trace = self.trace(SCENARIO, "mutate", options=("-q", "--detail", "counts", "-o", html))
        saw = self.node("tour.mjs", html, PICTURES / "counts")
        self.assert_harmless(saw)
        self.assert_figures(saw, trace.report)
        self.assertIn("not audited", saw["trust"])

    def test_a_page_that_nobody_explains_cannot_be_missed(self):
        html = self.directory / "report.html"
        trace = self.trace(program("remote_write"), "parent", options=("-q", "-o", html))
        unexplained = sum(process["audit"]["unexplained"] for process in trace.processes if process["audit"])
        saw = self.node("tour.mjs", html, PICTURES / "unexplained")
        self.assertEqual(unexplained, 1 if trace.capture["backend"] == "static" else 0)  # the others see who wrote
        if unexplained:
            self.assertEqual(saw["verdict"], f"⚠ {unexplained} page{'' if unexplained == 1 else 's'} unexplained")
            self.assertIn("remote-write", saw["trust"])
        else:
            self.assertEqual(saw["verdict"], "✓ all explained")

    def test_nothing_shared_is_no_success(self):
        html = self.directory / "report.html"
        self.trace("/bin/true", options=("-q", "-o", html))
        self.assertEqual(self.node("tour.mjs", html, PICTURES / "nothing")["verdict"], "○ nothing was shared")

    def test_hostile_names_are_text(self):
        hostile = self.directory / "<img src=x onerror=window.owned=5>.py"
        shutil.copy(SOURCE / "tests" / "programs" / "html_names.py", hostile)
        html = self.directory / "report.html"
        trace = self.trace(PYTHON, hostile, "<script>window.owned=6</script>", options=("-q", "-o", html))
        known = json.dumps(trace.report)
        for name in ("<img src=x onerror=window.owned=2>", "window.owned=3", "<b>pwn</b>", "onerror=window.owned=5"):
            self.assertIn(name, known, "the program did not do what this test is about")
        saw = self.node("tour.mjs", html, PICTURES / "hostile")
        self.assert_harmless(saw)
        self.assert_figures(saw, trace.report)
        self.assertIn("<b>pwn</b>&lt;", [row[1] for row in saw["tables"]["processes"]])
        self.assertTrue(any("<svg onload=window.owned=3>" in row[0] for row in saw["tables"]["objects"]), saw["tables"]["objects"])
        self.assertIn("<b onmouseover=window.owned=4>", [row[0] for row in saw["tables"]["types"]])
        self.assertTrue(any("<script>window.owned=1</script>" in row[0] for row in saw["tables"]["sites"]), saw["tables"]["sites"])
        self.assertNotIn("window.owned", html.read_text(encoding="utf-8"))

    def test_hostile_registry(self):
        html = self.directory / "report.html"
        trace = self.trace(program("hostile_registry"), "all", options=("-q", "-o", html))
        saw = self.node("tour.mjs", html, PICTURES / "hostile-registry")
        self.assert_harmless(saw)
        self.assert_figures(saw, trace.report)

    def test_damaged_data_is_said(self):
        html = self.directory / "report.html"
        self.trace(SCENARIO, "mutate", options=("-q", "-o", html))
        text = html.read_text(encoding="utf-8")
        start = text.index("\n", text.index('id="data"')) + 1
        for damaged in (text[:start + 400] + text[text.index("</script>", start):], text[:start] + "!" + text[start + 1:]):
            html.write_text(damaged, encoding="utf-8")
            saw = self.node("tour.mjs", html, PICTURES / "damaged")
            self.assertEqual((saw["alert"], saw["errors"]), (1, []))

    def test_a_million_breaks(self):
        html = self.directory / "million.html"
        subprocess.run([MILLION, html], check=True, timeout=TIMEOUT)
        self.assertLess(html.stat().st_size, LARGEST)
        measured = self.node("measure.mjs", html)
        self.assertEqual(measured["errors"], [])
        # What the page's own thread ran: the matrix of kernels may take the processors from it meanwhile, which is no property of the page.
        print(json.dumps(measured["milliseconds"]), json.dumps(measured["processor"]), sep="\n")
        times = measured["processor"]
        self.assertGreater(len(times), 20)
        self.assertLess(times.pop("open"), 2 * OPEN_MS)
        self.assertEqual({name: ms for name, ms in times.items() if ms >= 2 * ANSWER_MS}, {})


if __name__ == "__main__":
    unittest.main()
