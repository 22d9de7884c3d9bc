# SPDX-License-Identifier: Apache-2.0
"""A slot of an object with so many slots that a page cuts it in two."""
from forked import cut_by_a_page, in_child


class Wide:
    __slots__ = [f"slot{i:03}" for i in range(200)]


ROWS = [Wide() for _ in range(500)]
ROW = cut_by_a_page(ROWS, 16 + 100 * 8)
MARK = object()


def set_slot():
    ROW.slot199 = MARK  # expect: object=__main__.ROW type=*Wide field="slot 'slot199'" cause=value


if __name__ == "__main__":
    in_child(set_slot)
