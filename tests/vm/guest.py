# SPDX-License-Identifier: Apache-2.0
"""Boots one kernel in QEMU without KVM and brings back what the guest left in /out."""
import dataclasses
import pathlib
import subprocess
import tarfile
import time

# Multi-threaded software emulation races with the kernel's text patching.
QEMU = ["-accel", "tcg,thread=single", "-smp", "2", "-m", "1024",
        "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot", "-net", "none"]
# NVMe is built into all of these kernels; virtio-blk is a module. The guest knows its disks by these names.
DISKS = {"results": 256 << 20, "swap": 128 << 20}
# What the init script prints last. QEMU's own status says nothing: a panic and an oops end with 0 too.
DONE = "GUEST-DONE"
JOB = "GUEST-JOB"


@dataclasses.dataclass
class Outcome:
    """What became of a boot: `failure` is empty when the guest ran to its end."""

    failure: str
    seconds: float
    files: dict  # name -> bytes, of /out
    console: str


def last_lines(console, count=8):
    lines = [line.strip() for line in console.splitlines() if line.strip()]
    return "\n".join(lines[-count:])


def last_job(console):
    """The job that a guest was at when it ended, or ""."""
    jobs = [line.split()[1] for line in console.splitlines() if line.startswith(JOB + " ")]
    return jobs[-1] if jobs else ""


def command(machine, kernel, archive, parameters, console):
    # no_timer_check: on a busy host the kernel finds that too few timer interrupts have come, and panics.
    return [*machine.qemu, *QEMU, "-serial", f"file:{console}", "-kernel", str(kernel), "-initrd", str(archive),
            "-append", f"console={machine.console} panic=-1 oops=panic no_timer_check quiet loglevel=4 {parameters}"]


def boot(machine, kernel, archive, parameters, directory, timeout):
    """`parameters` are added to the kernel's command line; `directory` keeps the console."""
    console = directory / "console.log"
    qemu = command(machine, kernel, archive, parameters, console)
    disks = {name: directory / f"{name}.disk" for name in DISKS}
    for name, path in disks.items():
        path.unlink(missing_ok=True)
        with path.open("wb") as disk:
            disk.truncate(DISKS[name])
        qemu += ["-drive", f"file={path},if=none,id={name},format=raw,cache=unsafe", "-device", f"nvme,drive={name},serial={name}"]
    try:
        return run(qemu, console, disks["results"], timeout)
    finally:
        for path in disks.values():
            path.unlink(missing_ok=True)


def run(qemu, console, results, timeout):
    began = time.monotonic()
    try:
        status = subprocess.run(qemu, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(f"hang: killed after {timeout} s", time.monotonic() - began, {}, read(console))
    seconds = time.monotonic() - began
    text = read(console)
    if DONE not in text:
        error = status.stderr.decode(errors="replace").strip()
        return Outcome(f"the guest died (QEMU's status {status.returncode}) {error}".strip(), seconds, {}, text)
    try:
        return Outcome("", seconds, unpack(results), text)
    except (tarfile.TarError, EOFError) as error:
        return Outcome(f"its results cannot be read: {error}", seconds, {}, text)


def read(path):
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def unpack(path):
    """The files of a tar that is followed by the rest of its disk."""
    files = {}
    with tarfile.open(path, "r|gz") as tar:
        for member in tar:
            if member.isfile():
                files[pathlib.PurePath(member.name).name] = tar.extractfile(member).read()
    return files
