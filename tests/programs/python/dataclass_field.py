# SPDX-License-Identifier: Apache-2.0
"""A field of one dataclass instance of many."""
import dataclasses

from forked import cut_by_a_page, in_child


@dataclasses.dataclass
class Point:
    a: object = None
    b: object = None
    c: object = None
    d: object = None
    e: object = None
    f: object = None
    g: object = None
    h: object = None
    i: object = None
    j: object = None
    last: object = None


POINTS = [Point() for _ in range(2000)]
POINT = POINTS[1000]
MARK = object()


def set_field():
    # expect: object=__main__.POINT* field="attribute 'last'|values[10]|inline values[10]|keys entry 'last'" cause=value|container
    POINT.last = MARK


if __name__ == "__main__":
    try:
        POINT = cut_by_a_page(POINTS, 24 + 10 * 8)  # where inline values have it
    except LookupError:
        pass  # before 3.10 no small object is cut by a page, and values lie elsewhere
    in_child(set_field)
