# SPDX-License-Identifier: Apache-2.0
"""Objects that a child keeps, writes, replaces, removes and adds, for --watch. Each process prints what its own page tables say, a JSON
line each: {"pid", "role", "expression", "id", "before"} and last {"pid", "after"}, lists of frames; null where there is no such object.

    watched.py exit    ends as programs do, taking the interpreter apart; else by os._exit()
    watched.py rest    the child lives on for a while after its last write
"""
import json
import os
import struct
import sys
import time

PAGE = os.sysconf("SC_PAGE_SIZE")
PAGES = 64

KEPT = b"k" * (PAGES * PAGE)        # large: a mapping of its own, and nobody counts references to it
WRITTEN = bytearray(b"w" * 100)
TABLE = {"kept": KEPT, "replaced": object(), "removed": object(), 12: "twelve", ("a", 1): "tuple", b"b": "bytes"}


class Settings:
    limit = 12
    table = TABLE

    def __init__(self):
        self.name = "x" * 1000


SETTINGS = Settings()
EXPRESSIONS = {
    "__main__.KEPT": lambda: KEPT,
    "WRITTEN": lambda: WRITTEN,
    "__main__.TABLE['kept']": lambda: TABLE["kept"],
    "TABLE['replaced']": lambda: TABLE["replaced"],
    "TABLE['removed']": lambda: TABLE.get("removed"),
    "TABLE['added']": lambda: TABLE.get("added"),
    "TABLE[12]": lambda: TABLE[12],
    "TABLE[('a', 1)]": lambda: TABLE[("a", 1)],
    "TABLE[b'b']": lambda: TABLE[b"b"],
    "SETTINGS.name": lambda: SETTINGS.name,
    "SETTINGS.limit": lambda: SETTINGS.limit,
    "SETTINGS.table[12]": lambda: TABLE[12],
    "Settings.__init__": lambda: Settings.__dict__["__init__"],
    "sys.modules['json']": lambda: json,
    "json.decoder.JSONDecoder": lambda: json.decoder.JSONDecoder,
    "json.dumps.__code__.co_consts": lambda: json.dumps.__code__.co_consts,
}


def pages_of(thing):
    """(number of the first page, pages) that the object itself lies on, with the garbage collector's header; None for None."""
    if thing is None:
        return None
    kind = type(thing)
    size = thing.__sizeof__() if kind in (bytes, str, tuple, int) else kind.__basicsize__
    start = (id(thing) - (16 if kind.__flags__ & 1 << 14 else 0)) // PAGE
    return start, (id(thing) + size - 1) // PAGE - start + 1


def frames_of(pages):
    if pages is None:
        return None
    start, count = pages
    with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
        pagemap.seek(start * 8)
        entries = struct.unpack(f"<{count}Q", pagemap.read(count * 8))
    return [entry & (1 << 55) - 1 if entry >> 63 else 0 for entry in entries]


def frames():
    return {expression: frames_of(pages_of(get())) for expression, get in EXPRESSIONS.items()}


def write():
    WRITTEN[0] = 0
    TABLE["replaced"] = object()
    del TABLE["removed"]
    TABLE["added"] = object()
    SETTINGS.name += "y"


def say(role, before):
    things = {expression: get() for expression, get in EXPRESSIONS.items()}
    lines = [{"pid": os.getpid(), "role": role, "expression": expression, "id": None if thing is None else id(thing),
              "before": before[expression]} for expression, thing in things.items()]
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    pages = {expression: pages_of(thing) for expression, thing in things.items()}
    # From here on no reference to what is watched is made, and those that there are have been counted.
    after = {expression: frames_of(where) for expression, where in pages.items()}
    os.write(1, text + (json.dumps({"pid": os.getpid(), "after": after}) + "\n").encode())


def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    frames()  # what it writes itself is written before the fork
    before = frames()
    child = os.fork()
    if child == 0:
        write()
        say("child", before)
        if mode == "rest":
            time.sleep(1)
        if mode != "exit":
            os._exit(0)
        return
    os.waitpid(child, 0)
    say("parent", before)
    if mode != "exit":
        os._exit(0)


main()
