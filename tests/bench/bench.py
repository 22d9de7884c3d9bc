#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What tracing costs: a storm of breaks without a tracer, under cowtrace in its modes, and under bpftrace and perf, in alternating runs.

usage: bench.py --bin DIRECTORY [--pages N] [--children N] [--tasks N] [--rounds N] [--json FILE]

Each figure is the median over the rounds; those that the tracers are compared by have their least and most beside it. "BPF ns/break" is the run time of the tracer's BPF programs over the breaks, "CPU
us/break" the tracer's own user and system time, its report included; both less what they are for the same scenario without
its breaks (`read`): what a break adds. "gross" is the figure before that: start-up, snapshots and symbols with it. "after s": from the end of the traced
command to that of the tracer, to 2 ms. "Pool" is what a Python Pool (pool_work.py) takes over what it takes untraced. "bytes/break": of the
file that it writes. "lost" as the tracer says it; "-" where it says nothing. Exit status: 0 every target (targets.py) is kept, 1 one is not,
2 used wrongly.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import sys
import tempfile

import kernel
import measure
import python_bench
import targets

WRITES = "tracepoint:exceptions:page_fault_user /(args->error_code & 3) == 3/"
COUNT = WRITES + " { @[pid, args->address >> 12] = count(); }"
COUNT_STACKS = WRITES + " { @[pid, args->address >> 12, ustack] = count(); }"
# Where cowtrace's `static` backend stands: what nobody can do for less.
NOTHING = "tracepoint:exceptions:page_fault_user { } software:minor-faults:1 { }"
TRUE = shutil.which("true")
POOL = ["/usr/bin/python3", "-B", str(pathlib.Path(__file__).resolve().parent / "pool_work.py")]
MILLION = 1_000_000
STARTUP_RUNS = 9


def variants(cowtrace):
    """name -> (the words before the traced command, the environment)."""
    many_keys = dict(os.environ, BPFTRACE_MAP_KEYS_MAX=str(4 * MILLION))
    return {
        "no tracer": ([], None),
        "nothing at the same hooks (bpftrace)": (["bpftrace", "-e", NOTHING, "-c"], None),
        "cowtrace --stacks none": ([cowtrace, "--stacks", "none", "--"], None),
        "cowtrace": ([cowtrace, "--"], None),
        "cowtrace --allocators": ([cowtrace, "--allocators", "--"], None),
        "cowtrace --detail counts": ([cowtrace, "--detail", "counts", "--"], None),
        "cowtrace -q -o FILE.json": ([cowtrace, "-q", "-o", "FILE.json", "--"], None),
        "cowtrace -q -o FILE.cow": ([cowtrace, "-q", "-o", "FILE.cow", "--"], None),
        "bpftrace (pid, page)": (["bpftrace", "-e", COUNT, "-c"], many_keys),
        "bpftrace (pid, page, ustack)": (["bpftrace", "-e", COUNT_STACKS, "-c"], many_keys),
        "perf record -d": (["perf", "record", "-q", "-e", "page-faults", "-c", "1", "-d", "-o", "FILE.data", "--"], None),
        "perf record -d -g": (["perf", "record", "-q", "-e", "page-faults", "-c", "1", "-d", "-g", "-o", "FILE.data", "--"], None),
        "perf trace -F all": (["perf", "trace", "-F", "all", "--no-syscalls", "--"], None),
    }


class Bench:
    def __init__(self, arguments, scratch):
        self.arguments = arguments
        self.scratch = scratch
        self.cowtrace, self.scenario = (str((arguments.bin / name).resolve()) for name in ("cowtrace", "scenario"))
        self.variants = variants(self.cowtrace)

    def command(self, words, traced):
        words = [str(self.scratch / word) if word.startswith("FILE.") else word for word in words]
        return [*words, " ".join(traced)] if words and words[-1] == "-c" else [*words, *traced]

    def measured(self, name, traced):
        words, environment = self.variants[name]
        cost = measure.run(self.command(words, traced), self.scratch, environment)
        if cost.status != 0:
            raise RuntimeError(f"{name}: status {cost.status}: {(cost.stderr or cost.stdout).strip()[-400:]}")
        return cost

    def take_file(self):
        """The size of the file that the last tracer wrote, which goes; None if it wrote none."""
        sizes = []
        for path in self.scratch.glob("FILE.*"):
            sizes.append(path.stat().st_size)
            path.unlink()
        return sum(sizes) if sizes else None

    def scenario_command(self, experiment, pages, children):
        return [self.scenario, experiment, "--pages", str(pages), "--children", str(children)]

    def round(self):
        """name -> figures of one storm under each tracer."""
        figures = {}
        pages, children = self.arguments.pages, self.arguments.children
        for name in self.variants:
            traced = name != "no tracer"
            storm = self.measured(name, self.scenario_command("storm", pages, children))
            file_bytes = self.take_file()
            calm = self.measured(name, self.scenario_command("read", pages, children)) if traced else None
            self.take_file()
            pool = self.measured(name, [*POOL, str(self.arguments.tasks)])
            self.take_file()
            figures[name] = self.figures(storm, calm)
            figures[name]["pool_s"] = pool_seconds(pool.stdout)
            figures[name]["file_bytes_per_break"] = file_bytes / figures[name]["breaks"] if file_bytes is not None else None
        return figures

    def figures(self, storm, calm):
        breaks, write_ms = written(storm.stdout)
        found = {"wall_s": storm.wall_s, "write_ns_per_page": write_ms * 1e6 / breaks, "breaks": breaks}
        if calm is not None:
            # perf has no BPF programs.
            has_programs = storm.bpf_runs > 0
            found |= {
                "bpf_ns_per_break": (storm.bpf_ns - calm.bpf_ns) / breaks if has_programs else None,
                "bpf_ns_per_break_gross": storm.bpf_ns / breaks if has_programs else None,
                "bpf_ns_per_run": storm.bpf_ns / storm.bpf_runs if has_programs else None,
                "cpu_us_per_break": (storm.cpu_s - calm.cpu_s) * 1e6 / breaks,
                "cpu_us_per_break_gross": storm.cpu_s * 1e6 / breaks,
                "peak_mb": storm.peak_bytes / 1e6,
                "after_s": storm.after_s,
                "lost": lost(storm.stderr),
                "calm_bpf_ns": calm.bpf_ns,
            }
        return found

    def start_up(self):
        """Seconds that `cowtrace -q -- true` takes longer than `true`."""
        plain, traced = [], []
        for _ in range(STARTUP_RUNS):
            plain.append(measure.wall_seconds([TRUE]))
            traced.append(measure.wall_seconds([self.cowtrace, "-q", "--", TRUE]))
        return statistics.median(traced) - statistics.median(plain)

    def million(self):
        """A million breaks by four children, with default options; the text report, and the JSON report."""
        pages = MILLION // 4
        if available_memory() < 6 * pages * 4096:
            raise RuntimeError("too little free memory for a million breaks: 6 GB are needed")
        found = {}
        for report, name in (("text", "cowtrace"), ("json", "cowtrace -q -o FILE.json")):
            cost = self.measured(name, self.scenario_command("storm", pages, 4))
            self.take_file()
            breaks, _ = written(cost.stdout)
            found |= {f"million_{report}_{key}": value for key, value in
                      (("breaks", breaks), ("peak_mb", cost.peak_bytes / 1e6), ("after_s", cost.after_s),
                       ("cpu_us_per_break", cost.cpu_s * 1e6 / breaks), ("lost", lost(cost.stderr)))}
        return found


def written(stdout):
    """(pages that the scenario says it wrote, milliseconds that its processes took for it, in sum)."""
    rows = re.findall(r"wrote (\d+) pages in ([\d.]+) ms", stdout)
    if not rows:
        raise RuntimeError(f"the scenario does not say what it wrote: {stdout[:200]!r}")
    return sum(int(pages) for pages, _ in rows), sum(float(ms) for _, ms in rows)


def pool_seconds(stdout):
    found = re.search(r"answered \d+ queries in ([\d.]+) s", stdout)
    if not found:
        raise RuntimeError(f"the Pool does not say what it took: {stdout[:200]!r}")
    return float(found[1])


def lost(stderr):
    """Of cowtrace's text report, or what perf and bpftrace warn of; None where nothing is said."""
    found = re.search(r"([\d,]+) lost|[Ll]ost (\d+) (?:events|samples|chunks)|LOST (\d+) events", stderr)
    return int(next(text for text in found.groups() if text).replace(",", "")) if found else None


def available_memory():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))


def machine():
    """What the figures are of, in a line."""
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), os.uname().machine)
    return f"{os.cpu_count()} x {model}, Linux {os.uname().release}"


def add_ratios(figures):
    """Of each tracer to none in the same round, so that what the machine does in a round counts for both."""
    base = figures["no tracer"]
    for each in figures.values():
        each["write_ratio"] = each["write_ns_per_page"] / base["write_ns_per_page"]
        each["pool_ratio"] = each["pool_s"] / base["pool_s"]


def over_rounds(rounds, what):
    """name -> figures, each `what` of those of the rounds."""
    table = {}
    for name in rounds[0]:
        keys = rounds[0][name].keys()
        columns = {key: [each[name][key] for each in rounds if each[name][key] is not None] for key in keys}
        table[name] = {key: what(values) if values else None for key, values in columns.items()}
    return table


SPREAD = ("bpf_ns_per_break", "write_ratio", "pool_ratio")
COLUMNS = (  # head, key, format
    ("BPF ns/break", "bpf_ns_per_break", "{:.0f}"),
    ("gross", "bpf_ns_per_break_gross", "{:.0f}"),
    ("ns/run", "bpf_ns_per_run", "{:.0f}"),
    ("CPU us/break", "cpu_us_per_break", "{:.2f}"),
    ("gross", "cpu_us_per_break_gross", "{:.2f}"),
    ("peak MB", "peak_mb", "{:.0f}"),
    ("write ns/page", "write_ns_per_page", "{:.0f}"),
    ("write ratio", "write_ratio", "{:.2f}"),
    ("Pool s", "pool_s", "{:.2f}"),
    ("Pool ratio", "pool_ratio", "{:.3f}"),
    ("wall s", "wall_s", "{:.2f}"),
    ("after s", "after_s", "{:.2f}"),
    ("bytes/break", "file_bytes_per_break", "{:.1f}"),
    ("lost", "lost", "{:.0f}"),
)


def cell(key, form, figures, least, most):
    if figures.get(key) is None:
        return "-"
    text = form.format(figures[key])
    return f"{text} ({form.format(least[key])}-{form.format(most[key])})" if key in SPREAD and least[key] != most[key] else text


def print_columns(rows):
    """The first column to the left, the others to the right; a row is a list of texts."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print(row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:])), sep="  ")


def print_table(table, least, most):
    rows = [["tracer", *(head for head, _, _ in COLUMNS)]]
    for name, figures in table.items():
        rows.append([name, *(cell(key, form, figures, least[name], most[name]) for _, key, form in COLUMNS)])
    print_columns(rows)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="directory of cowtrace and scenario")
    parser.add_argument("--pages", type=int, default=65536, help="of the storm; default %(default)s")
    parser.add_argument("--children", type=int, default=2, help="default %(default)s")
    parser.add_argument("--tasks", type=int, default=2000, help="of the Python Pool; default %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all figures of all rounds too")
    arguments = parser.parse_args(argv)
    if os.geteuid() != 0:
        parser.error("needs root, to trace: run it with sudo")
    return arguments


def main(argv):
    arguments = parse(argv)
    kernel.mount_tracefs()
    with tempfile.TemporaryDirectory(prefix="cowtrace-bench-") as scratch, kernel.bpf_statistics():
        bench = Bench(arguments, pathlib.Path(scratch))
        print(f"{machine()}; load {os.getloadavg()[0]:.1f}")
        print(f"storm of {arguments.pages} pages, {arguments.children} children, {arguments.rounds} rounds", flush=True)
        rounds = [bench.round() for _ in range(arguments.rounds)]
        for figures in rounds:
            add_ratios(figures)
        table = over_rounds(rounds, statistics.median)
        values = bench.million()
    # With statistics of its own.
    values["python_ns_per_break"] = statistics.median(python_bench.bpf_ns_per_break(bench.cowtrace, POOL[0]) for _ in range(arguments.rounds))
    # Without statistics: they cost each BPF run two clock readings.
    with tempfile.TemporaryDirectory(prefix="cowtrace-bench-") as scratch:
        values["start_up_s"] = Bench(arguments, pathlib.Path(scratch)).start_up()
    # Of the same scenario without its breaks: its parent fills as many new pages either way.
    values["bpf_ns_per_new_page"] = (table["cowtrace --allocators"]["calm_bpf_ns"] - table["cowtrace"]["calm_bpf_ns"]) / arguments.pages
    least, most = over_rounds(rounds, min), over_rounds(rounds, max)
    print_table(table, least, most)
    print(f"--allocators: {values['bpf_ns_per_new_page']:.0f} ns of BPF time more for each new page")
    print(f"a million breaks: {values['million_text_breaks']} breaks, {values['million_text_lost']} lost, "
          f"{values['million_text_cpu_us_per_break']:.2f} us CPU a break of its own, all included")
    found = targets.check(table, values)
    for target in found:
        print(f"{'kept' if target['kept'] else 'MISSED':6}  {target['what']}: {target['measured']:.2f}, target {target['limit']} {target['unit']}")
    if arguments.json:
        result = {"pages": arguments.pages, "children": arguments.children, "machine": machine(), "kernel": os.uname().release, "cpus": os.cpu_count(),
                  "arguments": {"rounds": arguments.rounds, "tasks": arguments.tasks}, "table": table, "least": least, "most": most, "values": values,
                  "targets": found, "rounds": rounds}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0 if all(target["kept"] for target in found) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (RuntimeError, OSError) as error:
        print(f"bench.py: {error}", file=sys.stderr)
        sys.exit(1)
