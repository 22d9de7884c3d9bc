# SPDX-License-Identifier: Apache-2.0
"""The same collection after gc.freeze(): what was there before the fork is left alone."""
import gc

from forked import in_child

ROWS = [[i] for i in range(20000)]


def collect():
    # at-most: breaks=0 object=__main__.ROWS[*] field="gc header"
    # at-most: breaks=16 cause=gc-header
    gc.collect()


if __name__ == "__main__":
    gc.disable()
    gc.collect()
    gc.freeze()
    in_child(collect)
