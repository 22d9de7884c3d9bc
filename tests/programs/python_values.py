# SPDX-License-Identifier: Apache-2.0
"""Tells, as JSON, where the values of its instances' attributes are and where the memory that was allocated for them, and for what owns them,
ends, by what the C library says, and how many of them there may be, by what the interpreter says; then stands still. For CPython 3.11 and 3.12 with
PYTHONMALLOC=malloc: there the values of an instance are an allocation of their own, the later the instance was made the smaller, in front of
which a byte says how many bytes precede them.
"""
import ctypes
import json
import os
import signal
import sys

USABLE_SIZE = ctypes.CDLL(None).malloc_usable_size
USABLE_SIZE.argtypes = [ctypes.c_void_p]
USABLE_SIZE.restype = ctypes.c_size_t
MA_VALUES = 40  # PyDictObject
GC_HEADER = 16  # in front of every object that the collector tracks
MANAGED = 16  # in front of that: where an instance's dict and weak references, or its values, are


class Plain:
    def __init__(self):
        self.first = None
        self.second = None


def word(address):
    return ctypes.c_uint64.from_address(address).value


def values_of(instance):
    """The managed dict: 3.11 values at -32, 3.12 values less one at -24."""
    return word(id(instance) - 32) if sys.version_info < (3, 12) else word(id(instance) - 24) + 1


def row(owner, header, values):
    before = ctypes.c_uint8.from_address(values - 1).value
    start = id(owner) - header
    return {"owner": id(owner), "start": start, "stop": start + USABLE_SIZE(start), "values": values,
            "end": values - before + USABLE_SIZE(values - before)}


INSTANCES = [Plain() for _ in range(60)]
DICTS = [vars(instance) for instance in INSTANCES[::3]]
ROWS = [row(one, MANAGED + GC_HEADER, values_of(one)) for number, one in enumerate(INSTANCES) if number % 3]
ROWS += [row(one, GC_HEADER, word(id(one) + MA_VALUES)) for one in DICTS]
ATTRIBUTES = list(vars(Plain()))
ROOM = (sys.getsizeof(DICTS[0]) - sys.getsizeof({})) // 8  # dict.__sizeof__ counts the values, and an empty dict has no table
print(json.dumps({"pid": os.getpid(), "attributes": ATTRIBUTES, "room": ROOM, "rows": ROWS}), flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
