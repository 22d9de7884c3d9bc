#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How processes end: what wait(2) told their parents is what every report says; and those that are killed as the command ends are still seen."""
import json
import os
import pathlib
import signal
import subprocess
import unittest

from support import COWTRACE, TIMEOUT, IntegrationTest, load, wait_until

PYTHON = "/usr/bin/python3"
HUGE_PAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
ROUNDS = 20
VICTIMS = 4

# Prints what wait(2) says of each child. Whose status that is where the first thread ends first differs between kernels (5.17).
ENDS = """
import ctypes, json, os, platform, signal, subprocess, sys, threading
EXIT = {"x86_64": 60, "aarch64": 93}[platform.machine()]
libc = ctypes.CDLL(None)
def raw_exit(status):
    libc.syscall(EXIT, status)
def first_thread_first():
    def last():
        stat = lambda: open(f"/proc/self/task/{os.getpid()}/stat").read().rpartition(")")[2].split()[0]
        while stat() != "Z":
            pass
        raw_exit(4)
    threading.Thread(target=last).start()
    raw_exit(9)
def other_thread_of_all():
    thread = threading.Thread(target=os._exit, args=(7,))
    thread.start()
    thread.join()
def killed_by(number):
    return lambda: (signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else 0, os.kill(os.getpid(), number), signal.pause())
ends = [lambda: os._exit(0), lambda: os._exit(3), lambda: os._exit(255), lambda: raw_exit(6), first_thread_first, other_thread_of_all,
        lambda: os.execv("/bin/sh", ["sh", "-c", "exit 5"])]
ends += [killed_by(number) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGBUS, signal.SIGRTMIN + 3)]
import resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
if len(sys.argv) > 1:
    open(sys.argv[1], "w").close()
    sys.stdin.readline()
statuses = {}
for end in ends:
    pid = os.fork()
    if pid == 0:
        end()
    statuses[pid] = os.waitpid(pid, 0)[1]
child = subprocess.Popen(["/bin/sh", "-c", "exit 8"])
statuses[child.pid] = child.wait() << 8
print(json.dumps(statuses), flush=True)
"""

# Kills its children as the last thing it does, waits for none and ends at once.
MASSACRE = f"""
import os, signal, sys, time
ready, write = os.pipe()
pids = []
for _ in range({VICTIMS}):
    pid = os.fork()
    if pid == 0:
        data = bytearray(1 << 20)
        os.write(write, b"x")
        while True:
            time.sleep(1000)
    pids.append(pid)
left = {VICTIMS}
while left:
    left -= len(os.read(ready, left))
for pid in pids:
    os.kill(pid, int(sys.argv[1]))
os._exit(0)
"""

# Where no huge page is free for the parent's copy, it is taken away from the child.
HUGE = """
import ctypes, mmap, os
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
MAP_HUGETLB = 0x40000
SIZE = 2 << 20
at = libc.mmap(None, SIZE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB, -1, 0)
if at in (None, ctypes.c_void_p(-1).value):
    raise SystemExit(77)
memory = (ctypes.c_char * SIZE).from_address(at)
memory[0] = b"1"
go, told = os.pipe()
pid = os.fork()
if pid == 0:
    os.read(go, 1)
    memory[0]
    os._exit(0)
memory[0] = b"2"
os.write(told, b"x")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), pid, flush=True)
"""


def end_of(status):
    return {"signal": status & 0x7F} if status & 0x7F else {"status": status >> 8}


class Ends(IntegrationTest):
    def check(self, report, statuses):
        ends = {process["pid"]: process["end"] for process in report["processes"]}
        self.assertEqual({int(pid): ends[int(pid)] for pid in statuses}, {int(pid): end_of(status) for pid, status in statuses.items()})

    def test_every_report_tells_them(self):
        for options in ((), ("--snapshot", "passive"), ("--detail", "counts")):
            with self.subTest(options):
                files = {suffix: self.directory / f"ends.{suffix}" for suffix in ("json", "jsonl", "txt", "cow")}
                done = self.cowtrace("-q", *options, *[word for file in files.values() for word in ("-o", file)], "--", PYTHON, "-c", ENDS)
                self.assertEqual(done.returncode, 0, done.stderr)
                statuses = json.loads(done.stdout)
                report = load(files["json"])
                self.check(report, statuses)
                self.assertEqual(report["processes"][0]["end"], {"status": 0})
                lines = [json.loads(line) for line in files["jsonl"].read_text().splitlines()]
                self.assertEqual({line["pid"]: line["end"] for line in lines if line["type"] == "exit"},
                                 {process["pid"]: process["end"] for process in report["processes"]})
                text = files["txt"].read_text()
                words = " ".join(text.split())
                killed, execed = ({status: pid for pid, status in statuses.items()}[of] for of in (signal.SIGKILL, 5 << 8))
                self.assertIn(f"by SIGKILL: {killed}", words)
                self.assertIn(f"by signal {signal.SIGRTMIN + 3}: ", words)
                self.assertIn("with status 255: ", words)
                self.assertIn(f"ran another program (exec): {execed}, ", words)
                self.check(json.loads(subprocess.run([COWTRACE, "report", files["cow"], "--format", "json"], capture_output=True, check=True).stdout), statuses)

    def test_of_a_running_family(self):
        report, begun = self.directory / "ends.json", self.directory / "begun"
        with subprocess.Popen([PYTHON, "-c", ENDS, begun], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
            wait_until(begun.exists, "the program has begun")
            with subprocess.Popen([COWTRACE, "attach", "-o", report, str(program.pid)], stderr=subprocess.PIPE) as tracer:
                line = tracer.stderr.readline()
                self.assertIn(b"attached to 1 process", line)
                out, _ = program.communicate(b"\n", timeout=TIMEOUT)
                _, error = tracer.communicate(timeout=TIMEOUT)
                self.assertEqual(tracer.returncode, 0, error)
        self.check(load(report), json.loads(out))

    def test_who_runs_on_has_not_ended(self):
        trace = self.trace("sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!", options=("-q",))
        pid = int(trace.stdout)
        self.addCleanup(os.kill, pid, signal.SIGKILL)
        self.assertIsNone(trace.process(pid)["end"])

    def test_a_child_that_lost_its_huge_page(self):
        before = HUGE_PAGES.read_text()
        self.addCleanup(HUGE_PAGES.write_text, before)
        HUGE_PAGES.write_text("1")
        if HUGE_PAGES.read_text().strip() != "1":
            self.skipTest("no huge page can be reserved")
        trace = self.trace(PYTHON, "-c", HUGE, options=("-q",), status=None)
        if trace.returncode == 77:
            self.skipTest("there are no hugetlb pages")
        code, pid = map(int, trace.stdout.split())
        self.assertEqual(code, -signal.SIGBUS)
        self.assertEqual(trace.process(pid)["end"], {"signal": signal.SIGBUS})
        notes = [note for note in trace.capture["notes"] if f"process {pid} was killed by SIGBUS" in note]
        self.assertEqual(len(notes), 1, trace.capture["notes"])
        self.assertIn("huge page", notes[0])


class KilledAtTheEnd(IntegrationTest):
    def check(self, number, options, rounds):
        for round_number in range(rounds):
            with self.subTest(round=round_number, options=options):
                trace = self.trace(PYTHON, "-c", MASSACRE, str(int(number)), options=("-q", *options))
                self.assertEqual(trace.returncode, 0)
                children = [process for process in trace.processes if process["parent"] is not None]
                self.assertEqual([child["end"] for child in children], [{"signal": number}] * VICTIMS)
                if not options:
                    self.assertEqual([child["audit_missing"] for child in children], [None] * VICTIMS)
                    self.assertEqual(trace.audited("unexplained"), 0)

    def test_all_are_audited(self):
        self.check(signal.SIGKILL, (), ROUNDS)

    def test_by_a_signal_that_they_do_not_handle(self):
        self.check(signal.SIGTERM, (), 5)

    def test_without_snapshots(self):
        self.check(signal.SIGKILL, ("--snapshot", "passive"), 5)


if __name__ == "__main__":
    unittest.main()
