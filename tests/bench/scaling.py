#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How what tracing costs grows with breaks, processes, objects and entries of a dict: a curve each, measured at several sizes.

usage: scaling.py --bin DIRECTORY [--rounds N] [--only CURVE]... [--quick] [--json FILE]

Each figure is the median over the rounds, of cowtrace as a whole: nothing is taken off for its start. A slope is the exponent that the figures grow
with, fitted by least squares to the logarithms: 1 is in proportion, 2 is with the square. Two are told, over all sizes and over the last decade,
because what a start costs flattens the first. Exit status: 0 no slope is above the budget, 1 one is, 2 used wrongly.
"""
import argparse
import dataclasses
import json
import math
import os
import pathlib
import statistics
import sys
import tempfile
import typing

import measure
import python_bench
from bench import lost, machine, print_columns, written

STEEPEST = 1.1
STORM_CHILDREN = 4     # a million breaks then need 5 GB
PAGES_OF_A_CHILD = 20  # as tests/limits/test_children.py
PAGES_OF_OBJECTS = 2000


@dataclasses.dataclass(frozen=True)
class Curve:
    """`measure(bench, size)` gives the size that it really had, and its figures by the keys of `quantities`: (title, unit: "s" or "bytes")."""
    sizes: tuple
    unit: str
    measure: typing.Callable
    quantities: dict


class Bench:
    def __init__(self, binaries, scratch):
        self.bin, self.scratch = binaries.resolve(), scratch

    def traced(self, options, *command, answer=b""):
        """The costs of `cowtrace OPTIONS -- COMMAND`, and the bytes of the file that it wrote."""
        cost = measure.run([str(self.bin / "cowtrace"), *(str(self.scratch / word) if word.startswith("FILE.") else word for word in options), "--",
                            *map(str, command)], self.scratch, answer=answer)
        if cost.status != 0:
            raise RuntimeError(f"cowtrace {' '.join(options)}: status {cost.status}: {cost.stderr.strip()[-400:]}")
        if lost(cost.stderr):
            raise RuntimeError(f"cowtrace {' '.join(options)} lost {lost(cost.stderr)} events: its costs are not those of all breaks")
        files = list(self.scratch.glob("FILE.*"))
        size = sum(path.stat().st_size for path in files)
        for path in files:
            path.unlink()
        return cost, size

    def program(self, name):
        return self.bin.parent / "tests" / "programs" / name


def breaks(bench, size):
    storm = (bench.bin / "scenario", "storm", "--pages", size // STORM_CHILDREN, "--children", STORM_CHILDREN)
    bare, _ = bench.traced(["--stacks", "none"], *storm)
    text, _ = bench.traced([], *storm)
    as_json, _ = bench.traced(["-q", "-o", "FILE.json"], *storm)
    trace, trace_bytes = bench.traced(["-q", "-o", "FILE.cow"], *storm)
    count, _ = written(text.stdout)
    return count, {"bare_cpu_s": bare.cpu_s, "cpu_s": text.cpu_s, "json_cpu_s": as_json.cpu_s, "trace_cpu_s": trace.cpu_s,
                   "bare_after_s": bare.after_s, "after_s": text.after_s, "json_after_s": as_json.after_s, "trace_after_s": trace.after_s,
                   "bare_peak_bytes": bare.peak_bytes, "peak_bytes": text.peak_bytes, "json_peak_bytes": as_json.peak_bytes, "trace_bytes": trace_bytes}


def of_text_report(cost):
    return {"cpu_s": cost.cpu_s, "after_s": cost.after_s, "peak_bytes": cost.peak_bytes}


def processes(bench, size):
    cost, _ = bench.traced([], bench.program("family_sizes"), "children", size, PAGES_OF_A_CHILD, answer=b"\n")
    return size, of_text_report(cost)


def registered(bench, size):
    cost, _ = bench.traced([], bench.program("objects_many"), size, PAGES_OF_OBJECTS)
    return size, of_text_report(cost)


def dict_entries(bench, size):
    program = ("/usr/bin/python3", pathlib.Path(__file__).with_name("dict_table.py"), size)
    text, _ = bench.traced([], *program)
    as_json, _ = bench.traced(["-q", "-o", "FILE.json"], *program)
    html, _ = bench.traced(["-q", "-o", "FILE.html"], *program)
    return size, {**of_text_report(text), "json_cpu_s": as_json.cpu_s, "html_cpu_s": html.cpu_s, "json_peak_bytes": as_json.peak_bytes,
                  "html_peak_bytes": html.peak_bytes}


def python_objects(bench, size):
    cost = python_bench.cost_of(bench.bin.parent / "tests" / "bench" / "heap_cost", "/usr/bin/python3", size, rounds=1)
    return cost["objects"], {"image_s": cost["image_s"], "walk_s": cost["walk_s"], "named_s": cost["walk_s"] + cost["groups_s"], "peak_bytes": cost["rss_peak"]}


CPU, AFTER, PEAK = ("own CPU", "s"), ("from the command's end to the report", "s"), ("peak memory", "bytes")
CURVES = {
    "breaks": Curve((10_000, 30_000, 100_000, 300_000, 1_000_000), "breaks", breaks, {
        "bare_cpu_s": ("own CPU, --stacks none", "s"), "cpu_s": CPU, "json_cpu_s": ("own CPU, JSON", "s"), "trace_cpu_s": ("own CPU, trace file", "s"),
        "bare_after_s": ("to the report, --stacks none", "s"), "after_s": AFTER, "json_after_s": ("to the JSON report", "s"),
        "trace_after_s": ("to the trace file", "s"), "bare_peak_bytes": ("peak memory, --stacks none", "bytes"), "peak_bytes": PEAK,
        "json_peak_bytes": ("peak memory, JSON", "bytes"), "trace_bytes": ("trace file", "bytes")}),
    "processes": Curve((1, 10, 100, 300, 1000), "children", processes, {"cpu_s": CPU, "after_s": AFTER, "peak_bytes": PEAK}),
    "python": Curve((10_000, 100_000, 1_000_000, 5_000_000), "Python objects", python_objects, {
        "image_s": ("image, CPU", "s"), "walk_s": ("walk, CPU", "s"), "named_s": ("walk and names of groups, CPU", "s"), "peak_bytes": PEAK}),
    "dict": Curve((20_000, 60_000, 200_000, 600_000, 2_000_000), "entries of a dict", dict_entries, {
        "cpu_s": CPU, "json_cpu_s": ("own CPU, JSON", "s"), "html_cpu_s": ("own CPU, HTML", "s"), "after_s": AFTER, "peak_bytes": PEAK,
        "json_peak_bytes": ("peak memory, JSON", "bytes"), "html_peak_bytes": ("peak memory, HTML", "bytes")}),
    "registered": Curve((1000, 10_000, 100_000, 1_000_000), "registered objects", registered, {"cpu_s": CPU, "after_s": AFTER, "peak_bytes": PEAK}),
}


def slope(sizes, values):
    """Of the line through the logarithms that has the least squares; None where there is none."""
    points = [(math.log(size), math.log(value)) for size, value in zip(sizes, values) if value > 0]
    if len(points) < 2:
        return None
    x0, y0 = (statistics.fmean(column) for column in zip(*points))
    return sum((x - x0) * (y - y0) for x, y in points) / sum((x - x0) ** 2 for x, _ in points)


def slopes(sizes, values):
    last = [(size, value) for size, value in zip(sizes, values) if size >= sizes[-1] * 0.099]  # what was asked for is not always met to the object
    return {"all": rounded(slope(sizes, values)), "last_decade": rounded(slope(*zip(*last)))}


def rounded(value):
    """To four digits: the rest is noise."""
    return None if value is None else float(f"{value:.4g}")


def curve_result(curve, rounds):
    """`rounds`: of each size, in each round, what `measure` gave."""
    sizes = [round(statistics.median(row[index][0] for row in rounds)) for index in range(len(rounds[0]))]
    result = {"unit": curve.unit, "sizes": sizes, "quantities": {}}
    for key, (title, unit) in curve.quantities.items():
        samples = [[rounded(row[index][1][key]) for row in rounds] for index in range(len(sizes))]
        medians = [statistics.median(values) for values in samples]
        result["quantities"][key] = {"title": title, "unit": unit, "samples": samples, "medians": medians, "slopes": slopes(sizes, medians)}
    return result


def amount(value, unit):
    return f"{value:.3f} s" if unit == "s" else f"{value / 1e6:.1f} MB"


def print_curve(name, result):
    print(f"\n{name}: by {result['unit']}")
    rows = [["", *(f"{size:,}" for size in result["sizes"]), "slope", "last decade"]]
    for quantity in result["quantities"].values():
        found = quantity["slopes"]
        rows.append([quantity["title"], *(amount(value, quantity["unit"]) for value in quantity["medians"]),
                     *("-" if found[key] is None else f"{found[key]:.2f}" for key in ("all", "last_decade"))])
    print_columns(rows)
    sys.stdout.flush()


def steepest(result):
    """(slope, what it is of) of the steepest quantity."""
    return max((value, quantity["title"]) for quantity in result["quantities"].values() for value in quantity["slopes"].values() if value is not None)


def check_budgets(results):
    good = True
    for name, result in results.items():
        value, title = steepest(result)
        kept = value <= STEEPEST
        good = good and kept
        print(f"{'kept' if kept else 'MISSED':6}  steepest slope by {result['unit']}, {title}: {value:.2f} of {STEEPEST}")
    return good


def write(path, results):
    """The curves that `results` does not have stay as they are in the file; they come in the order of CURVES."""
    known = json.loads(path.read_text(encoding="utf-8"))["curves"] if path.exists() else {}
    known |= results
    curves = {name: known[name] for name in CURVES if name in known}
    path.write_text(json.dumps({"steepest": STEEPEST, "curves": curves}, indent=1) + "\n", encoding="utf-8")


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="directory of cowtrace and scenario")
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    parser.add_argument("--only", choices=CURVES, action="append", metavar="CURVE", help="one of %(choices)s; repeatable")
    parser.add_argument("--quick", action="store_true", help="one round, without the sizes above a tenth of the largest")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write every sample, the medians and the slopes too; other curves in FILE stay")
    arguments = parser.parse_args(argv)
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    if os.geteuid() != 0:
        parser.error("needs root, to trace: run it with sudo")
    return arguments


def main(argv):
    arguments = parse(argv)
    rounds = 1 if arguments.quick else arguments.rounds
    where = {"machine": machine(), "load": os.getloadavg()[0], "rounds": rounds}
    print(f"{where['machine']}; load {where['load']:.1f}; {rounds} rounds", flush=True)
    results = {}
    with tempfile.TemporaryDirectory(prefix="cowtrace-bench-") as scratch:
        bench = Bench(arguments.bin, pathlib.Path(scratch))
        for name in arguments.only or CURVES:
            curve = CURVES[name]
            sizes = [size for size in curve.sizes if not arguments.quick or size * 10 <= curve.sizes[-1]]
            results[name] = where | curve_result(curve, [[curve.measure(bench, size) for size in sizes] for _ in range(rounds)])
            print_curve(name, results[name])
    print()
    good = check_budgets(results)
    if arguments.json:
        write(arguments.json, results)
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (RuntimeError, OSError) as error:
        print(f"scaling.py: {error}", file=sys.stderr)
        sys.exit(1)
