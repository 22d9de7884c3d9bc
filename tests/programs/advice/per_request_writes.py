# SPDX-License-Identifier: Apache-2.0
"""Workers that share a warm cache which is written to whenever it is hit: an LRU cache keeps its entries in the order of their use.
With `after` it is not bounded: it keeps no order, and a hit writes nothing to it."""
import functools
import sys

from workers import run


@functools.lru_cache(maxsize=None if "after" in sys.argv else 50000)
def price_class(name):
    return len(name) % 7


NAMES = [f"article {i}" for i in range(20000)]


def serve(number):
    for i in range(20000):
        price_class(f"article {i}")


if __name__ == "__main__":
    for name in NAMES:
        price_class(name)
    run(4, serve)
