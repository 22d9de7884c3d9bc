# SPDX-License-Identifier: Apache-2.0
"""Makes the guest's root: busybox, the init script, and static programs."""
import pathlib
import shutil
import subprocess

BUSYBOX = pathlib.Path("/bin/busybox")


class NotStatic(Exception):
    """A program needs libraries, which the guest does not have."""


def add_program(root, program, strip):
    described = subprocess.run(["readelf", "-lW", str(program)], capture_output=True, text=True, check=True).stdout
    if "INTERP" in described:
        raise NotStatic(f"{program} is not a static program: build it with cmake --preset static")
    target = root / "bin" / program.name
    shutil.copy(program, target)
    if strip:
        subprocess.run(["strip", "--strip-debug", str(target)], check=True)


def make(archive, init, texts, programs, unstripped=()):
    """Writes the cpio archive. `programs` go to /bin, those in `unstripped` with their debug information; `texts` are files of /."""
    root = archive.with_suffix(".root")
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("bin", "proc", "sys", "dev", "tmp", "etc"):
        (root / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    shutil.copy(init, root / "init")
    for name, text in texts.items():
        (root / name).write_text(text, encoding="ascii")
    for program in programs:
        add_program(root, program, program not in unstripped)
    names = "\n".join(sorted(str(path.relative_to(root)) for path in root.rglob("*"))) + "\n"
    with archive.open("wb") as out:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(), stdout=out, check=True)
    shutil.rmtree(root)
