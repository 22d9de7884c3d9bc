#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the curves of docs/performance.md: an SVG for each curve of scaling.py's figures, the same bytes for the same figures and matplotlib.

usage: plot.py SCALING.json FOLDER      writes FOLDER/performance-CURVE.svg

Points are medians, bars go from the least to the largest sample, the dashed line grows in proportion. Text and axes have the colour of a reader's
light or dark page.
"""
import hashlib
import json
import pathlib
import sys

LICENCE = "<!-- SPDX-License-Identifier: Apache-2.0 -->"
LIGHT, DARK = "#1f2328", "#e6edf3"
INK = "#010203"  # stands for the colour of the page's text until the file is written
STYLE = f"<style>svg{{color:{LIGHT}}}@media (prefers-color-scheme:dark){{svg{{color:{DARK}}}}}</style>"
# Told apart on white, on black and by marker.
SERIES = (("#2f81f7", "o"), ("#d9772b", "s"), ("#2da44e", "^"), ("#c2569b", "D"), ("#8a7de0", "v"), ("#9a8500", "P"), ("#1b9aaa", "X"), ("#d1434b", "*"))
AXES = (("s", "seconds", 1), ("bytes", "MB", 1e6))


def fingerprint(curve):
    """Of a curve's figures; in its picture, so that refresh.py --check can tell an old one."""
    return hashlib.sha256(json.dumps(curve, sort_keys=True).encode()).hexdigest()


def draw(axes, sizes, quantities, unit, scale):
    tallest = 0
    for (colour, marker), quantity in zip(SERIES, quantities):
        medians = [value / scale for value in quantity["medians"]]
        spread = [[max(0, median - min(samples) / scale) for median, samples in zip(medians, quantity["samples"])],
                  [max(0, max(samples) / scale - median) for median, samples in zip(medians, quantity["samples"])]]
        axes.errorbar(sizes, medians, yerr=spread, color=colour, marker=marker, markersize=5, linewidth=1.3, capsize=3,
                      label=f"{quantity['title']} ({quantity['slopes']['last_decade']:.2f})")
        tallest = max(tallest, medians[-1])
    every = [sample / scale for quantity in quantities for samples in quantity["samples"] for sample in samples]
    bottom = min(min(every) / 1.5, tallest / 10)  # a decade at least, so that what stays level looks level
    begin = max(sizes[0], sizes[-1] * bottom / tallest)
    axes.plot([begin, sizes[-1]], [tallest * begin / sizes[-1], tallest], color=INK, linestyle="--", linewidth=1, alpha=0.6, label="in proportion: slope 1")
    axes.set(xscale="log", yscale="log", ylabel=unit, ylim=(bottom, max(every) * 1.5))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
        axis.set_minor_formatter("")
    axes.grid(True, which="major", color=INK, alpha=0.15)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper center", bbox_to_anchor=(0.5, -0.16), title="slope over the last decade in brackets", title_fontsize=8)


def picture(pyplot, name, curve, path):
    panels = [(unit, label, scale, found) for unit, label, scale in AXES
              if (found := [quantity for quantity in curve["quantities"].values() if quantity["unit"] == unit])]
    longest = max(len(found) for _, _, _, found in panels)
    figure, all_axes = pyplot.subplots(1, len(panels), figsize=(9, 3.9 + 0.17 * longest), squeeze=False)
    for axes, (_, label, scale, found) in zip(all_axes[0], panels):
        draw(axes, curve["sizes"], found, label, scale)
        axes.set_xlabel(curve["unit"])
    figure.tight_layout()
    figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None, "Title": f"What tracing costs, by {curve['unit']}",
                                                     "Description": f"figures {fingerprint(curve)}"})
    pyplot.close(figure)
    text = path.read_text(encoding="utf-8").replace(INK, "currentColor")
    declaration, _, rest = text.partition("\n")
    head, defs, rest = rest.partition("<defs>")
    path.write_text(f"{declaration}\n{LICENCE}\n{head}{STYLE}\n {defs}{rest}", encoding="utf-8")


def main(arguments):
    if len(arguments) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    # Here, so that fingerprint() needs no matplotlib.
    import matplotlib  # pylint: disable=import-outside-toplevel
    matplotlib.use("svg")
    from matplotlib import pyplot  # pylint: disable=import-outside-toplevel
    # Text stays text: it has the reader's fonts, and no outlines make the file large.
    pyplot.rcParams.update({"svg.hashsalt": "cowtrace", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
                            **{f"{part}.color": INK for part in ("text", "xtick", "ytick")}, "axes.labelcolor": INK, "axes.edgecolor": INK})
    for name, curve in json.loads(pathlib.Path(arguments[1]).read_text(encoding="utf-8"))["curves"].items():
        picture(pyplot, name, curve, pathlib.Path(arguments[2]) / f"performance-{name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
