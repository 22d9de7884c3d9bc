#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every scenario under cowtrace on Debian's stock kernels, in QEMU, and compares each report with the truth.

usage: matrix.py --bin DIRECTORY [--cache DIRECTORY] [--pages N] [KERNEL...]

Each kernel boots twice: as it comes (its address space randomised, five-level page tables), and with `nokaslr no5lvl`.
Exit status: 0 every cell is ok or cannot, 1 otherwise, 2 used wrongly.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import guest
import initramfs
import kernels
import verdict

HERE = pathlib.Path(__file__).resolve().parent
VARIANTS = {"stock": "", "nokaslr,no5lvl": "nokaslr no5lvl"}
TIMEOUT = 900


def scenario_names(scenario):
    listed = subprocess.run([str(scenario), "list"], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in listed.splitlines() if line.strip()]


def job_lines(names, pages):
    lines = [f"{name} scenario {name} --pages {pages} --truth /out/{name}.truth" for name in names]
    lines.append(f"zero-page zero_page {pages} /out/zero-page.truth")
    return "\n".join(lines) + "\n"


def prepare(arguments, directory):
    """The guest's root archive and the names of its jobs."""
    cowtrace, scenario = arguments.bin / "cowtrace", arguments.bin / "scenario"
    zero_page = directory / "zero_page"
    source = HERE.parent / "programs" / "zero_page.c"
    subprocess.run(["cc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-o", str(zero_page), str(source)], check=True)
    names = scenario_names(scenario)
    archive = directory / "root.cpio"
    initramfs.make(archive, HERE / "init", job_lines(names, arguments.pages), [cowtrace, scenario, zero_page], unstripped=(scenario, zero_page))
    return archive, [*names, "zero-page"]


def print_row(cells, widths):
    print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip(), flush=True)


def run_guest(series, image, parameters, archive, names, keep):
    """({job: verdict}, the details to print below the table) of one boot."""
    keep.mkdir(parents=True, exist_ok=True)
    outcome = guest.boot(image, archive, parameters, keep, TIMEOUT)
    for name, content in outcome.files.items():
        (keep / name).write_bytes(content)
    if outcome.failure:
        word = "hang" if outcome.failure.startswith("hang") else "died"
        return dict.fromkeys(names, word), [f"{series}: {outcome.failure}", *guest.last_lines(outcome.console).splitlines()], outcome.seconds
    verdicts, details = {}, []
    for name in names:
        verdicts[name], lines = verdict.judge(name, outcome.files)
        details += [f"{series} {name}: {line}" for line in lines]
    return verdicts, details, outcome.seconds


def parse(argv):
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "cowtrace-vm"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help=f"of {' '.join(kernels.SERIES)}; default 6.1")
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="directory of cowtrace and scenario")
    parser.add_argument("--cache", type=pathlib.Path, default=cache, help="for kernels and results; default %(default)s")
    parser.add_argument("--pages", type=int, default=1000, help="pages of each scenario; default %(default)s")
    arguments = parser.parse_args(argv)
    arguments.kernels = arguments.kernels or ["6.1"]
    unknown = [series for series in arguments.kernels if series not in kernels.SERIES]
    if unknown:
        parser.error(f"unknown kernel {unknown[0]}: use {' '.join(kernels.SERIES)}")
    return arguments


def main(argv):
    arguments = parse(argv)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    notes, good = [], True
    with tempfile.TemporaryDirectory(prefix="cowtrace-vm-") as scratch:
        archive, names = prepare(arguments, pathlib.Path(scratch))
        widths = [22, *(max(len(name), 6) for name in names), 7]
        print_row(["kernel", *names, "seconds"], widths)
        for series in arguments.kernels:
            try:
                image = kernels.image(series, arguments.cache)
            except kernels.KernelError as error:
                print_row([series, *("cannot" for _ in names), "-"], widths)
                notes.append(f"{series}: {error}")
                good = False
                continue
            for variant, parameters in VARIANTS.items():
                keep = arguments.cache / "results" / series / variant
                verdicts, details, seconds = run_guest(f"{series} {variant}", image, parameters, archive, names, keep)
                print_row([f"{series} {variant}", *(verdicts[name] for name in names), f"{seconds:.0f}"], widths)
                notes += details
                good = good and all(word in ("ok", "cannot") for word in verdicts.values())
    for note in notes:
        print(note)
    print(f"reports, truths and consoles are in {arguments.cache / 'results'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
