# SPDX-License-Identifier: Apache-2.0
"""An exception that was there before the fork is raised: a reference is counted, its traceback and context are set."""
from forked import in_child

ERRORS = [ValueError(i) for i in range(2000)]
ERROR = ERRORS[1000]


def raise_error():
    raise ERROR  # expect: object=__main__.ERROR type=ValueError field=refcount cause=refcount


def catch_error():
    try:
        raise_error()
    except ValueError:
        pass


if __name__ == "__main__":
    in_child(catch_error)
