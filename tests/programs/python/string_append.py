# SPDX-License-Identifier: Apache-2.0
"""A string grows in place where nobody else has it and its memory has room: its last page is written.

What is written first is the new end, one byte behind the object as it was at the fork. From 3.11 on only code that ran
often enough does so; hence the warming up before the fork.
"""
from forked import in_child

LENGTH = 200000
LINES = []


def grow(times):
    text = LINES.pop()
    for _ in range(times):
        text += "x"  # expect: cause=value|native named=maybe
    LINES.append(text)


def grow_once():
    before = id(LINES[0])
    grow(1)
    if id(LINES[0]) != before:
        raise AssertionError("the string did not grow in place")


if __name__ == "__main__":
    for _ in range(100):
        LINES.append("w" * 1000)
        grow(50)
        LINES.pop()
    LINES.append("w" * LENGTH)
    in_child(grow_once)
