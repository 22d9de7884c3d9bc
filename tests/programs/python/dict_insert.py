# SPDX-License-Identifier: Apache-2.0
"""A new key in a large dict: an entry at the end of its table, which has room for it."""
from forked import in_child

CONFIG = {f"key{i}": i for i in range(2000)}


def insert_key():
    CONFIG["new"] = 1  # expect: object=__main__.CONFIG type=dict field="keys entry *" cause=container


if __name__ == "__main__":
    in_child(insert_key)
