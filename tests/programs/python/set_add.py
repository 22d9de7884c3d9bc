# SPDX-License-Identifier: Apache-2.0
"""A new member of a large set of ints, whose hashes are themselves."""
from forked import in_child

MEMBERS = set(range(0, 5000))


def add_member():
    MEMBERS.add(10000)  # expect: object=__main__.MEMBERS type=set field="table[*]" cause=container


if __name__ == "__main__":
    in_child(add_member)
