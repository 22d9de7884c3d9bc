# SPDX-License-Identifier: Apache-2.0
"""An attribute of one instance of many: in a values table, or (3.13 and later) behind the object's own header."""
from forked import cut_by_a_page, in_child


class Row:
    def __init__(self):
        self.a = self.b = self.c = self.d = self.e = self.f = self.g = self.h = None
        self.i = self.j = self.k = self.l = self.m = self.n = self.o = self.p = None
        self.last = None


ROWS = [Row() for _ in range(2000)]
ROW = ROWS[1000]
MARK = object()


def set_attribute():
    # expect: object=__main__.ROW* field="attribute 'last'|values[16]|inline values[16]|keys entry 'last'" cause=value|container
    ROW.last = MARK


if __name__ == "__main__":
    try:
        ROW = cut_by_a_page(ROWS, 24 + 16 * 8)  # where inline values have it
    except LookupError:
        pass  # before 3.10 no small object is cut by a page, and values lie elsewhere
    in_child(set_attribute)
