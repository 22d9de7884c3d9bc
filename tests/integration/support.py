# SPDX-License-Identifier: Apache-2.0
"""What every integration test needs: run cowtrace for real, load its report and the scenario's truth, compare the two.

COWTRACE_BIN is the directory of the built binaries, COWTRACE_SOURCE the source tree; the test programs are beside the
binaries, in ../tests/programs. COWTRACE_SANITIZE, if not empty, says that they were built with sanitizers. Nothing here sleeps to be on time: see wait_until and ready files.
"""
import ctypes
import json
import mmap
import os
import pathlib
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(os.environ.get("COWTRACE_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("COWTRACE_BIN", SOURCE / "build" / "release" / "bin"))
COWTRACE = str(BIN / "cowtrace")
SCENARIO = str(BIN / "scenario")
PROGRAMS = BIN.parent / "tests" / "programs"
SANITIZED = bool(os.environ.get("COWTRACE_SANITIZE"))  # what is in BIN and PROGRAMS is slower and takes more memory

sys.path.insert(0, str(SOURCE / "tests"))
import jsonschema  # noqa: E402
import validate_report  # noqa: E402

TIMEOUT = 300  # seconds: after so long something hangs. What measures a time has a clock of its own, and holds it against another time
PAGE = 4096
# The scenarios of parents, children and steps: any number of children, and what is copied is `copied`. The others have `breaks` instead.
PLAYED = ("read", "mutate", "mutate-parent", "mutate-both", "grandchild", "threads", "syscall-write", "storm")
SCHEMA_ROWS = 300  # rows of a list that are held against the schema: it costs a millisecond each


def program(name):
    return str(PROGRAMS / name)


def scenario_names():
    listed = subprocess.run([SCENARIO, "list"], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in listed.splitlines() if line.strip()]


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def has_zero_page():
    """Does this kernel give memory that was only read its page of zeros? Two such pages then have one frame."""
    memory = mmap.mmap(-1, 2 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    # Base pages, and only read.
    ctypes.CDLL(None).madvise(ctypes.c_void_p(address), 2 * PAGE, 15)
    read = [memory[at] for at in (0, PAGE)]
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        entries = struct.unpack("QQ", os.pread(file.fileno(), 16, address // PAGE * 8))
    frames = {entry & ((1 << 55) - 1) for entry in entries}
    return read == [0, 0] and len(frames) == 1 and frames != {0}


def wait_until(condition, what, seconds=TIMEOUT):
    """Polls until `condition()` is true and returns its value; fails loudly instead of going on."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out: {what}")
        select.select([], [], [], 0.005)


def status_of(pid):
    """The fields of /proc/PID/status, or None when there is no such process."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_running(pid):
    status = status_of(pid)
    return status is not None and not status["State"].startswith(("Z", "X"))


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except FileNotFoundError:
        return []


def command_of(tracer):
    """The command that a cowtrace runs, or None before its exec. Processes that test the hooks come and go before."""
    for child in children_of(tracer):
        status = status_of(child)
        if status and status["Name"] != "cowtrace":
            return child
    return None


class Trace:
    """One finished run of cowtrace."""

    def __init__(self, returncode, stdout, stderr, report, truth):
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr
        self.report = report
        self.truth = truth

    @property
    def capture(self):
        return self.report["capture"]

    @property
    def processes(self):
        return self.report["processes"]

    def process(self, pid):
        """The one process entry of a pid that was used once."""
        (found,) = [process for process in self.processes if process["pid"] == pid]
        return found

    def count(self, mechanism):
        return self.report["totals"]["by_mechanism"][mechanism]["count"]

    def copies(self, regions=None):
        """(pid, page) -> number of copies, inside `regions` ([start, end) pairs) or everywhere."""
        result = {}
        for page in self.report["pages"]:
            address = int(page["address"], 16)
            copies = page["by_mechanism"].get("copy", 0)
            if copies and (regions is None or any(start <= address < end for start, end in regions)):
                key = (page["pid"], address)
                result[key] = result.get(key, 0) + copies
        return result

    @property
    def regions(self):
        return [(int(region["start"], 16), int(region["start"], 16) + region["size"]) for region in self.truth["regions"]]

    @property
    def truly_copied(self):
        return {(process["pid"], int(page, 16)) for process in self.truth["processes"] for page in process["copied"]}

    def audited(self, field):
        return sum(process["audit"][field] for process in self.processes if process["audit"])


def sampled(report):
    """The report with long lists thinned out to their beginning and end."""
    thin = {}
    for key, value in report.items():
        long = isinstance(value, list) and len(value) > SCHEMA_ROWS
        thin[key] = value[: SCHEMA_ROWS // 2] + value[-SCHEMA_ROWS // 2 :] if long else value
    return thin


_SCHEMA = load(SOURCE / "docs" / "report.schema.json")
_VALIDATOR = jsonschema.Draft202012Validator(_SCHEMA)


def report_errors(report):
    errors = [f"{error.json_path}: {error.message}" for error in _VALIDATOR.iter_errors(sampled(report))]
    return errors or list(validate_report.cross_references(report))


class IntegrationTest(unittest.TestCase):
    """A test with a scratch directory, that kills what it started."""

    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise AssertionError("integration tests need root")
        for path in (COWTRACE, SCENARIO):
            if not os.access(path, os.X_OK):
                raise AssertionError(f"{path} is not built")

    def setUp(self):
        os.umask(0o022)  # some files are for other users, whoever runs this
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="cowtrace-test-"))
        self.directory.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def start(self, *arguments, **keywords):
        """Starts a process in a session of its own that this test kills at its end, with all of its process group."""
        keywords.setdefault("start_new_session", True)
        child = subprocess.Popen([str(argument) for argument in arguments], **keywords)
        self.addCleanup(self.end, child)
        return child

    @staticmethod
    def end(child):
        if child.poll() is None:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                child.kill()
            child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream:
                stream.close()

    def cowtrace(self, *arguments, **keywords):
        """Runs cowtrace with these arguments and nothing else; returns a CompletedProcess with bytes."""
        keywords.setdefault("stdin", subprocess.DEVNULL)
        keywords.setdefault("timeout", TIMEOUT)
        return subprocess.run([COWTRACE, *map(str, arguments)], capture_output=True, check=False, **keywords)

    def full_disk(self):
        """A folder where a page of file fits, and no more."""
        disk = self.directory / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        return disk

    def trace(self, *command, options=(), truth=False, status=0, valid=True, **keywords):
        """Runs `cowtrace OPTIONS -o ... -- COMMAND`, checks its exit status (None: any) and its report, and returns a Trace."""
        path = self.directory / "report.json"
        truth_path = self.directory / "truth.json"
        path.unlink(missing_ok=True)
        truth_path.unlink(missing_ok=True)
        if truth:
            command = [*command, "--truth", truth_path]
        done = self.cowtrace("run", *options, "-o", path, "--", *command, **keywords)
        stderr = done.stderr.decode("utf-8")
        if status is not None:
            self.assertEqual(done.returncode, status, f"{command}\n{done.stdout!r}\n{stderr}")
        return self.loaded(done.returncode, done.stdout, stderr, path, truth_path if truth else None, valid)

    def loaded(self, returncode, stdout, stderr, path, truth_path=None, valid=True):
        trace = Trace(returncode, stdout, stderr, load(path), load(truth_path) if truth_path and truth_path.exists() else None)
        if valid:
            self.assertEqual(report_errors(trace.report), [])
        return trace

    def trace_scenario(self, name, pages=1000, children=2, options=("-q",), **keywords):
        """With exact snapshots unless `options` say otherwise: asked for, they are not given up on a busy machine."""
        if "--snapshot" not in options and "counts" not in options:
            options = (*options, "--snapshot", "exact")
        return self.trace(SCENARIO, name, "--pages", pages, "--children", children, options=options, truth=True, **keywords)

    def assert_nothing_lost(self, trace):
        for key in ("lost_events", "lost_control", "undecodable_events", "untracked_tasks"):
            self.assertEqual(trace.capture[key], 0, key)

    def assert_same_copies(self, trace):
        """The set of copied (pid, page) inside the truth's regions is the truth, and each broke once."""
        copies = trace.copies(trace.regions)
        truth = trace.truly_copied
        missing, extra = truth - copies.keys(), copies.keys() - truth
        self.assertFalse(missing or extra, f"{len(missing)} missing, {len(extra)} extra of {len(truth)}: "
                                           f"{sorted(missing)[:3]} {sorted(extra)[:3]}")
        self.assertEqual(sum(copies.values()), len(truth))
        self.assertEqual(len(truth), trace.truth["copied_pages_expected"])

    def assert_all_explained(self, trace):
        for process in trace.processes:
            self.assertIsNotNone(process["audit"], f"{process['pid']} {process['command']}: {process['audit_missing']}")
            self.assertEqual(process["audit"]["unexplained"], 0, process["audit"])

    def assert_one_error_line(self, stderr, *words):
        text = stderr.decode("utf-8")
        self.assertRegex(text, r"\Acowtrace: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, text)
