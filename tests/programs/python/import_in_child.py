# SPDX-License-Identifier: Apache-2.0
"""The child imports a module: sys.modules, which has more entries here than a page holds, gets one more."""
import sys

from forked import in_child

# A name whose module is None cannot be imported, and is an entry all the same.
sys.modules.update((f"no_such_module_{i}", None) for i in range(2000))


def import_module():
    # expect: object=sys.modules type=dict field="keys entry *" cause=container frame=any
    import colorsys
    return colorsys


if __name__ == "__main__":
    if "colorsys" in sys.modules:
        raise AssertionError("it is imported already")
    in_child(import_module)
