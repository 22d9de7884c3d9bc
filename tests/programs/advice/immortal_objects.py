# SPDX-License-Identifier: Apache-2.0
"""Workers that look at None, True, small integers, short strings and types. Up to CPython 3.11 that counts references to them."""
from workers import run

NUMBERS = tuple(range(-5, 257))
LETTERS = tuple(map(chr, range(256)))
TYPES = tuple(value for value in vars(__import__("builtins")).values() if isinstance(value, type))


def look_at(things):
    for _ in things:
        pass


def serve(number):
    for things in (NUMBERS, LETTERS, TYPES, (None, True, False, ..., NotImplemented, (), "", b"")):
        look_at(things)


if __name__ == "__main__":
    run(8, serve)
