# SPDX-License-Identifier: Apache-2.0
"""Boots one kernel in QEMU without KVM and brings back what the guest left in /out."""
import dataclasses
import pathlib
import subprocess
import tarfile
import time

# Multi-threaded software emulation races with the kernel's text patching, and the microvm machine hangs now and then.
QEMU = ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-machine", "pc", "-cpu", "max", "-smp", "2", "-m", "1024",
        "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot", "-net", "none"]
# What the init script prints last. QEMU's own status says nothing: a panic and an oops end with 0 too.
DONE = "GUEST-DONE"


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


def boot(kernel, archive, parameters, directory, timeout):
    """`parameters` are added to the kernel's command line; `directory` keeps the console and the second port's bytes."""
    console, port = directory / "console.log", directory / "port.tar.gz"
    command = [*QEMU, "-serial", f"file:{console}", "-serial", f"file:{port}", "-kernel", str(kernel), "-initrd", str(archive),
               "-append", f"console=ttyS0 panic=-1 oops=panic quiet loglevel=4 {parameters}"]
    began = time.monotonic()
    try:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(f"hang: killed after {timeout} s", time.monotonic() - began, {}, read(console))
    seconds = time.monotonic() - began
    text = read(console)
    if DONE not in text:
        error = status.stderr.decode(errors="replace").strip()
        return Outcome(f"the guest died (QEMU's status {status.returncode}) {error}".strip(), seconds, {}, text)
    return Outcome("", seconds, unpack(port), text)


def read(path):
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def unpack(path):
    with tarfile.open(pathlib.Path(path), "r:gz") as tar:
        return {pathlib.PurePath(member.name).name: tar.extractfile(member).read() for member in tar if member.isfile()}
