#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The command line: exit statuses, errors that are one line, and a command that runs as it would without cowtrace."""
import json
import os
import pwd
import subprocess
import unittest

from support import COWTRACE, SCENARIO, TIMEOUT, IntegrationTest, is_running, load, program, status_of, wait_until


class ExitStatus(IntegrationTest):
    def test_of_the_command(self):
        for code in (0, 1, 3, 77, 124, 125, 126, 127, 255):
            with self.subTest(code):
                self.trace("sh", "-c", f"exit {code}", options=("-q",), status=code)

    def test_of_a_killed_command(self):
        for name, number in (("TERM", 15), ("KILL", 9), ("SEGV", 11)):
            with self.subTest(name):
                trace = self.trace("sh", "-c", f"kill -{name} $$", options=("-q",), status=128 + number)
                self.assertEqual(len(trace.processes), 1)

    def test_command_not_found(self):
        for command in ("no-such-command-anywhere", self.directory / "absent"):
            done = self.cowtrace("--", command)
            self.assertEqual(done.returncode, 127)
            self.assert_one_error_line(done.stderr, str(command), "not found")

    def test_command_not_executable(self):
        file = self.directory / "plain"
        file.write_text("no program")
        file.chmod(0o644)
        for command in (file, self.directory):
            done = self.cowtrace("--", command)
            self.assertEqual(done.returncode, 126, command)
            self.assert_one_error_line(done.stderr, str(command))


class Usage(IntegrationTest):
    """Every wrong use is found before the command starts."""

    def refused(self, *options, words=(), status=125):
        marker = self.directory / "ran"
        done = self.cowtrace(*options, "--", "touch", marker)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, b"")
        self.assert_one_error_line(done.stderr, *words)
        self.assertFalse(marker.exists(), "the command has run")

    def test_unknown_options(self):
        self.refused("--no-such-option", words=("--no-such-option",))
        self.refused("run", "--no-such-option", words=("--no-such-option",))

    def test_no_command(self):
        for arguments in (("run",), ("--",), ("run", "--"), ("-q",)):
            done = self.cowtrace(*arguments)
            self.assertEqual(done.returncode, 125, arguments)
            self.assert_one_error_line(done.stderr, "COMMAND")

    def test_suffixes(self):
        self.refused("-o", self.directory / "x.xyz", words=(".json", ".txt"))
        self.refused("-o", self.directory / "nosuffix", words=(".json",))

    def test_outputs_that_cannot_be_written(self):
        self.refused("-o", self.directory / "absent" / "x.json", words=("No such file or directory",))
        self.refused("-o", "/proc/x.json", words=("/proc/x.json",))
        directory = self.directory / "directory.json"
        directory.mkdir()
        self.refused("-o", directory, words=("directory.json",))

    def test_one_bad_output_leaves_the_others_alone(self):
        good = self.directory / "good.json"
        good.write_text("keep me")
        self.refused("-o", good, "-o", self.directory / "x.xyz")
        self.assertEqual(good.read_text(), "keep me")

    def test_standard_output_is_the_commands(self):
        self.refused("-o", "-", words=("standard output",))

    def test_values(self):
        for options, word in (
            (("--backend", "magic"), "magic"),
            (("--stacks", "x"), "--stacks x"),
            (("--stacks", "python,none"), "--stacks python,none"),
            (("--detail", "x"), "--detail x"),
            (("--snapshot", "x"), "--snapshot x"),
            (("--color", "x"), "--color x"),
            (("--frames", "0"), "--frames"),
            (("--frames", "65"), "--frames"),
            (("--frames", "many"), "--frames"),
            (("--buffer", "64Mib!"), "64Mib!"),
            (("--buffer", "1"), "--buffer"),
            (("--buffer", "2GiB"), "--buffer"),
            (("--buffer", "99999999999999999999"), "99999999999999999999"),
            (("-d", "5"), "5"),
            (("-d", "soon"), "soon"),
            (("-d", "-1s"), "-1s"),
            (("-d", "99999999999999999h"), "99999999999999999h"),
            (("-u", "no-such-user"), "no-such-user"),
            (("--max-copied", "much"), "--max-copied much"),
            (("--max-copied-per-process", "-1"), "--max-copied-per-process"),
        ):
            with self.subTest(options):
                self.refused(*options, words=(word,))

    def test_options_that_contradict_each_other(self):
        for options in (("--watch", "sys.modules", "--snapshot", "off"), ("--snapshot=off", "--watch=sys.modules"),
                        ("run", "--snapshot", "off", "--watch", "sys.modules", "--watch", "sys.path")):
            with self.subTest(options):
                self.refused(*options, words=("--watch", "--snapshot off", "--snapshot exact or passive"))

    def test_budgets(self):
        command = (SCENARIO, "mutate", "--pages", "100", "--children", "1")
        for options, status, words in ((("--max-copied", "1GiB"), 0, ("budget kept: the family copied", "within --max-copied 1.0 GiB")),
                                       (("--max-copied", "64KiB"), 124, ("budget EXCEEDED: the family copied", "more than --max-copied 64.0 KiB")),
                                       (("--max-copied-per-process", "64KiB"), 124, ("EXCEEDED: process", "(scenario)")),
                                       (("--max-copied", "1GiB", "--max-copied-per-process", "64KiB"), 124, ("within", "; process", "more than"))):
            with self.subTest(options):
                done = self.cowtrace("-q", *options, "--", *command)
                self.assertEqual(done.returncode, status)
                self.assert_one_error_line(done.stderr, *words)
        # The kernel's counts are whole: 100 pages and the little that any child copies.
        done = self.cowtrace("-q", "--max-copied", "399KiB", "--", *command)
        self.assertEqual(done.returncode, 124)
        done = self.cowtrace("-q", "--max-copied", "1B", "--", "sh", "-c", "(true); exit 3")
        self.assertEqual(done.returncode, 3)
        self.assert_one_error_line(done.stderr, "budget")

    def test_an_output_that_fills_up(self):
        full = self.full_disk() / "full.json"
        done = self.cowtrace("-q", "-o", full, "--", "true")
        self.assertEqual(done.returncode, 125)
        self.assert_one_error_line(done.stderr, "full.json")
        self.assertEqual(self.cowtrace("-q", "-o", full, "--", "sh", "-c", "exit 3").returncode, 3)


class Help(IntegrationTest):
    def test_version_and_help(self):
        version = self.cowtrace("--version")
        self.assertEqual(version.returncode, 0)
        self.assertRegex(version.stdout.decode(), r"\Acowtrace \d+\.\d+\.\d+\n\Z")
        for arguments in (("--help",), ("run", "--help"), ("doctor", "--help"), ()):
            shown = self.cowtrace(*arguments)
            self.assertEqual((shown.returncode, shown.stderr), (0, b""), arguments)
            self.assertIn(b"Usage", shown.stdout)
        for option in (b"--output", b"--duration", b"--user", b"--backend", b"--frames", b"--stacks", b"--detail", b"--snapshot",
                       b"--buffer", b"--color", b"--quiet", b"--verbose"):
            self.assertIn(option, self.cowtrace("run", "--help").stdout)

    def test_doctor(self):
        text = self.cowtrace("doctor")
        self.assertEqual((text.returncode, text.stderr), (0, b""))
        self.assertRegex(text.stdout.decode(), r"(?m)^ok +static")
        done = self.cowtrace("doctor", "--json")
        self.assertEqual(done.returncode, 0)
        report = json.loads(done.stdout)
        self.assertEqual((report["schema"], report["usable"]), ("cowtrace.doctor/1", True))
        self.assertLessEqual({"kernel", "BTF", "lockdown", "capabilities", "ptrace"}, {check["name"] for check in report["checks"]})
        for check in report["checks"]:
            self.assertIn(check["state"], ("ok", "limited", "missing"))
        self.assertEqual({backend["name"]: backend["usable"] for backend in report["backends"]},
                         {"fentry": False, "kprobe": False, "static": True})
        self.assertEqual(self.cowtrace("doctor", "--wrong").returncode, 2)


class Output(IntegrationTest):
    def test_a_pipeline_on_the_command_works(self):
        data = bytes(range(256)) * 4096
        done = self.cowtrace("--", "cat", stdin=None, input=data)
        self.assertEqual((done.returncode, done.stdout), (0, data))
        self.assertIn(b"cat", done.stderr)

    def test_standard_error_of_the_command_is_kept(self):
        done = self.cowtrace("-q", "--", "sh", "-c", "echo warning >&2")
        self.assertEqual((done.stdout, done.stderr), (b"", b"warning\n"))

    def test_quiet_is_silent(self):
        done = self.cowtrace("-q", "--", SCENARIO, "mutate", "--pages", "10")
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_reports_in_several_files(self):
        paths = [self.directory / name for name in ("a.json", "b.json", "c.txt")]
        done = self.cowtrace("-o", paths[0], "-o", paths[1], "-o", paths[2], "--", SCENARIO, "mutate", "--pages", "10")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(paths[0].read_bytes(), paths[1].read_bytes())
        self.assertEqual(paths[2].read_text(), done.stderr.decode())
        self.assertLessEqual(max(len(line) for line in paths[2].read_text().splitlines()), 80)

    def test_colour_only_when_asked_for_or_on_a_terminal(self):
        command = ("--", SCENARIO, "mutate", "--pages", "10")
        self.assertNotIn(b"\x1b", self.cowtrace(*command).stderr)
        self.assertIn(b"\x1b[", self.cowtrace("--color", "always", *command).stderr)
        self.assertNotIn(b"\x1b", self.cowtrace("--color", "never", *command).stderr)


class Surroundings(IntegrationTest):
    """The command sees what it would see without cowtrace."""

    def both(self, *command, **keywords):
        plain = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL, **keywords)
        traced = self.cowtrace("-q", "--", *command, **keywords)
        self.assertEqual(traced.returncode, 0, traced.stderr)
        return plain.stdout, traced.stdout

    def test_environment_and_directory(self):
        plain, traced = self.both("sh", "-c", "env | grep -v ^_= | sort; pwd; umask; ulimit -a", cwd=self.directory)
        self.assertGreater(len(plain), 100)
        self.assertEqual(plain, traced)

    def test_signals(self):
        plain, traced = self.both("grep", "^Sig[BIC]", "/proc/self/status")
        self.assertEqual(plain.count(b"\n"), 3)
        self.assertEqual(plain, traced)

    def test_signals_that_the_caller_ignores_or_blocks(self):
        script = "trap '' HUP TSTP TTOU USR1; exec {} grep '^Sig[BIC]' /proc/self/status"
        plain = subprocess.run(["sh", "-c", script.format("")], capture_output=True, check=True)
        traced = subprocess.run(["sh", "-c", script.format(f"{COWTRACE} -q --")], capture_output=True, check=True)
        self.assertIn(b"SigIgn:\t0000000000", plain.stdout)
        self.assertNotIn(b"SigIgn:\t0000000000000000", plain.stdout)
        self.assertEqual(plain.stdout, traced.stdout)

    def test_file_descriptors(self):
        for options in ((), ("-o", self.directory / "x.json")):
            plain, _ = self.both("ls", "/proc/self/fd")
            traced = self.cowtrace("-q", *options, "--", "ls", "/proc/self/fd")
            self.assertEqual(plain, traced.stdout)

    def test_process_group_and_session(self):
        plain, traced = self.both("sh", "-c", "cut -d ' ' -f 5-6 /proc/$$/stat")
        self.assertEqual(len(plain.split()), 2)
        self.assertEqual(plain.split()[1], traced.split()[1])

    def test_another_user(self):
        nobody = pwd.getpwnam("nobody")
        show = "id -u; id -g; id -G; echo $HOME $USER $LOGNAME; grep ^CapEff /proc/self/status"
        done = self.cowtrace("-q", "-u", "nobody", "--", "sh", "-c", show)
        groups = " ".join(map(str, os.getgrouplist("nobody", nobody.pw_gid)))
        self.assertEqual(done.stdout.decode().splitlines(),
                         [str(nobody.pw_uid), str(nobody.pw_gid), groups, f"{nobody.pw_dir} nobody nobody", "CapEff:\t0000000000000000"])

    def test_an_empty_value_is_no_value(self):
        """What "$UNSET" gives is refused, and COMMAND does not run: as root it would where another user was meant."""
        marker = self.directory / "ran"
        for option in ("--user", "-u", "--duration", "--buffer", "--max-copied", "--max-copied-per-process"):
            done = self.cowtrace("-q", option, "", "--", "touch", marker)
            self.assertEqual(done.returncode, 125, option)
            self.assert_one_error_line(done.stderr, "--" if option == "-u" else option, "empty")
            self.assertFalse(marker.exists(), option)
        for words in (("top", "-u", "", "--", "touch", marker), ("attach", "--cgroup", "")):
            done = self.cowtrace(*words)
            self.assertNotEqual(done.returncode, 0, words)
            self.assert_one_error_line(done.stderr, "empty")
            self.assertFalse(marker.exists(), words)

    def test_another_user_is_traced_like_any(self):
        shapes = program("family_shapes")
        directory = self.directory / "public"
        directory.mkdir(mode=0o755)
        copy = directory / "family_shapes"
        copy.write_bytes(open_bytes(shapes))
        copy.chmod(0o755)
        trace = self.trace(copy, "fork", options=("-q", "-u", "nobody"))
        self.assert_all_explained(trace)
        self.assertGreaterEqual(trace.count("copy"), 10)


def open_bytes(path):
    with open(path, "rb") as file:
        return file.read()


class NotRoot(IntegrationTest):
    def test_it_says_so_and_runs_nothing(self):
        marker = self.directory / "ran"
        self.directory.chmod(0o777)
        for prefix in (["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],):
            done = subprocess.run([*prefix, COWTRACE, "--", "touch", str(marker)], capture_output=True, check=False, timeout=TIMEOUT)
            self.assertEqual(done.returncode, 125)
            self.assert_one_error_line(done.stderr, "root")
            self.assertFalse(marker.exists())
            doctor = subprocess.run([*prefix, COWTRACE, "doctor"], capture_output=True, check=False, timeout=TIMEOUT)
            self.assertEqual(doctor.returncode, 1)
            self.assertIn(b"CAP_SYS_ADMIN", doctor.stdout)
            self.assertEqual(doctor.stderr, b"")


class Duration(IntegrationTest):
    def test_it_detaches_and_lets_the_command_go_on(self):
        ready, go, done = (self.directory / name for name in ("ready", "go", "done"))
        os.mkfifo(go)
        script = f"echo $$ > {ready}.new; mv {ready}.new {ready}; read line < {go}; echo $line > {done}.new; mv {done}.new {done}"
        report = self.directory / "report.json"
        for mode in ("exact", "passive"):
            with self.subTest(mode):
                for file in (ready, done):
                    file.unlink(missing_ok=True)
                running = self.start(COWTRACE, "-q", "-d", "300ms", "--snapshot", mode, "-o", report, "--", "sh", "-c", script)
                self.assertEqual(running.wait(timeout=TIMEOUT), 0)
                pid = int(ready.read_text())
                self.assertTrue(is_running(pid))
                self.assertEqual(status_of(pid)["TracerPid"], "0")
                self.assertIsNone([process for process in load(report)["processes"] if process["pid"] == pid][0]["exit_ns"])
                with open(go, "w", encoding="utf-8") as pipe:
                    pipe.write("alive\n")
                wait_until(done.exists, "the command goes on")
                self.assertEqual(done.read_text(), "alive\n")
                duration = load(report)["capture"]["duration_ns"]
                self.assertGreaterEqual(duration, 300_000_000)


if __name__ == "__main__":
    unittest.main()
