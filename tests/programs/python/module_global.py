# SPDX-License-Identifier: Apache-2.0
"""Another value for a global variable of a module that has so many that their table is larger than a page."""
from forked import in_child

globals().update((f"before{i}", None) for i in range(1000))
COUNTER = 0
globals().update((f"after{i}", None) for i in range(1000))


def assign_global():
    global COUNTER
    COUNTER = 1  # expect: object=__main__* type=dict|module field="keys entry 'COUNTER'" cause=container


if __name__ == "__main__":
    in_child(assign_global)
