# SPDX-License-Identifier: Apache-2.0
"""The example of a systemd unit: systemd understands it, and its commands do what it says with no more than it leaves them.

COWTRACE_BIN is the directory of the built binaries, COWTRACE_SOURCE the source tree. No systemd runs: its capabilities, file systems and
network are made by setpriv and unshare.
"""
import json
import os
import pathlib
import pwd
import re
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import unittest

TIMEOUT = 300  # seconds: after so long something hangs
BIN = pathlib.Path(os.environ["COWTRACE_BIN"])
UNIT = pathlib.Path(os.environ["COWTRACE_SOURCE"], "packaging", "systemd", "cowtrace-attach@.service")
NAME = "cowtrace-test"
PAGES = 1000
CHILDREN = 2
# Forks, waits for a line, and writes to each page of what the children share.
SERVICE = f"""
import os, sys
data = bytearray({PAGES} * 4096)
children = []
for _ in range({CHILDREN}):
    ready, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        os.read(ready, 1)
        for at in range(0, len(data), 4096):
            data[at] = 1
        os.write(1, b"written\\n")
        os.read(0, 1)
        os._exit(0)
    os.close(ready)
    children.append(go)
print("ready", flush=True)
sys.stdin.readline()
for go in children:
    os.write(go, b"x")
sys.stdin.read()
"""


def settings():
    """{key: [values]} of the unit."""
    found = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", UNIT.read_text(encoding="utf-8"), re.M):
        found.setdefault(key, []).append(value)
    return found


class Unit(unittest.TestCase):
    @staticmethod
    def verify(unit):
        """What systemd says of this unit alone. Units of other packages may have faults; the folder of `unit` holds one that has."""
        environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{unit.parent}:"}
        return subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit], capture_output=True, text=True,
                              env=environment, timeout=TIMEOUT, check=False)

    def test_systemd_understands_it(self):
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder, UNIT.name)
            wanted = pathlib.Path(folder, "multi-user.target.wants")
            wanted.mkdir()
            pathlib.Path(folder, "stranger.service").write_text("[Service]\nExecStart=/bin/true\nKillModus=none\n", encoding="utf-8")
            (wanted / "stranger.service").symlink_to("../stranger.service")
            unit.write_text(UNIT.read_text(encoding="utf-8").replace("/usr/bin/cowtrace", str(BIN / "cowtrace")), encoding="utf-8")
            done = self.verify(unit)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
            # And what is wrong is found.
            unit.write_text(unit.read_text(encoding="utf-8").replace("ProtectSystem=strict", "ProtectSystem=a-bit"), encoding="utf-8")
            self.assertIn("a-bit", self.verify(unit).stderr)

    def test_its_manual_page_exists(self):
        for name, section in re.findall(r"man:([\w-]+)\((\d)\)", "".join(settings()["Documentation"])):
            self.assertTrue((UNIT.parents[2] / "man" / f"{name}.{section}").exists(), name)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Service(unittest.TestCase):
    """What the unit starts, for a service of another user whose program only that user may read."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = pathlib.Path(directory.name)
        self.folder.chmod(0o755)
        self.state = self.folder / "state"
        self.state.mkdir(0o700)
        home = pathlib.Path("/sys/fs/cgroup")
        self.group = (home / "systemd" if (home / "systemd").is_dir() else home) / "system.slice" / f"{NAME}.service"
        if not self.group.parent.exists():
            self.group.parent.mkdir()
            self.addCleanup(self.group.parent.rmdir)
        self.group.mkdir(exist_ok=True)
        self.addCleanup(self.remove_group)

    def remove_group(self):
        for _ in range(1000):
            if not (self.group / "cgroup.procs").read_text():
                break
            select.select([], [], [], 0.01)
        self.group.rmdir()

    def start_service(self):
        nobody = pwd.getpwnam("nobody")
        home = self.folder / f"home{len(list(self.folder.iterdir()))}"
        home.mkdir(0o700)
        script = home / "service.py"
        script.write_text(SERVICE, encoding="utf-8")
        for path in (home, script):
            shutil.chown(path, nobody.pw_uid, nobody.pw_gid)
        joined = 'echo $$ >"$1"; shift; exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"'
        service = subprocess.Popen(["sh", "-c", joined, "sh", self.group / "cgroup.procs", "/usr/bin/python3", script], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        self.addCleanup(lambda: (service.stdin.close(), service.wait(), service.stdout.close()))
        self.assertEqual(service.stdout.readline(), b"ready\n")
        return service

    def command(self, key, **environment):
        """The words of ExecStart as systemd would make them."""
        values = {"STATE_DIRECTORY": str(self.state), **dict(one.split("=", 1) for one in settings()["Environment"]), **environment}
        text = settings()[key][0].removeprefix("-").replace("%i", NAME).replace("/usr/bin/cowtrace", str(BIN / "cowtrace"))
        return shlex.split(re.sub(r"\$\{(\w+)\}", lambda found: values[found.group(1)], text))

    def confined(self, command, capabilities):
        script = ('set -e; mount --bind "$1" "$1"; mount -o remount,bind,ro /; mount -o remount,bind,ro /sys; '
                  'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; shift; exec "$@"')
        bounding = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in capabilities)])
        return ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", script, "sh", str(self.state), "setpriv", f"--bounding-set={bounding}",
                "--inh-caps=-all", "--no-new-privs", *command]

    def trace(self, capabilities):
        service = self.start_service()
        # Not silent, to know when it has attached.
        command = [word for word in self.command("ExecStart") if word != "-q"]
        tracer = subprocess.Popen(self.confined(command, capabilities), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        first = tracer.stdout.readline()
        if "attached to" in first:
            service.stdin.write(b"go\n")
            service.stdin.flush()
            self.assertEqual([service.stdout.readline() for _ in range(CHILDREN)], [b"written\n"] * CHILDREN)
            tracer.send_signal(signal.Signals[settings()["KillSignal"][0]])
        rest = tracer.communicate(timeout=TIMEOUT)[0]
        return tracer.returncode, first + rest

    def report(self):
        done = subprocess.run([BIN / "cowtrace", "report", "--format", "json", self.state / f"{NAME}.cow"], capture_output=True, text=True, timeout=TIMEOUT, check=True)
        return json.loads(done.stdout)

    def test_with_what_the_unit_leaves(self):
        status, said = self.trace(settings()["CapabilityBoundingSet"][0].split())
        self.assertEqual(status, 0, said)
        report = self.report()
        data = next((one for one in report["objects"] if one["name"] == "__main__.data"), None)
        self.assertIsNotNone(data, [one["name"] for one in report["objects"]][:10])
        # All of its pages in each child; the first and the last may be other objects', too.
        self.assertAlmostEqual(data["breaks"], PAGES * CHILDREN, delta=2 * CHILDREN + 2)
        self.assertEqual((self.state / f"{NAME}.cow").stat().st_uid, 0)
        self.assertEqual([note for note in report["capture"]["notes"] if "privileges" in note], [])

    def test_a_trace_is_kept_for_the_next(self):
        (self.state / f"{NAME}.cow").write_bytes(b"the one before")
        subprocess.run(self.confined(self.command("ExecStartPre"), []), check=True, timeout=TIMEOUT)
        self.assertEqual((self.state / f"{NAME}.previous.cow").read_bytes(), b"the one before")

    def test_capabilities_are_needed(self):
        """The restrictions of this test do restrict: without the first of the set nothing is traced."""
        status, said = self.trace(set(settings()["CapabilityBoundingSet"][0].split()) - {"CAP_SYS_ADMIN"})
        self.assertEqual(status, 1)
        self.assertIn("CAP_SYS_ADMIN", said)


if __name__ == "__main__":
    unittest.main()
