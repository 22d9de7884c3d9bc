# SPDX-License-Identifier: Apache-2.0
"""An attribute of a class that has so many that their table is larger than a page."""
from forked import in_child

Settings = type("Settings", (), {f"option{i}": None for i in range(1000)})
MARK = object()


def set_option():
    # expect: object=__main__.Settings* type=dict field="keys entry 'option500'" cause=container
    Settings.option500 = MARK


if __name__ == "__main__":
    in_child(set_option)
