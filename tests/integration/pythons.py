# SPDX-License-Identifier: Apache-2.0
"""The CPython interpreters of this machine (scripts/pythons.sh --list), and how to run programs under those that have a root of their own.

COWTRACE_PYTHON_VERSIONS, if set, is a list like "3.9 3.14": only these. With sanitizers, which take a multiple of the time, only the last
of each such version.
"""
import ctypes
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import typing
import unittest

from support import SANITIZED, SOURCE, IntegrationTest

LIST = SOURCE / "scripts" / "pythons.sh"
OLDEST = (3, 8)
CLONE_NEWNS = 0x20000  # linux/sched.h


class Interpreter(typing.NamedTuple):
    version: tuple
    root: pathlib.Path
    executable: str

    def __str__(self):
        return ".".join(map(str, self.version)) + f" of {self.root}"

    def command(self, script, compiled=None):
        """What runs a script and writes no compiled modules beside it. `compiled`: it has them elsewhere, see environment()."""
        enter = ["chroot", self.root] if self.root != pathlib.Path("/") else []
        return [*enter, self.executable, *([] if compiled and enter else ["-B"]), script]

    def environment(self, compiled):
        """Variables for a command that keeps compiled modules in `compiled`, a folder as the interpreter names it. Unpacked interpreters
        have none, and each start would compile all that it imports."""
        return {"PYTHONPYCACHEPREFIX": str(compiled)} if self.root != pathlib.Path("/") else {}


def parse_interpreters(text):
    """Interpreters of the lines VERSION<TAB>ROOT<TAB>EXECUTABLE, the oldest first; free-threaded ones ("3.14.0t") are left out."""
    found = set()
    for line in text.splitlines():
        version, root, executable = line.split("\t")
        numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?(?:(?:a|b|rc)\d+|\+)*$", version)
        if numbers and tuple(map(int, numbers.group(1, 2))) >= OLDEST:
            found.add(Interpreter(tuple(int(number) for number in numbers.groups() if number), pathlib.Path(root), executable))
    return sorted(found)


def interpreters():
    listed = parse_interpreters(subprocess.run([LIST, "--list"], capture_output=True, text=True, check=True).stdout)
    wanted = os.environ.get("COWTRACE_PYTHON_VERSIONS")
    if wanted:
        versions = [tuple(map(int, word.split("."))) for word in wanted.split()]
        listed = [one for one in listed if one.version[:2] in versions]
    return list({one.version[:2]: one for one in listed}.values()) if SANITIZED else listed


class EachInterpreter(IntegrationTest):
    """A test of all `interpreters`, which are never none."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.interpreters = interpreters()
        if not cls.interpreters:
            raise unittest.SkipTest("no interpreter: scripts/pythons.sh unpacks some")


def furnish(roots):
    """Gives the roots the /dev and /proc that programs need (multiprocessing: /dev/shm), in a mount namespace of this process alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "cannot unshare the mount namespace")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for root in roots:
        for folder in ("dev", "proc"):
            subprocess.run(["mount", "--rbind", f"/{folder}", root / folder], check=True)


def place(add_cleanup, interpreter, folder):
    """A copy of a folder of programs where the interpreter can read it, as it names it; it lasts until what `add_cleanup` is told."""
    if interpreter.root == pathlib.Path("/"):
        return folder
    copy = pathlib.Path(tempfile.mkdtemp(prefix="cowtrace-programs-", dir=interpreter.root / "tmp"))
    add_cleanup(shutil.rmtree, copy, ignore_errors=True)
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    return pathlib.Path("/tmp") / copy.name
