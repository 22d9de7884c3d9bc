# SPDX-License-Identifier: Apache-2.0
"""A process that has been up for a while, with children that it forked long ago; does what is asked for, a line of standard input at a time.

usage: long_running.py PAGES CHILDREN [THREADS]
Prints, as JSON, its pid, those of its children and where the memory is that they share. Then, for each line, what it names, and "done":
write  each child writes to every second page, once; the work is divided between its threads
fork   another child is forked, writes to 10 pages, evenly spread, and ends; its pid is printed first
end    all end
"""
import ctypes
import json
import mmap
import os
import sys
import threading

PAGE = mmap.PAGESIZE
PAGES = int(sys.argv[1])
MEMORY = bytearray(b"\1" * ((PAGES + 1) * PAGE))


def first_page(memory):
    """Where in `memory` its first whole page begins, and its address."""
    view = (ctypes.c_char * len(memory)).from_buffer(memory)
    address = ctypes.addressof(view)
    return -address % PAGE, address + -address % PAGE


def write(first, step):
    for page in range(first, PAGES, step):
        MEMORY[START + page * PAGE + 8] = 2


START, ADDRESS = first_page(MEMORY)


class Child:
    def __init__(self, threads):
        read, self.command = os.pipe()
        self.answers, answer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.command)
            self.serve(read, answer, threads)
        os.close(read)
        os.close(answer)

    @staticmethod
    def serve(read, answer, threads):
        begin = threading.Barrier(threads + 1)
        parts = 2 * (threads + 1)

        def work(number):
            while True:
                begin.wait()
                write(2 * number, parts)
                begin.wait()

        for number in range(threads):
            threading.Thread(target=work, args=[number], daemon=True).start()
        while os.read(read, 1) == b"w":
            begin.wait()
            write(2 * threads, parts)
            begin.wait()
            os.write(answer, b".")
        os._exit(0)

    def write(self):
        os.write(self.command, b"w")
        os.read(self.answers, 1)

    def end(self):
        os.write(self.command, b"e")
        os.waitpid(self.pid, 0)


def main():
    children, threads = (int(word) for word in [*sys.argv[2:], "0"][:2])
    family = [Child(threads) for _ in range(children)]
    print(json.dumps({"pid": os.getpid(), "children": [child.pid for child in family], "start": ADDRESS, "pages": PAGES}), flush=True)
    for line in sys.stdin:
        word = line.strip()
        if word == "write":
            for child in family:
                child.write()
        elif word == "fork":
            pid = os.fork()
            if pid == 0:
                write(0, PAGES // 10)
                os._exit(0)
            os.waitpid(pid, 0)
            print(pid, flush=True)
        elif word == "end":
            break
        print("done", flush=True)
    for child in family:
        child.end()


main()
