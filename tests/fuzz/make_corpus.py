# SPDX-License-Identifier: Apache-2.0
"""Makes tests/fuzz/corpus/files anew from real runs, as root: make_corpus.py [FOLDER OF cowtrace AND scenario]. Each is to be a few KiB,
for a fuzzer gets further with small ones. What was found by fuzzing is in corpus/messages and corpus/files under names of its own, and stays.
"""
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FILES = HERE / "corpus" / "files"
BIN = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parents[1] / "build" / "release" / "bin").resolve()
LARGEST = 32 << 10
# What runs is in the traces with its path: nobody's home. So it is made, and removed again.
PLACE = pathlib.Path("/tmp/corpus-of-cowtrace")

# Isolated and without site: few modules, few pages.
PYTHON = ["/usr/bin/python3", "-I", "-S", "-c"]
FORKS = """
import os
TABLE = {"kept": "k" * 100, "count": [0]}
ROWS = ["a" * 9] * 3
if os.fork() == 0:
    TABLE["count"][0] += 1
    TABLE["added"] = ROWS[0]
    os._exit(0)
os.wait()
os._exit(0)
"""


def scenario(name, pages):
    return [str(PLACE / "scenario"), name, "--pages", str(pages)]


RUNS = {
    "mutate": (["--frames", "4"], [*scenario("mutate", 3), "--children", "2"]),
    "grandchild": (["--stacks", "none"], scenario("grandchild", 2)),
    "exec": (["--frames", "2"], scenario("exec", 2)),
    "vfork": (["--frames", "2"], scenario("vfork", 2)),
    "huge": (["--frames", "2"], scenario("thp", 2)),
    "writer": (["--snapshot", "passive", "--frames", "2"], scenario("ptrace-poke", 2)),
    "counts": (["--detail", "counts"], [*scenario("mutate", 6), "--children", "2"]),
    "python": (["--frames", "2"], [*PYTHON, FORKS]),
    "watch": (["--stacks", "python", "--frames", "2", "--watch", "TABLE['count']", "--watch", "TABLE['added']", "--watch", "ROWS[3]", "--watch", "nothing.here"],
              [*PYTHON, FORKS]),
}


def record(name, options, command):
    trace = PLACE / f"{name}.cow"
    subprocess.run([str(BIN / "cowtrace"), "run", "-q", *options, "-o", str(trace), "--", *command], check=True, stdout=subprocess.DEVNULL)
    return trace.read_bytes()


def main():
    FILES.mkdir(parents=True, exist_ok=True)
    PLACE.mkdir()
    try:
        shutil.copy(BIN / "scenario", PLACE)
        traces = {name: record(name, *run) for name, run in RUNS.items()}
    finally:
        shutil.rmtree(PLACE)
    # As one whose writer was killed: all frames but the last ones.
    traces["incomplete"] = traces["python"][:len(traces["python"]) // 2]
    for name, trace in traces.items():
        if len(trace) > LARGEST:
            sys.exit(f"{name}: {len(trace)} bytes are too many for a corpus")
        (FILES / f"{name}.cow").write_bytes(trace)
        print(f"{len(trace):7} {name}")


main()
