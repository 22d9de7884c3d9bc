#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of docs/performance.md from docs/performance/scaling.json and peers.json, which scaling.py and bench.py write.

Usage: refresh.py SOURCE             then tests/bench/plot.py for the pictures
       refresh.py --check SOURCE     are the tables and the pictures those of the figures?
"""
import json
import pathlib
import sys

import comparison
from plot import fingerprint

END = "<!-- end of figures -->"


def amount(value, unit):
    if unit == "s":
        return f"{value * 1e3:.0f} ms" if value < 1 else f"{value:.1f} s"
    return f"{value / 1e6:.1f} MB" if value < 1e7 else f"{value / 1e6:.0f} MB"


def table(figures):
    """For each machine a row for each quantity, of its smallest and its largest size."""
    by_machine = {}
    for curve in figures["curves"].values():
        by_machine.setdefault((curve["rounds"], curve["machine"]), []).append(curve)
    return "\n".join(table_of(*where, curves) for where, curves in by_machine.items())


def table_of(rounds, machine, curves):
    rows = ["| by | of | at | | at | | slope | last decade |", "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for curve in curves:
        least, most = (f"{size:,}" for size in (curve["sizes"][0], curve["sizes"][-1]))
        for quantity in curve["quantities"].values():
            first, last = (amount(quantity["medians"][index], quantity["unit"]) for index in (0, -1))
            found = quantity["slopes"]
            title = quantity["title"].replace("--stacks none", "`--stacks none`")
            rows.append(f"| {curve['unit']} | {title} | {least} | {first} | {most} | {last} | {found['all']:.2f} | {found['last_decade']:.2f} |")
    return "\n".join([f"Medians of {rounds} rounds on {machine}:", "", *rows]) + "\n"


TABLES = (  # its name in the page, whose figures, what makes it
    ("targets", "peers.json", comparison.targets),
    ("peers", "peers.json", comparison.peers),
    ("scaling", "scaling.json", table),
)


def begin(name):
    return f"<!-- figures: {name}, by tests/bench/refresh.py -->"


def figures_of(source, file):
    return json.loads((source / "docs/performance" / file).read_text(encoding="utf-8"))


def with_table(text, name, made):
    before, _, rest = text.partition(begin(name))
    _, _, after = rest.partition(END)
    return f"{before}{begin(name)}\n{made}{END}{after}"


def check(source, page):
    text = page.read_text(encoding="utf-8")
    faults = [f"docs/performance.md: the table '{name}' is not that of docs/performance/{file}: run tests/bench/refresh.py"
              for name, file, make in TABLES if begin(name) not in text or with_table(text, name, make(figures_of(source, file))) != text]
    for name, curve in figures_of(source, "scaling.json")["curves"].items():
        picture = f"pictures/performance-{name}.svg"
        path = source / "docs" / picture
        if not path.exists() or fingerprint(curve) not in path.read_text(encoding="utf-8"):
            faults.append(f"docs/{picture} is not that of docs/performance/scaling.json: run tests/bench/plot.py")
        if f"({picture})" not in text:
            faults.append(f"docs/performance.md does not show {picture}")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def main(arguments):
    checks = arguments[1:2] == ["--check"]
    if len(arguments) != 2 + checks:
        print(__doc__, file=sys.stderr)
        return 2
    source = pathlib.Path(arguments[-1])
    page = source / "docs" / "performance.md"
    if checks:
        return check(source, page)
    text = page.read_text(encoding="utf-8")
    for name, file, make in TABLES:
        text = with_table(text, name, make(figures_of(source, file)))
    page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
