# SPDX-License-Identifier: Apache-2.0
"""Another value for a key of an OrderedDict, which is a dict with a list of its keys beside it."""
import collections

from forked import in_child

ORDERED = collections.OrderedDict((("n" if i == 1500 else f"key{i}"), i) for i in range(3000))


def write_ordered():
    # expect: object=__main__.ORDERED type=collections.OrderedDict field="keys entry 'n'" cause=container
    ORDERED["n"] = 2


if __name__ == "__main__":
    in_child(write_ordered)
