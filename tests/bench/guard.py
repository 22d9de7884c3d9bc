#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of hot paths and holds them against tests/bench/budgets.json. Time depends on the machine and on who else is there, this does not.

usage: guard.py --bin DIRECTORY [--budgets FILE] [--record] [NAME...]

User space: each path runs once under Callgrind, without what it needs beforehand. BPF: how long each program of the built object is, for no kernel tells how
many of its instructions a break takes. NAME: only these. --record: what is counted becomes the budget. DIRECTORY is that of cowtrace. Exit status: 0 every
budget is kept, 1 one is not, 2 used wrongly.
"""
import argparse
import dataclasses
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys

PATH_MAY_GROW = 0.05  # other libraries take other ways
PROGRAM_MAY_GROW = 0.02  # clang-14 always makes the same of the same source
WORTH_LOWERING = 0.10
INSTRUCTION_BYTES = 8  # of BPF; those with a 64-bit constant take two
RECORD = "scripts/bench.sh guard --record"
# The C library chooses its functions by processor. Valgrind shows the program one of its own, but AVX2 only where the machine has it.
SAME_FUNCTIONS = "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-BMI2,-ERMS,-FSRM"


class Failed(Exception):
    pass


def run(command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise Failed(f"{pathlib.Path(command[0]).name} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def instructions_per_item(micro, name, size, profile):
    """Callgrind's profile of the run is left in `profile`."""
    profile.unlink(missing_ok=True)
    printed = run(["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={profile}", micro, "--guard", name, size],
                  env={**os.environ, "GLIBC_TUNABLES": SAME_FUNCTIONS})
    total = re.search(r"^totals: (\d+)$", profile.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    items = json.loads(printed.splitlines()[-1])["items"]
    if total is None or int(total[1]) == 0 or items == 0:
        raise Failed(f"nothing was counted of {name}")
    return int(total[1]) / items


def bpf_lengths(linked):
    """Instructions of each function of a BPF object."""
    table = re.findall(r"^ *\d+: [0-9a-f]+ +(\d+) FUNC +\w+ +\w+ +\d+ (\w+)$", run(["readelf", "--wide", "--symbols", linked]), re.MULTILINE)
    return {name: int(size) // INSTRUCTION_BYTES for size, name in table}


@dataclasses.dataclass
class Count:
    name: str
    unit: str
    budget: float
    counted: float
    may_grow: float
    look: str  # how to find out why it is more

    @property
    def change(self):
        return self.counted / self.budget - 1

    def __str__(self):
        return f"{self.name}: {self.counted:,.0f} {self.unit}, {self.change:+.1%} of a budget of {self.budget:,.0f}"


def verdict(count):
    """Whether the budget is kept, and a line that says so."""
    if count.change > count.may_grow:
        return False, f"MISSED  {count}: {count.look}; if it is worth it: {RECORD}"
    if count.change < -WORTH_LOWERING:
        return True, f"lower   {count}: the budget can be lowered: {RECORD}"
    return True, f"kept    {count}"


def count_programs(programs, build):
    linked = build / "bpf/skeleton/cowtrace.linked.o"
    lengths = bpf_lengths(linked)
    for name, budget in programs.items():
        if name not in lengths:
            raise Failed(f"BPF has no program {name}: if it has another name now, put that into budgets.json")
        yield Count(name, "instructions long", budget, lengths[name], PROGRAM_MAY_GROW, f"llvm-objdump-14 -d {linked} shows them")
        programs[name] = lengths[name]


def count_paths(paths, build):
    micro, profiles = build / "tests/bench/cowtrace_micro", build / "tests/bench/guard"
    profiles.mkdir(parents=True, exist_ok=True)
    for name, path in paths.items():
        profile = profiles / f"{name}.callgrind"
        counted = instructions_per_item(micro, name, path["size"], profile)
        yield Count(name, "instructions an item", path["instructions_per_item"], counted, PATH_MAY_GROW, f"callgrind_annotate {profile} shows where")
        path["instructions_per_item"] = round(counted, 1)


def chosen(budgets, names):
    return {name: budget for name, budget in budgets.items() if not names or name in names}


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--budgets", type=pathlib.Path, default=pathlib.Path(__file__).with_name("budgets.json"))
    parser.add_argument("--record", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args(argv)
    budgets = json.loads(arguments.budgets.read_text(encoding="utf-8"))
    programs, paths = (chosen(budgets[part], arguments.names) for part in ("bpf", "paths"))
    for name in set(arguments.names) - programs.keys() - paths.keys():
        parser.error(f"{arguments.budgets} has no budget for {name}")
    build = arguments.bin.resolve().parent
    good = True
    try:
        for count in itertools.chain(count_programs(programs, build), count_paths(paths, build)):
            kept, line = (True, f"counted {count}") if arguments.record else verdict(count)
            good = good and kept
            print(line, flush=True)
    except (Failed, OSError) as error:
        print(f"guard: {error}", file=sys.stderr)
        return 1
    if arguments.record:
        budgets["bpf"].update(programs)
        budgets["paths"].update(paths)
        arguments.budgets.write_text(json.dumps(budgets, indent=2) + "\n", encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
