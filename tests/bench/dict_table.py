# SPDX-License-Identifier: Apache-2.0
"""A dict of COUNT entries, str to str, and a child that ends orderly: its interpreter takes all apart, so every page of it is copied.

usage: dict_table.py COUNT
"""
import os
import sys

TABLE = {f"key {number}": f"value {number}" for number in range(int(sys.argv[1]))}

child = os.fork()
if child == 0:
    sys.exit(0)
os.waitpid(child, 0)
os._exit(0)
