#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Names and lines of a stripped program, whose debug file only a server has: what is asked, when and by whom, and what servers may do."""
import ctypes.util
import glob
import http.server
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import test_unwind  # noqa: E402
from support import COWTRACE, SCENARIO, TIMEOUT, IntegrationTest, children_of, load, report_errors, status_of, wait_until  # noqa: E402

CALLER = 12345  # a user that need not be in any file
NOBODY = 65534
PRIVATE = "/var/tmp/cowtrace-debuginfod-*"


def build_id_of(path):
    """By binutils."""
    text = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=True).stdout
    (found,) = [line.split()[-1] for line in text.splitlines() if "Build ID:" in line]
    return found


def owner_of_port(port):
    """The process that has this end of a TCP connection of this machine."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file][1:]
    (inode,) = [row[9] for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == "01"]
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) == f"socket:[{inode}]":
                return int(link.split("/")[2])
        except OSError:
            pass
    return None


def helpers():
    """The processes that ask servers, by the name that they give themselves."""
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            if pathlib.Path(path).read_text(encoding="utf-8").strip() == "cowtrace-fetch":
                found.append(int(path.split("/")[2]))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return set(found)


class Server:
    """Has some debug files. `answer(handler, build_id)` does what a server does, if it is not to be that."""

    def __init__(self, test, files, answer=None):
        self.files = files  # by build ID
        self.asked = []
        self.clients = []  # (status, mapped files, running programs) of who asked
        self.over = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                words = self.path.split("/")
                outer.asked.append(words[2])
                outer.look_at(owner_of_port(self.client_address[1]))
                try:
                    (answer or outer.answer)(self, words[2])
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def log_message(self, *arguments):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        test.addCleanup(self.close)

    def close(self):
        self.over.set()
        self.http.shutdown()
        self.http.server_close()

    def answer(self, handler, build_id):
        path = self.files.get(build_id)
        if path is None:
            handler.send_error(404)
            return
        self.send(handler, path.read_bytes())

    @staticmethod
    def send(handler, content):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def look_at(self, pid):
        programs = []
        for link in glob.glob("/proc/[0-9]*/exe"):
            try:
                programs.append(os.readlink(link))
            except OSError:
                pass
        self.clients.append((pid, status_of(pid), pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8"), programs))


@unittest.skipIf(ctypes.util.find_library("debuginfod") is None and not glob.glob("/usr/lib/*/libdebuginfod.so.1")
                 and os.environ.get("COWTRACE_APPS") != "required", "libdebuginfod1 is not installed")
class Debuginfod(IntegrationTest):
    def setUp(self):
        super().setUp()
        self.program = self.directory / "unwind_shapes"
        self.debug = self.directory / "shapes.debug"
        subprocess.run(["objcopy", "--only-keep-debug", test_unwind.SHAPES, self.debug], check=True)
        subprocess.run(["objcopy", "--strip-all", test_unwind.SHAPES, self.program], check=True)
        self.build_id = build_id_of(self.program)
        self.assertEqual(build_id_of(self.debug), self.build_id)
        self.left_before = set(glob.glob(PRIVATE))
        self.helpers_before = helpers()

    def tearDown(self):
        wait_until(lambda: helpers() <= self.helpers_before, "the helpers to end")
        self.assertEqual(set(glob.glob(PRIVATE)) - self.left_before, set())

    def environment(self, server, **more):
        clean = {name: value for name, value in os.environ.items()
                 if not name.lower().endswith("_proxy") and not name.startswith(("DEBUGINFOD_", "SUDO_", "XDG_"))}
        return {**clean, **({"DEBUGINFOD_URLS": server.url} if server else {}), **more}

    def shapes(self, server, options=(), **more):
        return self.trace(self.program, 1, options=("-q", "--frames", 64, *options), env=self.environment(server, **more))

    def our_functions(self, trace):
        return {frame["function"] for site in trace.report["sites"] for frame in site["stack"]
                if frame["module"] and os.path.basename(frame["module"]) == "unwind_shapes"}

    def assert_nothing_named(self, trace):
        functions = self.our_functions(trace)
        self.assertTrue(functions)
        for function in functions:
            self.assertRegex(function, "^0x")

    def notes(self, trace):
        return [note for note in trace.capture["notes"] if "debuginfod" in note]

    def wanted(self, trace):
        """The build IDs of the files that stacks go through and those whose pages were copied, by binutils."""
        files = {frame["module"] for site in trace.report["sites"] for frame in site["stack"] if frame["module"]}
        files |= {page["mapping"] for page in trace.report["pages"]}
        return {build_id_of(path) for path in files if path.startswith("/")}

    def assert_powerless(self, client, uid, gid):
        _, status, _, _ = client
        self.assertEqual(set(status["Uid"].split()), {str(uid)})
        self.assertEqual(set(status["Gid"].split()), {str(gid)})
        self.assertEqual(status.get("Groups", "").strip(), "")
        self.assertEqual(status["NoNewPrivs"], "1")
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[kind], 16), 0, kind)

    # What it gives

    def test_names_and_lines_come_from_the_server(self):
        server = Server(self, {self.build_id: self.debug})
        trace = self.shapes(server)
        test_unwind.Unwinding.assert_same_chains(self, trace.report, trace.stdout)
        self.assertEqual(self.notes(trace), [])
        # Build IDs, and of nothing but what the report names; each once.
        self.assertIn(self.build_id, server.asked)
        self.assertEqual(len(server.asked), len(set(server.asked)))
        self.assertLessEqual(set(server.asked), self.wanted(trace))
        for client in server.clients:
            self.assert_powerless(client, NOBODY, NOBODY)
            _, _, mapped, programs = client
            self.assertIn("libdebuginfod", mapped)
            self.assertIn("libcurl", mapped)
            # Nobody waits for it.
            self.assertNotIn(str(self.program), programs)

    def test_without_nothing_is_named_or_asked(self):
        server = Server(self, {self.build_id: self.debug})
        for urls in ({}, {"DEBUGINFOD_URLS": ""}):
            trace = self.shapes(None, **urls)
            self.assert_nothing_named(trace)
            self.assertEqual(self.notes(trace), [])
        self.assertEqual(server.asked, [])

    def test_the_trace_file_keeps_what_came(self):
        server = Server(self, {self.build_id: self.debug})
        recorded, again = self.directory / "shapes.cow", self.directory / "again.json"
        trace = self.shapes(server, options=("-o", recorded))
        asked = len(server.asked)
        self.assertEqual(self.cowtrace("report", recorded, "-o", again, env=self.environment(server)).returncode, 0)
        self.assertEqual(load(again), trace.report)
        self.assertEqual(len(server.asked), asked)

    def test_a_part_that_dwz_moved_is_asked_for_too(self):
        """The debug file says that some of it is in another one, which it names by build ID alone."""
        other = self.directory / "common.debug"
        other_id = "ab" * 20
        link = self.directory / "altlink"
        link.write_bytes(b"/nowhere/common.debug\0" + bytes.fromhex(other_id))
        subprocess.run(["objcopy", "--add-section", f".gnu_debugaltlink={link}", self.debug], check=True)
        content = pathlib.Path(test_unwind.SHAPES).read_bytes()
        own = bytes.fromhex(self.build_id)
        self.assertEqual(content.count(own), 1)
        other.write_bytes(content.replace(own, bytes.fromhex(other_id)))
        self.assertEqual(build_id_of(other), other_id)
        server = Server(self, {self.build_id: self.debug, other_id: other})
        trace = self.shapes(server)
        self.assertEqual(server.asked.count(other_id), 1)
        test_unwind.Unwinding.assert_same_chains(self, trace.report, trace.stdout)

    # Who asks

    def test_who_called_sudo_asks_with_his_own_cache(self):
        server = Server(self, {self.build_id: self.debug})
        home, users = self.directory / "home", self.directory / "passwd"
        home.mkdir()
        os.chown(home, CALLER, CALLER + 1)
        users.write_text(f"root:x:0:0::/root:/bin/sh\nada:x:{CALLER}:{CALLER + 1}::{home}:/bin/sh\n")
        report = self.directory / "report.json"
        environment = self.environment(server, SUDO_UID=str(CALLER), SUDO_GID=str(CALLER + 1), HOME="/root")
        script = 'mount --bind "$1" /etc/passwd && shift && exec "$@"'
        done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", users, COWTRACE, "-q", "-o", report, "--",
                               self.program, "1"], capture_output=True, env=environment, timeout=TIMEOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(report_errors(load(report)), [])
        self.assertTrue(server.clients)
        for client in server.clients:
            self.assert_powerless(client, CALLER, CALLER + 1)
        (kept,) = home.glob(f".cache/debuginfod_client/{self.build_id}/debuginfo*")
        self.assertEqual(kept.stat().st_uid, CALLER)
        self.assertEqual(kept.read_bytes(), self.debug.read_bytes())

    def test_a_cache_that_is_named_is_used(self):
        server = Server(self, {self.build_id: self.debug})
        cache = self.directory / "cache"
        cache.mkdir()
        os.chown(cache, NOBODY, NOBODY)
        for _ in range(2):
            trace = self.shapes(server, DEBUGINFOD_CACHE_PATH=str(cache))
            self.assertIn("write_pages", self.our_functions(trace))
        self.assertEqual(server.asked.count(self.build_id), 1)
        # One that nobody may write to is not.
        shutil.rmtree(cache)
        cache.mkdir(mode=0o755)
        trace = self.shapes(server, DEBUGINFOD_CACHE_PATH=str(cache))
        self.assertIn("write_pages", self.our_functions(trace))
        self.assertEqual(list(cache.iterdir()), [])

    def test_root_that_called_sudo_is_nobody(self):
        server = Server(self, {self.build_id: self.debug})
        self.shapes(server, SUDO_UID="0", SUDO_GID="0")
        self.assertTrue(server.clients)
        for client in server.clients:
            self.assert_powerless(client, NOBODY, NOBODY)

    def test_who_is_there_while_it_traces(self):
        """Two processes if servers are named, none if not; nobody's children, and gone when cowtrace is, however that ends."""
        server = Server(self, {})
        child = self.start(COWTRACE, "-q", "-o", self.directory / "x.cow", "--", "sleep", "60", env=self.environment(None))
        wait_until(lambda: status_of(child.pid)["NoNewPrivs"] == "1", "tracing")
        self.assertEqual(helpers(), self.helpers_before)
        child.send_signal(signal.SIGTERM)
        child.wait(timeout=TIMEOUT)
        child = self.start(COWTRACE, "-q", "-o", self.directory / "x.cow", "--", "sleep", "60", env=self.environment(server))
        wait_until(lambda: status_of(child.pid)["NoNewPrivs"] == "1", "tracing")
        wait_until(lambda: len(helpers() - self.helpers_before) == 2, "the helpers")
        for pid in helpers() - self.helpers_before:
            status = wait_until(lambda pid=pid: (lambda now: now if now["NoNewPrivs"] == "1" else None)(status_of(pid)), "power to be given up")
            self.assert_powerless((pid, status, "", []), NOBODY, NOBODY)
            self.assertNotIn(pid, children_of(child.pid))
            # Nothing is loaded before something is asked, and nothing of cowtrace's is open.
            self.assertNotIn("libcurl", pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8"))
            opened = {os.readlink(f"/proc/{pid}/fd/{name}").split(":")[0] for name in os.listdir(f"/proc/{pid}/fd")}
            self.assertLessEqual(opened, {"/dev/null", "socket", "pipe"})
        self.assertNotIn("libcurl", pathlib.Path(f"/proc/{child.pid}/maps").read_text(encoding="utf-8"))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(timeout=TIMEOUT)
        wait_until(lambda: helpers() == self.helpers_before, "the helpers to end")
        self.assertEqual(server.asked, [])

    # What servers may do

    def test_other_files_are_refused(self):
        for lie, why in ((pathlib.Path(SCENARIO).read_bytes(), "another build ID"), (b"no ELF file\n" * 1000, "no 64-bit ELF file"),
                         (self.debug.read_bytes()[:100], "no 64-bit ELF file|another build ID")):
            server = Server(self, {}, lambda handler, build_id, lie=lie: Server.send(handler, lie))
            trace = self.shapes(server)
            self.assert_nothing_named(trace)
            (note,) = self.notes(trace)
            self.assertRegex(note, why)
            self.assertIn(f"debuginfod: {len(server.asked)} of {len(server.asked)} debug file", note)

    def test_a_server_that_has_nothing_is_no_failure(self):
        server = Server(self, {})
        trace = self.shapes(server)
        self.assertTrue(server.asked)
        self.assert_nothing_named(trace)
        self.assertEqual(self.notes(trace), [])

    def test_nobody_listens(self):
        server = Server(self, {})
        server.url = "http://127.0.0.1:1"
        trace = self.shapes(server)
        self.assert_nothing_named(trace)
        (note,) = self.notes(trace)
        self.assertIn("Connection refused", note)

    def test_a_file_without_end_is_not_written(self):
        """Here with a limit that the caller has set: the helper's own is 2 GiB."""
        limit = 8 << 20
        sent = []

        def endless(handler, build_id):
            handler.send_response(200)
            handler.end_headers()
            sent.append(0)
            while not server.over.is_set():
                handler.wfile.write(bytes(1 << 20))
                sent[-1] += 1 << 20

        server = Server(self, {}, endless)
        report = self.directory / "report.json"
        done = subprocess.run(["prlimit", f"--fsize={limit}", COWTRACE, "-q", "-o", report, "--", self.program, "1"], capture_output=True, timeout=TIMEOUT,
                              env=self.environment(server), check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        notes = [note for note in load(report)["capture"]["notes"] if "debuginfod" in note]
        self.assertEqual(len(notes), 1)
        self.assertIn(f"{len(sent)} of {len(sent)} debug files asked for could not be had", notes[0])
        self.assertLess(max(sent), 8 * limit)

    def test_a_silent_server_is_given_up(self):
        server = Server(self, {}, lambda handler, build_id: server.over.wait(TIMEOUT))
        # It is silent for as long as the test waits for cowtrace.
        trace = self.shapes(server, DEBUGINFOD_TIMEOUT="1")
        self.assertEqual(len(server.asked), 1)
        self.assert_nothing_named(trace)
        failed, rest = self.notes(trace)
        self.assertIn("no answer in time", failed)
        self.assertIn("was not asked for", rest)

    def test_a_wait_can_be_interrupted(self):
        """Ctrl-C ends the wait and not the report."""
        server = Server(self, {}, lambda handler, build_id: server.over.wait(TIMEOUT))
        report = self.directory / "report.json"
        child = self.start(COWTRACE, "-o", report, "--", self.program, "1", env=self.environment(server), stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
        wait_until(lambda: server.asked, "a request")
        self.assertIn(b"waiting for a debug file", child.stderr.readline())
        # As a terminal does it.
        os.killpg(child.pid, signal.SIGINT)
        child.communicate(timeout=TIMEOUT)
        self.assertEqual(child.returncode, 0)
        (note,) = [note for note in load(report)["capture"]["notes"] if "debuginfod" in note]
        self.assertIn("interrupted", note)

    def test_the_helper_is_killed(self):
        """As if it had crashed."""
        server = Server(self, {}, lambda handler, build_id: os.kill(server.clients[-1][0], signal.SIGKILL))
        trace = self.shapes(server)
        self.assert_nothing_named(trace)
        (note,) = self.notes(trace)
        self.assertIn("has ended", note)

    def test_the_library_is_missing(self):
        server = Server(self, {self.build_id: self.debug})
        report = self.directory / "report.json"
        script = 'for library in /usr/lib/*/libdebuginfod.so.1; do mount --bind /dev/null "$(readlink -f "$library")" || exit 99; done; exec "$@"'
        done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", COWTRACE, "-q", "-o", report, "--",
                               self.program, "1"], capture_output=True, env=self.environment(server), timeout=TIMEOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        (note,) = [note for note in load(report)["capture"]["notes"] if "debuginfod" in note]
        self.assertIn("libdebuginfod.so.1", note)
        self.assertIn("install libdebuginfod1", note)
        self.assertEqual(server.asked, [])


if __name__ == "__main__":
    unittest.main()
