# SPDX-License-Identifier: Apache-2.0
"""What was copied, by the page tables and smaps of processes that still live: the oracle of the application tests. Knows nothing of cowtrace."""
import ctypes
import mmap
import os
import re
import socket
import threading
import typing

import numpy

PAGE = 4096
PRESENT, FILE, EXCLUSIVE = 63, 61, 56  # bits of an entry of /proc/PID/pagemap
FRAME = (1 << 55) - 1
READ = 1 << 18  # pages at a time
ATTEMPTS = 50
MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) ...p ", re.M)


class Pages(typing.NamedTuple):
    """The private anonymous pages of a process at one moment."""

    frames: dict  # address -> frame
    exclusive: set  # addresses that no other process maps the frame of
    private_dirty: int  # bytes, as smaps_rollup has it


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def private_dirty(pid):
    return int(re.search(r"^Private_Dirty: +(\d+) kB", read(f"/proc/{pid}/smaps_rollup"), re.M)[1]) << 10


def zero_frame():
    """The frame of the page of zeros, which is what a page is that was read and never written."""
    with mmap.mmap(-1, PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        assert memory[0] == 0
        view = ctypes.c_char.from_buffer(memory)
        with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
            pagemap.seek(ctypes.addressof(view) // PAGE * 8)
            entry = int.from_bytes(pagemap.read(8), "little")
        del view
    assert entry >> PRESENT & 1 and entry & FRAME
    return entry & FRAME


ZERO = zero_frame()


def pages_of(pid):
    """As they are at one moment: what others write or leave meanwhile makes pages exclusive, and smaps disagree with itself."""
    for _ in range(ATTEMPTS):
        dirty = private_dirty(pid)
        pages = Pages(*scan(pid), dirty)
        if private_dirty(pid) == dirty:
            break
    return pages


def scan(pid):
    frames, exclusive = {}, set()
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        for start, end in MAPPING.findall(read(f"/proc/{pid}/maps")):
            for first in range(int(start, 16) // PAGE, int(end, 16) // PAGE, READ):
                pagemap.seek(first * 8)
                wanted = min(READ, int(end, 16) // PAGE - first)
                entries = numpy.frombuffer(pagemap.read(wanted * 8), dtype=numpy.uint64)
                found = numpy.nonzero(((entries >> PRESENT & 1) > (entries >> FILE & 1)) & (entries & FRAME != ZERO))[0]
                addresses = ((found + first) * PAGE).tolist()
                frames.update(zip(addresses, (entries[found] & FRAME).tolist()))
                exclusive.update(address for address, alone in zip(addresses, (entries[found] >> EXCLUSIVE & 1).tolist()) if alone)
    return frames, exclusive


class Change(typing.NamedTuple):
    """What became of a process's pages between two moments, as sets of addresses; and what smaps says at the end."""

    inherited: set
    copied: set  # were there, and have another frame now
    anew: set  # were not there: memory that it allocated, data of files that it wrote
    left_alone: set  # have the same frame still, but nobody else does: private without a copy
    private_dirty: int  # bytes, at the end
    alone: set  # that nobody else had at the end


def change(before, after):
    kept = before.frames.keys() & after.frames.keys()
    copied = {page for page in kept if before.frames[page] != after.frames[page]}
    return Change(set(before.frames), copied, after.frames.keys() - before.frames.keys(), (kept - copied) & after.exclusive,
                  after.private_dirty, after.exclusive)


class Witness:
    """Looks at Python processes that have hooks/sitecustomize.py: at each parent right before it forks, at each child right before it ends."""

    def __init__(self, path):
        self.path = str(path)
        self.at_fork = []  # Pages of the parent, one a fork
        self.fork_of = {}  # pid of a child -> index of at_fork
        self.at_exit = {}  # pid -> Pages
        self.failure = None
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(self.path)
        os.chmod(self.path, 0o666)
        self.server.listen(64)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    @property
    def environment(self):
        hooks = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hooks")
        return {**os.environ, "PYTHONPATH": hooks, "COWTRACE_WITNESS": self.path, "PYTHONDONTWRITEBYTECODE": "1"}

    def serve(self):
        while True:
            try:
                link, _ = self.server.accept()
            except OSError:
                return  # closed
            with link:
                try:
                    link.sendall(self.answer(*link.recv(64).split()))
                except Exception as error:  # told by changes(), in the test's own thread
                    self.failure = error

    def answer(self, word, pid, number=b"0"):
        pid = int(pid)
        if word == b"fork":
            self.at_fork.append(pages_of(pid))
            return b"%d" % (len(self.at_fork) - 1)
        if word == b"child":
            self.fork_of[pid] = int(number)
        else:
            self.at_exit[pid] = pages_of(pid)
        return b"ok"

    def look(self):
        """Looks at all children that live, instead of waiting for their ends."""
        for pid in self.fork_of:
            if os.path.exists(f"/proc/{pid}/maps"):
                self.at_exit[pid] = pages_of(pid)

    def changes(self):
        """pid -> Change since the fork, of all children that were looked at."""
        if self.failure:
            raise self.failure
        return {pid: change(self.at_fork[number], self.at_exit[pid]) for pid, number in self.fork_of.items() if pid in self.at_exit}

    def close(self):
        self.server.close()
