# SPDX-License-Identifier: Apache-2.0
"""The same with a cache that is not bounded: it keeps no order, and a hit writes nothing to it."""
import functools

from workers import run


@functools.lru_cache(maxsize=None)
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
