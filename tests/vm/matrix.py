#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every scenario under every backend of cowtrace on Debian's stock kernels, in QEMU, and compares each report with the truth.

usage: matrix.py --bin DIRECTORY [--bin-arm64 DIRECTORY] [--cache DIRECTORY] [--pages N] [--parallel N] [--rounds N] [--output FILE]
                 [KERNEL...]

Each kernel boots once as it comes (its address space randomised, five-level page tables), and 6.1 also with `nokaslr no5lvl`. Without
--bin-arm64 kernels of arm64 are left out.
Exit status: 0 every cell is as tests/vm/expected.py has it and all rounds agree, 1 otherwise, 2 used wrongly.
"""
import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import expected
import guest
import initramfs
import kernels
import machines
import rounds
import verdict

HERE = pathlib.Path(__file__).resolve().parent
BACKENDS = ("fentry", "kprobe", "static")
PLAIN = "nokaslr no5lvl"
PLAIN_SERIES = "6.1"
# What cowtrace is told, by the name of a capture. One capture has all experiments but those that need another one.
CAPTURES = {"exact": (), "passive": ("--snapshot", "passive", "--allocators"), "counts": ("--snapshot", "passive", "--detail", "counts")}
# A process can have one tracer: where an experiment has its own, cowtrace must not be it. Two that others are much like are counted only.
NOT_EXACT = {"ptrace-poke": "passive", "last-owner": "counts", "mutate-parent": "counts"}
# Start-up of a guest or of cowtrace, and one experiment: a second each is usual, and few seconds.
START_SECONDS, JOB_SECONDS = 60, 10


@dataclasses.dataclass(frozen=True)
class Guest:
    """One boot: a kernel and what is added to its command line."""

    series: str
    parameters: str

    @property
    def machine(self):
        return kernels.SERIES[self.series].machine

    @property
    def name(self):
        return f"{self.series} {self.parameters.replace(' ', '+')}".strip()


@dataclasses.dataclass
class Result:
    """What came of a guest: a cell for each (scenario, backend), or `absent`: why there is no such kernel."""

    guest: Guest
    seconds: float = 0
    version: str = ""
    cells: dict = dataclasses.field(default_factory=dict)
    notes: list = dataclasses.field(default_factory=list)
    absent: str = ""
    broken: bool = False


def scenario_names(scenario):
    listed = subprocess.run([str(scenario), "list"], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in listed.splitlines() if line.strip()]


def make_archive(machine, arguments, names, directory):
    """The root of guests of one architecture, with what they are to do."""
    captures = [capture for capture in CAPTURES if capture in map(capture_of, names)]
    texts = {"jobs": "".join(f"{capture_of(name)} {name} scenario {name} --pages {arguments.pages} --truth\n" for name in names),
             "captures": "".join(f"{capture} {' '.join(CAPTURES[capture])}\n" for capture in captures),
             "backends": " ".join(BACKENDS), "seconds": str(START_SECONDS + JOB_SECONDS * len(names)),
             "batch": (HERE / "batch").read_text(encoding="ascii")}
    if arguments.bpf_log:
        texts["bpf-log"] = ""
    archive = directory / f"{machine.architecture}.cpio"
    cowtrace, scenario = (arguments.programs[machine] / name for name in ("cowtrace", "scenario"))
    busybox = kernels.busybox(machine, arguments.cache)
    initramfs.make(archive, machine, busybox, HERE / "init", texts, [cowtrace, scenario], unstripped=(scenario,))
    return archive


def capture_of(name):
    return NOT_EXACT.get(name, "exact")


def fetch(series, cache):
    """The path of a kernel, or the error that says why it cannot boot."""
    try:
        kernels.busybox(kernels.SERIES[series].machine, cache)
        return kernels.image(series, cache)
    except kernels.KernelError as error:
        return error


def run_guest(which, image, arguments, archive, names):
    """The Result of one guest, with a note for each cell that is not as expected."""
    result = Result(which)
    if isinstance(image, kernels.KernelError):
        # That the archive has dropped a kernel is no fault of ours.
        result.absent, result.broken = str(image), not isinstance(image, kernels.Vanished)
        return result
    keep = arguments.cache / "results" / which.name.replace(" ", "-")
    keep.mkdir(parents=True, exist_ok=True)
    for old in keep.iterdir():
        old.unlink()
    timeout = START_SECONDS + len(BACKENDS) * (START_SECONDS * len(CAPTURES) + JOB_SECONDS * len(names))
    archive = initramfs.with_modules(archive, kernels.modules(image), keep)
    outcome = guest.boot(which.machine, image, archive, which.parameters, keep, timeout)
    (keep / initramfs.WITH_MODULES).unlink(missing_ok=True)
    for name, content in outcome.files.items():
        (keep / name).write_bytes(content)
    result.seconds = outcome.seconds
    result.version = outcome.files.get("version", b"").decode(errors="replace").strip()
    if outcome.failure:
        result.broken = True
        at = guest.last_job(outcome.console)
        result.notes.append(f"{which.name}: {outcome.failure}{', at ' + at if at else ''}")
        result.notes += guest.last_lines(outcome.console).splitlines()
        return result
    result.notes += [f"{which.name}: {complaint}" for complaint in verdict.complaints(outcome.files)]
    result.broken = bool(result.notes)
    left = verdict.Left(outcome.files)
    for name in names:
        for backend in BACKENDS:
            judge_cell(result, name, backend, left)
    return result


def judge_cell(result, name, backend, left):
    cell = verdict.judge(backend, capture_of(name), name, left)
    result.cells[name, backend] = cell
    surprise = expected.surprise(result.guest.series, backend, name, cell)
    if not surprise:
        return
    result.broken = True
    where = f"{result.guest.name} {backend} {name}"
    result.notes.append(f"{where}: {surprise}")
    result.notes += [f"  {line}" for line in cell.details]


def cell_text(result, name):
    """One word where the backends agree, else one for each, in the order of BACKENDS."""
    words = [result.cells[name, backend].word if (name, backend) in result.cells else "-" for backend in BACKENDS]
    return words[0] if len(set(words)) == 1 else "/".join(words)


def print_table(results, names):
    rows = [["/".join(BACKENDS), *(result.guest.name for result in results)]]
    rows += [[name, *(cell_text(result, name) for result in results)] for name in names]
    rows.append(["seconds", *(f"{result.seconds:.0f}" for result in results)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


def print_reasons(results):
    """Why cells cannot, each reason once with all the places where it holds."""
    places = {}
    for result in results:
        for (name, backend), cell in result.cells.items():
            if cell.word == "cannot":
                places.setdefault(cell.details[0], {}).setdefault(f"{backend} {name}", []).append(result.guest.name)
    for why, cells in places.items():
        print(f"cannot: {why}")
        for cell, guests in cells.items():
            print(f"  {cell}: {', '.join(guests)}")


def as_json(results, names, pages):
    """What was measured, for a page about kernels."""
    guests = []
    for result in results:
        cells = {}
        for name in names:
            cells[name] = {backend: {"verdict": cell.word, "details": cell.details, "measured": cell.measured}
                           for backend in BACKENDS if (cell := result.cells.get((name, backend)))}
        guests.append({"kernel": result.guest.series, "architecture": result.guest.machine.architecture,
                       "parameters": result.guest.parameters, "version": result.version,
                       "seconds": round(result.seconds, 1), "absent": result.absent, "scenarios": cells})
    return {"schema": "cowtrace.matrix/1", "pages": pages, "guests": guests}


def parse(argv):
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "cowtrace-vm"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help=f"of {' '.join(kernels.SERIES)}; default {' '.join(kernels.DEFAULT)}")
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="directory of the static cowtrace and scenario; "
                        "these also say which experiments there are")
    parser.add_argument("--bin-arm64", type=pathlib.Path, metavar="DIRECTORY", help="the same for arm64; without it no such guest")
    parser.add_argument("--architectures", action="store_true", help="only print those of the kernels that are asked for")
    parser.add_argument("--cache", type=pathlib.Path, default=cache, help="for kernels and results; default %(default)s")
    parser.add_argument("--pages", type=int, default=1000, help="pages of each scenario; default %(default)s")
    parser.add_argument("--rounds", type=int, default=1, help="run all so often, and say whether the rounds agree; default %(default)s")
    parser.add_argument("--parallel", type=int, default=os.cpu_count(), help="guests at a time; default %(default)s")
    parser.add_argument("--scenario", action="append", dest="scenarios", metavar="NAME", help="only this one; repeatable")
    parser.add_argument("--bpf-log", action="store_true", help="keep what libbpf and the verifier say in the results' stderr files")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE", help="write all cells, and what was measured, as JSON (of the last round)")
    arguments = parser.parse_args(argv)
    arguments.programs = {machines.AMD64: arguments.bin, machines.ARM64: arguments.bin_arm64}
    unknown = [series for series in arguments.kernels if series not in kernels.SERIES]
    if unknown:
        parser.error(f"unknown kernel {unknown[0]}: use {' '.join(kernels.SERIES)}")
    lacking = [series for series in arguments.kernels or kernels.DEFAULT if not arguments.programs[kernels.SERIES[series].machine]]
    if arguments.kernels and lacking:
        parser.error(f"{lacking[0]} needs programs of its architecture: give --bin-{kernels.SERIES[lacking[0]].machine.architecture}")
    for series in lacking:
        print(f"{series}: left out, there is no --bin-{kernels.SERIES[series].machine.architecture}")
    arguments.kernels = arguments.kernels or [series for series in kernels.DEFAULT if series not in lacking]
    return arguments


def run_round(arguments, guests, images, archives, names):
    """The Results of all guests, once each."""
    with concurrent.futures.ThreadPoolExecutor(arguments.parallel) as pool:
        return list(pool.map(lambda which: run_guest(which, images[which.series], arguments, archives.get(which.machine), names), guests))


def print_round(results, names, cache):
    """Returns whether all is as expected."""
    print_table(results, names)
    print_reasons(results)
    for result in results:
        if result.absent:
            print(f"{result.guest.name}: {result.absent}")
        for note in result.notes:
            print(note)
    words = [cell.word for result in results for cell in result.cells.values()]
    counts = ", ".join(f"{words.count(word)} {word}" for word in ("ok", "cannot", "wrong", "failed"))
    bad = [result.guest.name for result in results if result.broken]
    print(f"matrix: {counts} of {len(words)} cells on {len(results)} guests; "
          f"{'not as expected: ' + ', '.join(bad) if bad else 'all as expected'}; kept in {cache / 'results'}", flush=True)
    return not bad


def print_agreement(all_rounds):
    """Returns whether all rounds agree."""
    differ = list(rounds.differences([{result.guest.name: result.cells for result in results} for results in all_rounds]))
    for line in differ:
        print(line)
    print(f"matrix: {len(all_rounds)} rounds {'differ' if differ else 'agree'}")
    return not differ


def main(argv):
    arguments = parse(argv)
    if arguments.architectures:
        print(*sorted({kernels.SERIES[series].machine.architecture for series in arguments.kernels}))
        return 0
    arguments.cache.mkdir(parents=True, exist_ok=True)
    guests = [Guest(series, "") for series in arguments.kernels]
    if PLAIN_SERIES in arguments.kernels:
        guests.append(Guest(PLAIN_SERIES, PLAIN))
    listed = scenario_names(arguments.programs[machines.NATIVE] / "scenario")
    names = [name for name in listed if not arguments.scenarios or name in arguments.scenarios]
    all_rounds, good = [], True
    with tempfile.TemporaryDirectory(prefix="cowtrace-vm-") as scratch:
        # One after the other, before any boot: they share apt's lists.
        images = {series: fetch(series, arguments.cache) for series in arguments.kernels}
        fetched = {which.machine for which in guests if not isinstance(images[which.series], kernels.KernelError)}
        archives = {machine: make_archive(machine, arguments, names, pathlib.Path(scratch)) for machine in fetched}
        for _ in range(arguments.rounds):
            all_rounds.append(run_round(arguments, guests, images, archives, names))
            good = print_round(all_rounds[-1], names, arguments.cache) and good
    if arguments.rounds > 1:
        good = print_agreement(all_rounds) and good
    if arguments.output:
        arguments.output.write_text(json.dumps(as_json(all_rounds[-1], names, arguments.pages), indent=1) + "\n", encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
