# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/performance.md that compare cowtrace with other tracers, from what bench.py --json wrote."""

COLUMNS = (  # head, key, its unit in words, how it is shown, whether with its least and most
    ("BPF time a break", "bpf_ns_per_break", "{:.0f} ns", True),
    ("own CPU a break", "cpu_us_per_break", "{:.1f} us", False),
    ("storm", "write_ratio", "{:.2f}", True),
    ("Pool", "pool_ratio", "{:.3f}", True),
    ("after", "after_s", "{:.2f} s", False),
    ("peak memory", "peak_mb", "{:.0f} MB", False),
    ("file, a break", "file_bytes_per_break", "{:.1f} bytes", False),
    ("lost", "lost", "{:.0f}", False),
)


def cell(figures, name, key, form, spread):
    value, least, most = (figures[of][name].get(key) for of in ("table", "least", "most"))
    if value is None:
        return ""
    text = form.format(value)
    number = form.split(" ")[0]
    return f"{text} ({number.format(least)} to {number.format(most)})" if spread and least != most else text


def peers(figures):
    rows = ["| tracer | " + " | ".join(head for head, *_ in COLUMNS) + " |", "| --- |" + " ---: |" * len(COLUMNS)]
    for name in figures["table"]:
        rows.append(f"| {name} | " + " | ".join(cell(figures, name, *column) for _, *column in COLUMNS) + " |")
    about = (f"Medians of {figures['arguments']['rounds']} alternating rounds, with their least and most, on {figures['machine']}; a storm of {figures['pages']:,} pages and "
             f"{figures['children']} children, a Pool of {figures['arguments']['tasks']} tasks:")
    return "\n".join([about, "", *rows]) + "\n"


def targets(figures):
    rows = ["| what | target | measured | |", "| --- | ---: | ---: | --- |"]
    for target in figures["targets"]:
        unit = "" if target["unit"] == "x" else f" {target['unit']}"
        # A third digit where two would look like the target.
        measured = f"{target['measured']:.{3 if round(target['measured'], 2) == target['limit'] else 2}f}"
        rows.append(f"| {target['what']} | {target['limit']}{unit} | {measured}{unit} | {'kept' if target['kept'] else 'missed'} |")
    return "\n".join(rows) + "\n"
