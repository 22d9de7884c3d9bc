# SPDX-License-Identifier: Apache-2.0
"""steady.py PAGES RATE FOLDER: a child breaks PAGES shared pages, RATE a second (0: as fast as it can), then counts references to all of
LEDGER; FOLDER/settled is there when it has, and it ends when FOLDER/go is. What it prints, and where, is part of the test."""
import mmap
import os
import pathlib
import sys
import time

PAGES, RATE, FOLDER = int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])
MEMORY = mmap.mmap(-1, PAGES * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(PAGES):
    MEMORY[page * mmap.PAGESIZE] = 1
LEDGER = [("entry", number + 1_000_000) for number in range(20_000)]


def write_page(page):
    MEMORY[page * mmap.PAGESIZE] = 2


def write_all():
    began = time.monotonic()
    for page in range(PAGES):
        write_page(page)
        if RATE and page % 10 == 9:
            time.sleep(max(0, began + (page + 1) / RATE - time.monotonic()))


def count_references():
    return [entry for entry in LEDGER]


def child():
    write_all()
    held = count_references()
    print("the child has written", flush=True)
    (FOLDER / "settled").touch()
    while not (FOLDER / "go").exists():
        time.sleep(0.05)
    os._exit(len(held) != len(LEDGER))


print("the parent begins", flush=True)
print("a word to standard error", file=sys.stderr, flush=True)
pid = os.fork()
if pid == 0:
    child()
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print("the parent ends", flush=True)
sys.exit(status + 3)
