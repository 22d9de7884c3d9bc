# SPDX-License-Identifier: Apache-2.0
"""million.py OBJECTS FORKS [--shuffle] [--wait]: builds about so many objects of mixed kinds, forks so many children that do nothing, and prints one line
of JSON: the records, and for each fork the nanoseconds from the call until the child runs and until the parent goes on.

Between two forks it changes some of its objects, as a program does. --wait: prints the line before the forks, and forks when a line comes on
standard input. --shuffle: objects that are used one after the other lie anywhere. Runs under CPython 3.8 and later.
"""
import gc
import json
import os
import random
import sys
import time

RECORD = 14  # objects of one, its dict included


class Owner:
    def __init__(self, number):
        self.number = number
        self.label = "owner-%d" % number


def record(i):
    # What is no constant: dict, int, text, float, list of two texts, tuple of two ints, instance (and its dict before 3.11) of int and text.
    return {"id": 1_000_000 + i, "name": "item number %d" % i, "price": i + 0.25, "tags": ["tag-%d" % i, "group-%d" % i],
            "position": (2_000_000 + i, 3_000_000 + i), "owner": Owner(4_000_000 + i)}


def fork():
    reading, writing = os.pipe()
    began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    pid = os.fork()
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    if pid == 0:
        os.write(writing, b"%d" % now)
        os._exit(0)
    child = int(os.read(reading, 64))
    os.waitpid(pid, 0)
    os.close(reading)
    os.close(writing)
    return {"child_ns": child - began, "parent_ns": now - began}


gc.disable()
RECORDS = [record(i) for i in range(int(sys.argv[1]) // RECORD)]
if "--shuffle" in sys.argv:
    random.Random(1).shuffle(RECORDS)
gc.enable()
about = {"version": sys.version.split()[0], "records": len(RECORDS), "pid": os.getpid()}
if "--wait" in sys.argv:
    print(json.dumps(about), flush=True)
    sys.stdin.readline()
forks = []
for turn in range(int(sys.argv[2])):
    for one in RECORDS[turn::100]:
        one["price"] += 1.0
    forks.append(fork())
print(json.dumps({**about, "forks": forks}), flush=True)
