# SPDX-License-Identifier: Apache-2.0
"""A string is interned: the interpreter's own table of them gets an entry."""
import sys

from forked import in_child

NAMES = [sys.intern(f"a name {i}") for i in range(5000)]


def intern_name():
    name = "".join(("a name ", "that is new"))
    sys.intern(name)  # expect: cause=container|native|value named=maybe


if __name__ == "__main__":
    in_child(intern_name)
