#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Slopes of curves whose exponent is known, what keeps a budget of them, and tables that are not those of their figures. Measures nothing."""
import contextlib
import io
import json
import pathlib
import tempfile
import unittest

import plot
import refresh
import scaling

SIZES = (1_000, 10_000, 30_000, 100_000)


def result_of(cost):
    """A curve whose three rounds are the cost of each size, a tenth less and a tenth more."""
    curve = scaling.Curve(SIZES, "things", None, {"cost_s": ("cost", "s")})
    return scaling.curve_result(curve, [[(size, {"cost_s": cost(size) * factor}) for size in SIZES] for factor in (1.1, 1, 0.9)])


def peer(ratio):
    return {"bpf_ns_per_break": 400.0, "write_ratio": ratio, "lost": 0}


PEERS = {"machine": "one", "pages": 30000, "children": 2, "arguments": {"rounds": 3, "tasks": 7}, "table": {"one tracer": peer(1.25)},
         "least": {"one tracer": peer(1.2)}, "most": {"one tracer": peer(1.3)},
         "targets": [{"what": "a thing", "limit": 0.5, "unit": "s", "measured": 0.75, "kept": False}]}


class Scaling(unittest.TestCase):
    def assert_slopes(self, cost, over_all, last_decade):
        found = result_of(cost)["quantities"]["cost_s"]["slopes"]
        self.assertAlmostEqual(found["all"], over_all, places=2)
        self.assertAlmostEqual(found["last_decade"], last_decade, places=2)

    def test_exponents(self):
        self.assert_slopes(lambda size: 3e-6 * size, 1, 1)
        self.assert_slopes(lambda size: 2e-9 * size**2, 2, 2)
        self.assert_slopes(lambda size: 0.5, 0, 0)

    def test_only_the_last_decade_shows_what_a_start_hides(self):
        found = result_of(lambda size: 1 + 1e-9 * size**2)["quantities"]["cost_s"]["slopes"]
        self.assertLess(found["all"], scaling.STEEPEST)
        self.assertGreater(found["last_decade"], scaling.STEEPEST * 0.9)

    def test_medians_and_samples(self):
        cost = result_of(lambda size: size / 1000)["quantities"]["cost_s"]
        self.assertEqual(cost["medians"], [1, 10, 30, 100])
        self.assertEqual(cost["samples"][0], [1.1, 1, 0.9])

    def test_what_was_not_measured_has_no_slope(self):
        self.assertIsNone(scaling.slope((1, 10), (0, 5)))

    def test_curves_that_were_not_measured_stay_in_the_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "figures.json"
            scaling.write(path, {"python": "old", "breaks": "old"})
            scaling.write(path, {"python": "new", "dict": "new"})
            self.assertEqual(list(json.loads(path.read_text(encoding="utf-8"))["curves"].items()),
                             [("breaks", "old"), ("python", "new"), ("dict", "new")])

    def test_budget(self):
        for exponent, kept in ((1.0, True), (1.09, True), (1.2, False)):
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                self.assertEqual(scaling.check_budgets({"things": result_of(lambda size, exponent=exponent: size**exponent)}), kept)
            self.assertIn("kept" if kept else "MISSED", said.getvalue())


class Refresh(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source = pathlib.Path(folder.name)
        (self.source / "docs/performance").mkdir(parents=True)
        (self.source / "docs/pictures").mkdir()
        self.page = self.source / "docs/performance.md"
        self.page.write_text("".join(f"{refresh.begin(name)}\n{refresh.END}\n" for name, _, _ in refresh.TABLES) + "![](pictures/performance-things.svg)\n")
        (self.source / "docs/performance/peers.json").write_text(json.dumps(PEERS))
        self.write(result_of(lambda size: size / 1000) | {"machine": "one", "rounds": 3})
        (self.source / "docs/pictures/performance-things.svg").write_text(plot.fingerprint(self.curve))
        refresh.main(["", str(self.source)])

    def write(self, curve):
        self.curve = curve
        (self.source / "docs/performance/scaling.json").write_text(json.dumps({"curves": {"things": curve}}))

    def check(self):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            status = refresh.main(["", "--check", str(self.source)])
        self.assertEqual(status, 1 if said.getvalue() else 0)
        return said.getvalue()

    def test_a_row_of_smallest_and_largest(self):
        self.assertIn("| things | cost | 1,000 | 1.0 s | 100,000 | 100.0 s | 1.00 | 1.00 |\n", self.page.read_text())
        self.assertIn("| one tracer | 400 ns |  | 1.25 (1.20 to 1.30) |  |  |  |  | 0 |\n", self.page.read_text())
        self.assertIn("| a thing | 0.5 s | 0.75 s | missed |\n", self.page.read_text())
        self.assertEqual(self.check(), "")

    def test_other_figures_are_found(self):
        self.write(self.curve | result_of(lambda size: size / 500))
        self.assertIn("the table 'scaling' is not that of", self.check())
        self.assertIn("performance-things.svg is not that of", self.check())

    def test_each_machine_has_a_table(self):
        curves = {"things": self.curve, "others": self.curve | {"machine": "two"}}
        made = refresh.table({"curves": curves})
        self.assertEqual([line for line in made.splitlines() if line.startswith("Medians")],
                         ["Medians of 3 rounds on one:", "Medians of 3 rounds on two:"])
        self.assertEqual(made.count("| things | cost |"), 2)

    def test_a_page_without_a_place_or_a_picture_is_found(self):
        self.page.write_text("")
        self.assertIn("the table 'scaling' is not that of", self.check())
        self.assertIn("does not show pictures/performance-things.svg", self.check())


if __name__ == "__main__":
    unittest.main()
