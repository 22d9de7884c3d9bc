# SPDX-License-Identifier: Apache-2.0
"""Another value for a key in the middle of a large dict."""
from forked import in_child

CONFIG = {("n" if i == 1500 else f"key{i}"): i for i in range(3000)}


def write_config():
    CONFIG["n"] = 2  # expect: object=__main__.CONFIG type=dict field="keys entry 'n'" cause=container


if __name__ == "__main__":
    in_child(write_config)
