# SPDX-License-Identifier: Apache-2.0
"""tests/programs/long_running.py as it runs, and the frames of its pages, from outside."""
import json
import struct
import subprocess

from support import PAGE, SOURCE

PYTHON = "/usr/bin/python3"
LONG_RUNNING = SOURCE / "tests" / "programs" / "long_running.py"
FRAME = (1 << 55) - 1  # of an entry of /proc/PID/pagemap


def frames(pid, start, pages):
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as file:
        file.seek(start // PAGE * 8)
        return [entry & FRAME for entry in struct.unpack(f"{pages}Q", file.read(pages * 8))]


class LongRunning:
    """tests/programs/long_running.py, as it runs."""

    def __init__(self, test, pages=200, children=2, threads=0):
        self.process = test.start(PYTHON, LONG_RUNNING, pages, children, threads, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        said = json.loads(self.process.stdout.readline())
        self.pid, self.children, self.start, self.pages = (said[key] for key in ("pid", "children", "start", "pages"))

    @property
    def end(self):
        return self.start + self.pages * PAGE

    def do(self, word):
        """Has it done; what it says besides."""
        self.process.stdin.write(word + "\n")
        said = []
        while (line := self.process.stdout.readline().strip()) != "done":
            said.append(line)
        return said

    def frames(self):
        return {pid: frames(pid, self.start, self.pages) for pid in self.children}
