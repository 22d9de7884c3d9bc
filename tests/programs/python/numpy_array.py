# SPDX-License-Identifier: Apache-2.0
"""Reads a numpy array, which costs nothing, and writes to it, which costs the page that was written."""
import sys

from forked import in_child

try:
    import numpy
except ImportError as error:
    print(f"no numpy: {error}", file=sys.stderr)
    sys.exit(77)

READ = numpy.arange(100000, dtype=float)
WRITTEN = numpy.arange(100000, dtype=float)


def read_and_write():
    READ.max()  # at-most: breaks=0 object=__main__.READ field=data
    WRITTEN[50000] = 1.5  # expect: object=__main__.WRITTEN type=*ndarray field=data cause=value|native named=maybe


if __name__ == "__main__":
    in_child(read_and_write)
