#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of docs/limits.md from the figures of a run of the tests.

Usage: refresh.py SOURCE BUILD      after `ctest -L limits` in BUILD
       refresh.py --check SOURCE    are there a test and a row for each other?
"""
import json
import pathlib
import platform
import sys

BEGIN, END = "<!-- figures: tests/limits/refresh.py -->", "<!-- end of figures -->"
MEMORY_BEGIN, MEMORY_END = "<!-- memory: tests/limits/refresh.py -->", "<!-- end of memory -->"


def pages(figures):
    return f"{figures['written_pages']:,} pages written, {figures['reported_pages']:,} of them reported"


# What was done, the file of its test, and what came of it: from the figures, by their names.
ROWS = (
    ("1,000 children that live at one time", "children",
     lambda f: f"{pages(f['children'])}; {f['children']['lost']} events lost; {f['children']['audited']:,} audited, {f['children']['unexplained']} pages unexplained"),
    ("as many forks a second as the machine makes, for 10 s", "forks",
     lambda f: (f"{f['forks']['forks']:,} forks, {f['forks']['processes']:,} processes reported; {f['forks']['events']:,} events, {f['forks']['lost']} lost; "
                f"with `--buffer 64KiB` {f['forks_small_buffer']['forks']:,} forks, {f['forks_small_buffer']['processes']:,} processes, "
                f"{f['forks_small_buffer']['events']:,} events and {f['forks_small_buffer']['lost']:,} lost; [rates](#a-storm-of-forks)")),
    ("a parent of 4 GiB", "large_parent",
     lambda f: (f"{pages(f['large_parent'])}, {f['large_parent']['smaps_pages']:,} private in smaps; the child starts {f['large_parent']['child_starts_ms']} ms after `fork()` is "
                f"called ({f['large_parent']['child_starts_alone_ms']} ms without cowtrace), which returns after {f['large_parent']['fork_ms']} ms "
                f"({f['large_parent']['fork_alone_ms']} ms)")),
    ("200 threads in a parent, 200 in its child", "threads",
     lambda f: f"{pages(f['threads'])}; {f['threads']['lost']} events lost, {f['threads']['unexplained']} pages unexplained"),
    ("a Python program that forks 400 times", "python_forks",
     lambda f: f"{f['python_forks']['named']} children have names for what they wrote, {f['python_forks']['kib_a_fork']} KiB of cowtrace's memory each"),
    ("fork and exit at once", "ends",
     lambda f: f"{f['exits']['processes']:,} processes, {f['exits']['audited']:,} audited, {f['exits']['unexplained']} pages unexplained; the rest goes on untraced"),
    ("parents that end first; children that nobody waits for", "ends",
     lambda f: f"orphans: {pages(f['orphans'])}; zombies: {pages(f['zombies'])}; {f['orphans']['unexplained'] + f['zombies']['unexplained']} pages unexplained"),
    ("a setuid program of a plain user; sudo", "privileges",
     lambda f: "; ".join(f"{name}: {pages(f['privileges_' + name])}, {f['privileges_' + name]['unexplained']} unexplained, user ids {f['privileges_' + name]['uids']}"
                         for name in ("setuid", "sudo") if "privileges_" + name in f)),
    ("a daemon that outlives `-d`, Ctrl-C twice, or attach", "outlived",
     lambda f: f"it goes on; {f['outlived_duration']['bpf_objects']} BPF objects before, {f['outlived_duration']['bpf_objects_after']} after; what still runs has no audit"),
    ("a container, seen from outside and from inside", "containers",
     lambda f: (f"{pages(f['container_outside'])} by pids such as {f['container_outside']['pids_reported'][0]} outside (there {f['container_outside']['pids_inside'][0]}), "
                f"{pages(f['container_inside'])} by pids such as {f['container_inside']['pids_reported'][0]} inside")),
    ("a disk that fills up: 512 KiB are free", "full_disk",
     lambda f: f"of a trace of {f['full_disk']['recorded_breaks']:,} breaks {f['full_disk']['readable_breaks']:,} can be read; other reports say that they are incomplete"),
    ("debug information that inflates: 4 programs, 400 MiB each", "debug_files",
     lambda f: f"of {f['debug_files']['programs']} programs {f['debug_files']['left_out']} are named without it, which the report says"),
    ("the clock steps by an hour, forth or back", "clock_step",
     lambda f: f"{f['clock_step']['written_pages']:,} pages in order each time, durations {', '.join(str(ms) + ' ms' for ms in f['clock_step']['duration_ms'].values())}"),
)
MEMORY = (("`true`", "memory_nothing"), ("1,000 children", "children"), ("400 threads", "threads"), ("a storm of forks", "forks"), ("400 forks of a small Python program", "python_forks"), ("a parent of 4 GiB", "large_parent"),
          ("a million breaks", "memory_million"), ("a million breaks, `-o FILE.cow`", "memory_recorded"), ("a million breaks, `--detail counts`", "memory_counts"), ("debug information that inflates", "debug_files"))


def table(rows, *titles):
    return "\n".join(["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles), *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def figures_table(figures):
    return table([(what, f"`{test}`", made(figures)) for what, test, made in ROWS], "what", "test", f"Linux {platform.release().split('-')[0]}, {platform.machine()}")


def storm_table(figures):
    storm = figures["forks"]
    return table([("alone", f"{storm['alone_a_second']:,}"), ("the first second, with exact snapshots", f"{storm['exact_a_second']:,}"),
                  ("after they were given up", f"{storm['let_go_a_second']:,}"), ("`--snapshot passive`", f"{storm['passive_a_second']:,}")],
                 "two processes that fork", "forks a second")


def memory_table(figures):
    return table([(what, str(figures[name]["peak_mib"]), str(figures[name]["bound_mib"])) for what, name in MEMORY], "what", "peak, MiB", "bound, MiB")


def between(text, begin, end, new):
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{new}{end}{after}"


def refresh(source, build):
    figures = {path.stem: json.loads(path.read_text()) for path in sorted((build / "limits").glob("*.json"))}
    page = source / "docs" / "limits.md"
    text = page.read_text(encoding="utf-8")
    text = between(text, BEGIN, END, figures_table(figures))
    text = between(text, "<!-- storm -->", "<!-- end of storm -->", storm_table(figures))
    text = between(text, MEMORY_BEGIN, MEMORY_END, memory_table(figures))
    page.write_text(text, encoding="utf-8")


def check(source):
    text = (source / "docs" / "limits.md").read_text(encoding="utf-8")
    tests = {path.stem.removeprefix("test_") for path in (source / "tests" / "limits").glob("test_*.py")}
    faults = [f"docs/limits.md has no row for {what}" for what, _, _ in ROWS if f"| {what} |" not in text]
    faults += [f"docs/limits.md has no row of memory for {what}" for what, _ in MEMORY if f"| {what} |" not in text]
    faults += [f"tests/limits/test_{name}.py is in no row" for name in sorted(tests - {test for _, test, _ in ROWS} - {"memory"})]
    faults += [f"tests/limits/test_{test}.py does not exist" for _, test, _ in ROWS if test not in tests]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        return check(pathlib.Path(sys.argv[2]))
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    refresh(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
