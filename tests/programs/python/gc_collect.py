# SPDX-License-Identifier: Apache-2.0
"""A collection in the child: it finds no garbage and writes to the header of every container."""
import gc

from forked import in_child

ROWS = [[i] for i in range(20000)]


def collect():
    gc.collect()  # expect: object=__main__.ROWS[*] type=list field="gc header" cause=gc-header at-least=100


if __name__ == "__main__":
    in_child(collect)
