# SPDX-License-Identifier: Apache-2.0
"""Makes the guest's root: busybox, the init script, and static programs."""
import shutil
import subprocess


WITH_MODULES = "with-modules.cpio"


class Unfit(Exception):
    """A program that cannot run in the guest: it needs libraries, which are not there, or is of another architecture."""


def check_program(machine, program):
    described = subprocess.run(["readelf", "-hlW", str(program)], capture_output=True, text=True, check=True).stdout
    if machine.elf not in described:
        raise Unfit(f"{program} is no program for {machine.architecture}: build it with cmake --preset {machine.preset}")
    if "INTERP" in described:
        raise Unfit(f"{program} is not a static program: build it with cmake --preset {machine.preset}")


def add_program(root, machine, program, strip):
    check_program(machine, program)
    target = root / "bin" / program.name
    shutil.copy(program, target)
    if strip:
        subprocess.run([machine.strip, "--strip-debug", str(target)], check=True)


def pack(root, archive):
    names = "\n".join(sorted(str(path.relative_to(root)) for path in root.rglob("*"))) + "\n"
    with archive.open("wb") as out:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(), stdout=out, check=True)


def with_modules(archive, modules, directory):
    """The archive, or one in `directory` that also has these files in /modules: the kernel takes several archives in a row."""
    if not modules:
        return archive
    root = directory / "modules.root"
    (root / "modules").mkdir(parents=True)
    for module in modules:
        shutil.copy(module, root / "modules")
    more, both = directory / "modules.cpio", directory / WITH_MODULES
    pack(root, more)
    with both.open("wb") as out:
        for part in (archive, more):
            with part.open("rb") as content:
                shutil.copyfileobj(content, out)
    shutil.rmtree(root)
    more.unlink()
    return both


def make(archive, machine, busybox, init, texts, programs, unstripped=()):
    """Writes the cpio archive. `programs` go to /bin, those in `unstripped` with their debug information; `texts` are files of /."""
    root = archive.with_suffix(".root")
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("bin", "proc", "sys", "dev", "tmp", "etc"):
        (root / folder).mkdir(parents=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    shutil.copy(init, root / "init")
    for name, text in texts.items():
        (root / name).write_text(text, encoding="ascii")
    for program in programs:
        add_program(root, machine, program, program not in unstripped)
    pack(root, archive)
    shutil.rmtree(root)
