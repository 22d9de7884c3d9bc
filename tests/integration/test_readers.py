#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reading a traced process never breaks its sharing: a forked child sees the same frames before and after cowtrace has
read maps, pagemap, memory and registered objects of it and of its children.

The control is the call that cowtrace must never make: process_vm_readv gives the child frames of its own.
"""
import ctypes
import subprocess
import unittest

from support import COWTRACE, PAGE, TIMEOUT, IntegrationTest, program

PROGRAM = program("frames_unchanged")


class Buffer(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def read_with_process_vm_readv(pid, address, pages):
    libc = ctypes.CDLL(None, use_errno=True)
    local = ctypes.create_string_buffer(pages * PAGE)
    mine, theirs = Buffer(ctypes.addressof(local), pages * PAGE), Buffer(address, pages * PAGE)
    got = libc.process_vm_readv(pid, ctypes.byref(mine), ctypes.c_ulong(1), ctypes.byref(theirs), ctypes.c_ulong(1), ctypes.c_ulong(0))
    assert got == pages * PAGE, ctypes.get_errno()


def read_with_proc_mem(pid, address, pages):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        assert len(memory.read(pages * PAGE)) == pages * PAGE


class Readers(IntegrationTest):
    def changed(self, *prefix, meanwhile=None):
        """How many of its 1000 pages the child finds in other frames."""
        running = self.start(*prefix, PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        word, pid, address, pages = running.stdout.readline().decode().split()
        self.assertEqual((word, pages), ("ready", "1000"))
        if meanwhile:
            meanwhile(int(pid), int(address, 16), int(pages))
        stdout, stderr = running.communicate(timeout=TIMEOUT)
        self.assertEqual(running.returncode, 0, stderr)
        word, count = stdout.decode().split()
        self.assertEqual(word, "changed")
        self.pid, self.region = int(pid), (int(address, 16), int(address, 16) + 1000 * PAGE)
        return int(count)

    def check_traced(self, *options):
        path = self.directory / "report.json"
        self.assertEqual(self.changed(COWTRACE, "-q", *options, "-o", path, "--"), 0)
        trace = self.loaded(0, b"", "", path)
        self.assertEqual(trace.copies([self.region]), {})
        self.assertEqual(len(trace.processes), 4)
        return trace

    def test_the_control_changes_frames(self):
        self.assertGreater(self.changed(meanwhile=read_with_process_vm_readv), 900)

    def test_proc_mem_changes_none(self):
        self.assertEqual(self.changed(meanwhile=read_with_proc_mem), 0)

    def test_an_exact_trace_changes_none(self):
        trace = self.check_traced()
        audit = trace.process(self.pid)["audit"]
        self.assertEqual(audit["unexplained"], 0)
        self.assertGreaterEqual(trace.process(self.pid)["still_shared_bytes"], 1000 * PAGE)

    def test_a_passive_trace_changes_none(self):
        self.check_traced("--snapshot", "passive")


if __name__ == "__main__":
    unittest.main()
