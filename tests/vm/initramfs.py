# SPDX-License-Identifier: Apache-2.0
"""Makes the guest's root: busybox, the init script, programs and the shared libraries that they need."""
import pathlib
import re
import shutil
import subprocess

BUSYBOX = pathlib.Path("/bin/busybox")


def libraries(program):
    """The files that the dynamic linker would load, itself included."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    return [pathlib.Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", done.stdout, re.MULTILINE)]


def add_program(root, program, strip):
    target = root / "bin" / program.name
    shutil.copy(program, target)
    if strip:
        subprocess.run(["strip", "--strip-debug", str(target)], check=True)
    for library in libraries(program):
        place = root / library.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)


def make(archive, init, jobs, programs, unstripped=()):
    """Writes the cpio archive. `programs` go to /bin; those in `unstripped` keep their debug information."""
    root = archive.with_suffix(".root")
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("bin", "proc", "sys", "dev", "tmp"):
        (root / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    shutil.copy(init, root / "init")
    (root / "jobs").write_text(jobs, encoding="ascii")
    for program in programs:
        add_program(root, program, program not in unstripped)
    names = "\n".join(sorted(str(path.relative_to(root)) for path in root.rglob("*"))) + "\n"
    with archive.open("wb") as out:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(), stdout=out, check=True)
    shutil.rmtree(root)
