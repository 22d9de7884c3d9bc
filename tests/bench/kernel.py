# SPDX-License-Identifier: Apache-2.0
"""What a measurement switches on in the kernel, gone with the process however it ends: BPF run-time statistics and tracefs."""
import contextlib
import ctypes
import os
import pathlib
import platform
import subprocess

BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}
BPF_ENABLE_STATS = 32
CLONE_NEWNS = 0x00020000
TRACEFS = "/sys/kernel/tracing"


@contextlib.contextmanager
def bpf_statistics():
    """As kernel.bpf_stats_enabled=1, but held by a file descriptor: the kernel takes it back even if we are killed."""
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = ctypes.create_string_buffer(4)  # type 0: run time
    fd = libc.syscall(BPF_SYSCALL[platform.machine()], BPF_ENABLE_STATS, attributes, 4)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "cannot switch BPF statistics on")
    try:
        yield
    finally:
        os.close(fd)


def mount_tracefs():
    """Mounts tracing's file system where bpftrace looks for it, in a mount namespace of our own that ends with us."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "cannot make a mount namespace")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    if not pathlib.Path(TRACEFS, "events").is_dir():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACEFS], check=True)


def program_times(pid):
    """id -> (run time in ns, runs) of the BPF programs that a process holds open; empty when it is gone."""
    times = {}
    folder = f"/proc/{pid}/fdinfo"
    try:
        names = os.listdir(folder)
    except OSError:
        return times
    for name in names:
        try:
            with open(f"{folder}/{name}", encoding="ascii") as file:
                fields = dict(line.split(":", 1) for line in file if ":" in line)
        except (OSError, ValueError):
            continue
        if "run_time_ns" in fields:
            times[int(fields["prog_id"])] = (int(fields["run_time_ns"]), int(fields["run_cnt"]))
    return times
