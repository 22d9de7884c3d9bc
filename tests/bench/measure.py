# SPDX-License-Identifier: Apache-2.0
"""Runs one command and says what it cost: its own CPU time without its children's, its peak memory, its BPF programs' time."""
import dataclasses
import os
import subprocess
import time

import kernel

POLL_SECONDS = 0.002   # a short command is not to be missed
READ_EVERY = 10        # of these the rest is read: what that costs is not to be measured
CPUCLOCK_SCHED = 2


@dataclasses.dataclass
class Cost:
    wall_s: float
    after_s: float        # from when its last child ended, to POLL_SECONDS; of what has no child: all of it
    cpu_s: float          # user and system time of the process itself
    peak_bytes: int
    bpf_ns: int
    bpf_runs: int
    status: int
    stdout: str
    stderr: str


def peak_memory(pid):
    """VmHWM of a live process, 0 when it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def own_cpu_seconds(pid):
    """Of all threads, dead ones included, and of no child; readable until the process is waited for."""
    # The clock of clock_getcpuclockid(3): /proc/PID/stat has the same in steps of 10 ms.
    return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)


def has_children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return bool(file.read().strip())
    except OSError:
        return False


def has_ended(pid):
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def run(command, output, environment=None, answer=b""):
    """`output` is a directory for what the command prints: files, so that reading them costs no process a wait. `answer` is its standard input."""
    paths = [output / "stdout", output / "stderr"]
    (output / "stdin").write_bytes(answer)
    with open(output / "stdin", "rb") as stdin, open(paths[0], "wb") as stdout, open(paths[1], "wb") as stderr:
        began = time.monotonic()
        child = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, env=environment)
        alone_since, peak, programs, looks = began, 0, {}, 0
        try:
            while not has_ended(child.pid):
                if has_children(child.pid):
                    alone_since = time.monotonic()
                if looks % READ_EVERY == 0:
                    peak = max(peak, peak_memory(child.pid))
                    # The last sight of each program counts: all of them outlive the command that they watch.
                    programs.update(kernel.program_times(child.pid))
                looks += 1
                time.sleep(POLL_SECONDS)
            ended = time.monotonic()
            cpu = own_cpu_seconds(child.pid)
        finally:
            if child.poll() is None:
                child.kill()
            status = child.wait()
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in paths]
    return Cost(ended - began, ended - alone_since, cpu, peak, sum(time_ns for time_ns, _ in programs.values()), sum(runs for _, runs in programs.values()),
                status, *texts)


def wall_seconds(command):
    """Wall time alone, of a short command, to the microsecond."""
    began = time.monotonic()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.monotonic() - began
