# SPDX-License-Identifier: Apache-2.0
"""Chains of Python functions at whose ends a forked child writes pages that it inherited. Says as JSON where the pages are and, for each
page, who called there, innermost first, as (function, line) by the interpreter's own frames; then forks.

Frames of functions lie one behind the other from 3.11 on, those of generators do not; some are larger than a page, and recursion puts one
on each edge of the memory that frames are in.
"""
import ctypes
import json
import mmap
import os
import sys

PAGE = 4096
PAGES = 400
LEVELS = 300  # of recursion: more than the interpreter gets memory for at one time

memory = mmap.mmap(-1, PAGES * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory[:] = b"\1" * len(memory)
callers = []
telling = True
page = 0


def write_page():
    global page
    if telling:
        frame, chain = sys._getframe(1), []
        while frame is not None:
            chain.append((frame.f_code.co_name, frame.f_lineno))
            frame = frame.f_back
        callers.append(chain)
    else:
        memory[page * PAGE] = 2
    page += 1


def plain():
    write_page()
    write_page()


def through(function, *arguments):
    """A call that C makes, which begins a stack of its own in the interpreter."""
    list(map(function, *([argument] for argument in arguments)))


def items(count):
    for item in range(count):
        write_page()
        yield item


def nested(count):
    yield from items(count)


def generators():
    first, second = nested(5), nested(5)
    for _ in range(5):
        next(first)
        next(second)


def recurse(levels):
    if levels % 3 == 0:
        write_page()
    if levels:
        recurse(levels - 1)


names = ", ".join(f"v{i}" for i in range(700))
exec(f"def wide(function, argument):\n    {names} = [None] * 700\n    function(argument)\n    write_page()\n")


def wide_twice():
    wide(wide_once, 0)


def wide_once(_):
    wide(lambda _: plain(), 0)


class Descriptor:
    def __get__(self, instance, owner):
        write_page()
        return self


class Owner:
    attribute = Descriptor()

    def __repr__(self):
        return "owner" if self.attribute else ""


def run_chains():
    plain()
    through(recurse, 20)
    generators()
    recurse(LEVELS)
    wide_twice()
    repr(Owner())
    sorted([3, 1, 2], key=lambda _: write_page() or 0)


sys.setrecursionlimit(10_000)
for telling in (True, False):  # the same line calls for both
    if not telling:
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        print(json.dumps({"start": start, "callers": callers}), flush=True)
        if os.fork():
            os.wait()
            break
    page = 0
    run_chains()
