# SPDX-License-Identifier: Apache-2.0
"""A Python process with a heap of many kinds, and a forked copy of it that judges what others found in there.

usage: main.py FOUND VERDICT [OBJECTS]
The process forks its copy, prints its own pid, and stands still until its standard input is closed. Whoever looks at it writes FOUND
(python_names' output), and then "judge" on standard input. The copy compares that with what it knows of itself: every object that the
garbage collector tracks and all that these refer to must be there with its exact address and type; a name must evaluate to the same
object. VERDICT is JSON. OBJECTS: so many more small objects are made, to measure speed.
"""
import collections
import dataclasses
import email.message
import enum
import functools
import gc
import json
import json.decoder
import logging
import multiprocessing
import os
import re
import statistics
import sys
import threading
import typing
import unittest
import xml.etree.ElementTree


class Plain:
    def __init__(self, n):
        self.n = n
        self.text = "text %d" % n
        self.more = {"n": n, n: [n, (n, str(n))]}


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, n):
        self.left = [n]
        self.right = "right %d" % n


@dataclasses.dataclass
class Data:
    name: str
    values: list


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Derived(dict):
    def __init__(self, n):
        super().__init__(n=n)
        self.extra = {"derived": n + 10 ** 20}


class Node:
    def __init__(self, next_node):
        self.next = next_node


def counter(start):
    seen = {"start": start}

    def count():
        seen["calls"] = seen.get("calls", 0) + 1
        return start
    return count


def generate(n):
    local = {"generated": n}
    for i in range(n):
        yield i, local


PLAIN = [Plain(i) for i in range(2000)]
SLOTTED = [Slotted(i) for i in range(500)]
DATA = {"k%d" % i: Data("name%d" % i, [float(i), i * 1000]) for i in range(300)}
SETS = {frozenset((i, "x%d" % i)) for i in range(50)}
QUEUE = collections.deque("item %d" % i for i in range(500))
ORDERED = collections.OrderedDict((i, [i]) for i in range(100))
DEFAULT = collections.defaultdict(list, {i: ["default %d" % i] for i in range(50)})
DERIVED = [Derived(i) for i in range(50)]
COUNTERS = [counter(i) for i in range(20)]
GENERATORS = [generate(3) for _ in range(10)]
for g in GENERATORS:
    next(g)
PARTIAL = functools.partial(counter, start=[1, 2])
BOUND = PLAIN[0].__init__
UNICODE = {"\u00e9t\u00e9": ["latin"], "\u4e2d\u6587": ["ucs2"], "\U0001f600": ["ucs4"], "quote'd": ["quote"]}
TUPLES = {(1, "a"): ["tuple key"], None: ["none key"], True: ["true"], b"by\x00tes": ["bytes key"], -10 ** 30: ["big"], int: ["type key"]}
CHAIN = None
for _ in range(30):
    CHAIN = Node(CHAIN)
LOGGER = logging.getLogger("oracle.logger")
PATTERNS = [re.compile("a+%d" % i) for i in range(20)]
BYTES = [bytearray(b"x" * i) for i in range(0, 2000, 100)]


PROXY = type(vars(Plain))


def namespace():
    names = dict(vars(__import__("builtins")))
    for name, module in list(sys.modules.items()):
        names.setdefault(name.split(".")[0], sys.modules.get(name.split(".")[0]))
    names["sys"] = sys
    return names


def judge(found, objects):
    known = {}
    with open(found, encoding="utf-8") as lines:
        header = lines.readline().rstrip("\n").split("\t")
        for line in lines:
            address, kind, evaluable, name = line.rstrip("\n").split("\t")
            known[int(address, 16)] = (kind, evaluable == "1", name)
    names = namespace()
    verdict = collections.Counter()
    wrong = {"missing": [], "type": [], "name": [], "raised": [], "unnamed": []}

    def note(what, text):
        verdict[what] += 1
        if len(wrong[what]) < 60:
            wrong[what].append(text)
    for one in objects:
        verdict["objects"] += 1
        entry = known.get(id(one))
        kind = type(one)
        if entry is None:
            note("missing", "%x %s %s" % (id(one), kind.__name__, ascii(one)[:80] if kind in (str, int, tuple, bytes, float) else ""))
            continue
        if entry[0].split(".")[-1] != kind.__name__.split(".")[-1]:
            note("type", "%s, not %s" % (entry[0], kind.__name__))
            continue
        verdict["exact"] += 1
        if not entry[1]:
            note("unnamed", "%s %s" % (kind.__name__, entry[2]))
            continue
        try:
            value = eval(entry[2], names)
        except Exception as error:
            note("raised", "%s: %s" % (entry[2], ascii(error)[:60]))
            continue
        if type(value) is PROXY and kind is dict:
            value = gc.get_referents(value)[0]
        if value is one:
            verdict["named"] += 1
        else:
            note("name", "%s is another %s, wanted %s" % (entry[2], type(value).__name__, kind.__name__))
    return {"version": header[0], "counts": dict(verdict), "wrong": wrong, "header": header}


def main():
    found, verdict = sys.argv[1], sys.argv[2]
    more = [Plain(i) for i in range(int(sys.argv[3]) // 8)] if len(sys.argv) > 3 else []
    reader, writer = os.pipe()
    gc.collect()
    gc.disable()
    pid = os.fork()
    if pid == 0:
        tracked = gc.get_objects()
        ids = {id(one) for one in tracked}
        objects = list(tracked)
        for one in gc.get_referents(*tracked):
            if id(one) not in ids:
                ids.add(id(one))
                objects.append(one)
        os.close(writer)
        if os.read(reader, 16):
            result = judge(found, [one for one in objects if one is not tracked])
            with open(verdict, "w", encoding="utf-8") as out:
                json.dump(result, out, indent=1)
        os._exit(0)
    os.close(reader)
    sys.stdout.write("%d\n" % os.getpid())
    sys.stdout.flush()
    line = os.read(0, 16)
    os.write(writer, line or b"")
    os.close(writer)
    os.waitpid(pid, 0)
    return more

