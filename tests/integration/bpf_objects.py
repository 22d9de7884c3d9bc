# SPDX-License-Identifier: Apache-2.0
"""Programs, maps and links that the kernel has, as (kind, id), and those that processes have open. The kernel gives no id twice while it runs."""
import json
import os
import subprocess

KINDS = ("prog", "map", "link")
BPFTOOL = "/usr/sbin/bpftool"


def held_by(pid):
    """What a process has open; nothing where it has ended, or where nobody may look."""
    found = set()
    try:
        files = os.listdir(f"/proc/{pid}/fdinfo")
    except OSError:
        return found
    for fd in files:
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii", errors="replace") as file:
                fields = dict(line.split(":", 1) for line in file if ":" in line)
        except OSError:
            continue
        found |= {(kind, int(fields[f"{kind}_id"])) for kind in KINDS if f"{kind}_id" in fields}
    return found


def is_in_the_kernel(one):
    kind, number = one
    return subprocess.run([BPFTOOL, kind, "show", "id", str(number)], capture_output=True, check=False).returncode == 0


def named():
    """{(kind, id): name} of programs and maps. A link has none, and its program lives as long as it does."""
    found = {}
    for kind in ("prog", "map"):
        listed = subprocess.run([BPFTOOL, "-j", kind, "show"], capture_output=True, text=True, check=True).stdout
        found |= {(kind, one["id"]): one.get("name", "") for one in json.loads(listed or "[]")}
    return found


def without_a_holder(names):
    """Programs and maps of these names that the kernel has although no process has them open. It frees them a moment after they were closed."""
    found = {one for one, name in named().items() if name in names}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        found -= held_by(pid)
    return found
