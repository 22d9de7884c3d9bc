#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Memory that contradicts itself, as an attacker may leave it: a stopped Python process whose heap is damaged in many ways is looked at to the
end, soon, in bounded memory, and without a crash. What is found does not matter, for nothing in it is true.
"""
import os
import random
import resource
import signal
import struct
import subprocess
import unittest

from support import PAGE, IntegrationTest, program, status_of, wait_until

ROUNDS = 6
SECONDS = 60           # for one look; an undamaged process takes half a second
MEMORY = 4 << 30       # of address space, for one look
VICTIM = """
import json, decimal, collections, os, signal, sys
DATA = [{"n": n, "s": str(n), "t": (n, n + 1), "l": [n] * 3, "f": n / 3} for n in range(5000)]
OBJECTS = [collections.deque([1, 2]), {1, 2, 3}, decimal.Decimal(1), (i for i in DATA), bytearray(100), 1 << 200]
print(os.getpid(), flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


def writable_pages(pid):
    """Addresses of the resident pages of private writable memory, but for the stack."""
    pages = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/pagemap", "rb") as pagemap:
        for line in maps:
            span, perms, *rest = line.split()
            if not perms.startswith("rw-p") or "[stack]" in rest:
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            pagemap.seek(start // PAGE * 8)
            entries = pagemap.read((end - start) // PAGE * 8)
            pages += [start + i * PAGE for i, (entry,) in enumerate(struct.iter_unpack("<Q", entries)) if entry >> 63]
    return pages


def bits(words, _pages, chance):
    for _ in range(8):
        words[chance.randrange(len(words))] ^= 1 << chance.randrange(64)


def pointers(words, pages, chance):
    """References to somewhere else, not always to the start of an object."""
    for _ in range(8):
        words[chance.randrange(len(words))] = chance.choice(pages) + chance.randrange(0, PAGE, chance.choice((1, 8, 16)))


def sizes(words, _pages, chance):
    """What looks like a count becomes absurd, or negative."""
    for i, word in enumerate(words):
        if 0 < word < 1000 and chance.random() < 0.02:
            words[i] = chance.choice((1 << 62, (1 << 64) - 1, 1 << 32, 1 << 20))


def cycles(words, _pages, chance):
    """References change places: lists become circles, tables each other's."""
    found = [i for i, word in enumerate(words) if word >> 40 and word % 8 == 0]
    for _ in range(min(8, len(found) // 2)):
        one, other = chance.choice(found), chance.choice(found)
        words[one], words[other] = words[other], words[one]


def noise(words, _pages, chance):
    words[:] = struct.unpack(f"<{len(words)}Q", chance.randbytes(8 * len(words)))


def zeros(words, _pages, _chance):
    words[:] = [0] * len(words)


# How many pages of a hundred each damages: where much is lost, little remains to be misled by.
DAMAGES = [(change, percent) for change in (bits, pointers, sizes, cycles, noise, zeros) for percent in (1, 5, 30)]


def damage(pid, change, percent, chance):
    pages = writable_pages(pid)
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for page in pages:
            if chance.randrange(100) >= percent:
                continue
            memory.seek(page)
            words = list(struct.unpack("<512Q", memory.read(PAGE)))
            change(words, pages, chance)
            memory.seek(page)
            memory.write(struct.pack("<512Q", *(word & (1 << 64) - 1 for word in words)))


class PythonHostile(IntegrationTest):
    def look_at(self, change, percent, seed):
        victim = self.start("/usr/bin/python3", "-B", "-c", VICTIM, stdout=subprocess.PIPE, text=True)
        pid = int(victim.stdout.readline())
        wait_until(lambda: status_of(pid)["State"].startswith("T"), "the victim to stop")
        damage(pid, change, percent, random.Random(seed))
        done = subprocess.run([program("python_names"), str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=SECONDS,
                              check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY)))
        os.kill(pid, signal.SIGKILL)
        self.assertIn(done.returncode, (0, 1), f"{change.__name__} of {percent}%, seed {seed}: {done.stderr[-1000:]}")
        return done.returncode

    def test_damaged_memory(self):
        understood = 0
        for change, percent in DAMAGES:
            for seed in range(ROUNDS):
                with self.subTest(change.__name__, percent=percent, seed=seed):
                    understood += self.look_at(change, percent, seed) == 0
        # Were all refused at the door, nothing behind it would have been tried.
        self.assertGreater(understood, len(DAMAGES) * ROUNDS // 4)


if __name__ == "__main__":
    unittest.main()
