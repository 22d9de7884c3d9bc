#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Memory that contradicts itself, as an attacker may leave it: a stopped Python process whose heap is damaged in many ways is looked at to the
end, soon, in bounded memory, and without a crash. What is found does not matter, for nothing in it is true. Damage is done at random, and on
purpose where a loop could be made endless.
"""
import json
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import unittest

from support import PAGE, SANITIZED, IntegrationTest, program, status_of, wait_until

ROUNDS = 1 if SANITIZED else 6
SECONDS = 60           # for one look; an undamaged process takes half a second
MEMORY = 4 << 30       # of address space, for one look
RESIDENT = 1 << 30     # bytes, for one look into a trap; an undamaged process takes 25 MiB, with sanitizers 100
VICTIM = """
import json, decimal, collections, ctypes, os, signal, sys
class Number(int): pass
DATA = [{"n": n, "s": str(n), "t": (n, n + 1), "l": [n] * 3, "f": n / 3} for n in range(500)]
OBJECTS = [collections.deque([1, 2]), {1, 2, 3}, decimal.Decimal(1), (i for i in DATA), bytearray(100), 1 << 200]
LIST, SET, DICT, DEQUE, NUMBER = [DATA[250]["l"], 1, 2], set("abc"), {"key": 1}, collections.deque("abc"), Number(1)
NUMBER.attribute = LIST
CALL = ctypes.pythonapi.PyThreadState_Get
CALL.restype = ctypes.c_void_p
MAP = ctypes.CDLL(None).mmap
MAP.restype = ctypes.c_void_p
UNTOUCHED = MAP(None, ctypes.c_size_t(int(sys.argv[1])), 3, 0x4022, -1, 0)  # PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
FACTS = {name: id(globals()[name]) for name in ("LIST", "SET", "DICT", "DEQUE", "NUMBER")}
print(json.dumps({**FACTS, "inner": id(LIST[0]), "pid": os.getpid(), "thread": CALL(), "untouched": UNTOUCHED}), flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""
EXPRESSIONS = ("LIST[-1]", "SET.nothing", "DICT.nothing", "DICT['key']", "DEQUE[1]", "DEQUE.nothing", "NUMBER.attribute[-1]",
               "OBJECTS[3].__class__", "json.decoder.JSONDecoder.decode", "sys.modules['json'].__dict__['loads']", "decimal.Decimal.__mro__[0]", "LIST.__class__")


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
            words[i] = chance.choice((1 << 63, 1 << 62, (1 << 64) - 1, 1 << 32, 1 << 20))


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


class Memory:
    """Words of a process that stands still."""

    def __init__(self, file):
        self.file = file

    def word(self, address):
        self.file.seek(address)
        return struct.unpack("<Q", self.file.read(8))[0]

    def write(self, address, *words):
        self.file.seek(address)
        self.file.write(struct.pack(f"<{len(words)}Q", *words))


def nothing(_memory, _at):
    pass


def list_of_the_collector(memory, at):
    """The successor of one in the middle of it is itself: who follows it never comes back to the head."""
    head = at["inner"] - 16  # PyGC_Head {next, previous}
    assert memory.word(head + 8) & ~7 and memory.word(head) & ~7
    memory.write(head, head)


def threads_and_frames(memory, at):
    """A thread follows itself, and the function that runs was called by itself."""
    thread = at["thread"]
    if sys.version_info < (3, 11):
        frame, previous = memory.word(thread + 24), 24
    elif sys.version_info < (3, 12):
        frame, previous = memory.word(memory.word(thread + 56) + 8), 48
    elif sys.version_info < (3, 13):
        frame, previous = memory.word(memory.word(thread + 56)), 8
    else:
        frame, previous = memory.word(thread + 72), 8
    assert memory.word(thread + 8) == 0
    memory.write(thread + 8, thread)
    memory.write(frame + previous, frame)


def set_in_untouched_memory(memory, at):
    memory.write(at["SET"] + 32, (1 << 30) - 1, at["untouched"])  # mask, table


def dict_in_untouched_memory(memory, at):
    keys, entries = at["untouched"] + PAGE, 1 << 30
    if sys.version_info < (3, 11):
        memory.write(keys, 1, entries, 0, 0, entries // 2)  # refcnt, size, lookup, usable, nentries
    else:
        memory.write(keys, 1, 30 | 32 << 8 | 1 << 16, 0, entries // 2)  # refcnt, {log2_size, log2_index_bytes, kind}, usable, nentries
    memory.write(at["DICT"] + 32, keys)


def list_in_untouched_memory(memory, at):
    memory.write(at["LIST"] + 16, 1 << 30, at["untouched"] + 2 * PAGE, 1 << 30)  # size, items, allocated


def deque_of_one_block(memory, at):
    block = memory.word(at["DEQUE"] + 24)
    memory.write(block + 8 + 64 * 8, block)  # its right neighbour
    memory.write(at["DEQUE"] + 16, 1 << 60)


def least_sizes(memory, at):
    """There is no positive number for them."""
    for name in ("LIST", "NUMBER", "DEQUE", "inner"):
        memory.write(at[name] + 16, 1 << 63)


TRAPS = (nothing, list_of_the_collector, threads_and_frames, set_in_untouched_memory, dict_in_untouched_memory, list_in_untouched_memory,
         deque_of_one_block, least_sizes)


def most_resident():
    """Bytes of the largest process that has been waited for."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10


class PythonHostile(IntegrationTest):
    def victim(self, untouched=PAGE):
        """What a new one, which has so many bytes of memory that it never wrote to, says of itself; it has stopped."""
        process = self.start("/usr/bin/python3", "-B", "-c", VICTIM, untouched, stdout=subprocess.PIPE, text=True)
        facts = json.loads(process.stdout.readline())
        wait_until(lambda: status_of(facts["pid"])["State"].startswith("T"), "the victim to stop")
        return facts

    def look_at(self, pid, about, limit=None):
        command = [program("python_names"), str(pid), "--all", *EXPRESSIONS]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, preexec_fn=limit)
        os.kill(pid, signal.SIGKILL)
        self.assertIn(done.returncode, (0, 1), f"{about}: {done.stderr[-3000:]}")
        return done

    def look_at_damage(self, change, percent, seed):
        pid = self.victim()["pid"]
        damage(pid, change, percent, random.Random(seed))
        # Sanitizers take terabytes of address space.
        limit = None if SANITIZED else lambda: resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        return self.look_at(pid, f"{change.__name__} of {percent}%, seed {seed}", limit).returncode

    def test_damaged_memory(self):
        understood = 0
        for change, percent in DAMAGES:
            for seed in range(ROUNDS):
                with self.subTest(change.__name__, percent=percent, seed=seed):
                    understood += self.look_at_damage(change, percent, seed) == 0
        # Were all refused at the door, nothing behind it would have been tried.
        self.assertGreater(understood, len(DAMAGES) * ROUNDS // 4)

    def test_traps(self):
        for trap in TRAPS:
            with self.subTest(trap.__name__):
                facts = self.victim(32 << 30)
                with open(f"/proc/{facts['pid']}/mem", "r+b", buffering=0) as file:
                    trap(Memory(file), facts)
                before = most_resident()
                done = self.look_at(facts["pid"], trap.__name__)
                # Nothing that is needed to understand the interpreter is wrong.
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertLess(most_resident(), max(RESIDENT, before + 1))
                if trap is nothing:
                    asked_for_nothing = sum("nothing" in expression for expression in EXPRESSIONS)
                    self.assertEqual(int(done.stdout.split()[-1]), len(EXPRESSIONS) - asked_for_nothing, done.stdout)


if __name__ == "__main__":
    unittest.main()
