#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to know the objects of a Python process: million.py under heap_cost, and under cowtrace.

usage: python_bench.py --bin DIRECTORY [--python PROGRAM] [--objects N]

DIRECTORY is that of cowtrace; heap_cost lies in ../tests/bench. "named" counts every object that the walk reached and the name of its group
as text, in processor time of one thread. "stopped" is how much later a child runs than without a tracer, in wall time. Exit status: 0 every budget is kept, 1 one is not, 2 used wrongly.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import kernel
import measure

PAGES = 20_000
# A child breaks so many pages, eight functions deep.
DEEP = """
import mmap, os, sys
pages = int(sys.argv[1])
memory = mmap.mmap(-1, (pages + 1) * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, pages * 4096, 4096): memory[at] = 1
def write(depth):
    if depth: return write(depth - 1)
    for at in range(0, pages * 4096, 4096): memory[at] = 2
if os.fork() == 0:
    write(6)
    os._exit(0)
os.wait()
"""
MILLION = pathlib.Path(__file__).with_name("million.py")
FORKS = 4


def cost_of(tool, python, objects, *options, rounds=3):
    """What heap_cost says of one process; times are the best of the rounds."""
    with subprocess.Popen([python, "-B", MILLION, str(objects), "1", "--wait", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as held:
        pid = json.loads(held.stdout.readline())["pid"]
        try:
            cost = json.loads(subprocess.run([tool, str(pid), str(rounds)], capture_output=True, check=True).stdout)
        finally:
            held.stdin.close()
            held.stdout.read()
    return cost


def speed_of(cost):
    """Millions of objects a second."""
    return cost["objects"] / (cost["walk_s"] + cost["groups_s"]) / 1e6


def forks(command, python, objects):
    done = subprocess.run([*command, python, "-B", MILLION, str(objects), str(FORKS)], capture_output=True, check=True)
    times = [fork["child_ns"] / 1e9 for fork in json.loads(done.stdout)["forks"]]
    return times[0], max(times[1:])


def bpf_ns_per_break(cowtrace, python):
    """Of the breaks of the child: less what the same program costs without them."""
    with tempfile.TemporaryDirectory(prefix="cowtrace-bench-") as scratch, kernel.bpf_statistics():
        full, calm = (measure.run([cowtrace, "-q", "--", python, "-B", "-c", DEEP, str(pages)], pathlib.Path(scratch)) for pages in (PAGES, 0))
    if full.status != 0 or calm.status != 0:
        raise RuntimeError(f"cowtrace failed: {full.stderr[-300:]}")
    return (full.bpf_ns - calm.bpf_ns) / PAGES


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--objects", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("needs root, to trace: run it with sudo")
    cost = cost_of(arguments.bin.parent / "tests/bench/heap_cost", arguments.python, arguments.objects)
    shuffled = cost_of(arguments.bin.parent / "tests/bench/heap_cost", arguments.python, arguments.objects, "--shuffle")
    count = cost["objects"]
    plain = forks([], arguments.python, arguments.objects)
    stops = {mode: forks([arguments.bin / "cowtrace", "-q", "--snapshot", mode, "--"], arguments.python, arguments.objects)
             for mode in ("exact", "passive")}
    print(f"{count} objects, {cost['read'] / count:.0f} bytes each in the process")
    print(f"image {cost['image_s']:.3f} s, walk {cost['walk_s']:.3f} s, groups {cost['groups_s']:.3f} s, names {cost['names_s']:.3f} s, "
          f"questions {cost['places_s'] * 1e6 / count:.2f} us each")
    print(f"bytes an object: image {cost['image_bytes'] / count:.1f}, index {cost['index_bytes'] / count:.1f}; resident while it runs "
          f"{cost['rss_image'] / count:.1f}, walked {cost['rss_walked'] / count:.1f}, named {cost['rss_named'] / count:.1f}, "
          f"at most, during the walk {cost['rss_peak'] / count:.1f}")
    print(f"records in random order: {speed_of(shuffled):.2f} million objects named a second, {shuffled['rss_peak'] / shuffled['objects']:.1f} bytes "
          "an object at most")
    for mode, (first, later) in stops.items():
        print(f"{mode}: a child runs {(first - plain[0]) * 1e3:.1f} ms later at the first fork, {(later - plain[1]) * 1e3:.1f} ms at later ones")
    bpf_ns = bpf_ns_per_break(str(arguments.bin / "cowtrace"), arguments.python)
    budgets = ((speed_of(cost), 2.0, False, "million objects named a second"),
               (max(cost["rss_walked"], cost["rss_named"]) / count, 64, True, "bytes kept an object"),
               (cost["rss_peak"] / count, 64, True, "bytes an object at most, during the walk"),
               (stops["exact"][0] - plain[0], 1.0, True, "seconds stopped at the first fork"),
               (bpf_ns / 1000, 2.5, True, "us of BPF time a break, 8 Python frames"))
    good = True
    for value, limit, at_most, what in budgets:
        kept = value <= limit if at_most else value >= limit
        good = good and kept
        print(f"{'kept' if kept else 'MISSED':6}  {what}: {value:.2f} of {limit}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
