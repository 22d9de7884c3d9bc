# SPDX-License-Identifier: Apache-2.0
"""The .deb in a clean Debian bookworm: lintian, installed with what it depends on, run, removed without a trace.

COWTRACE_SOURCE is the source tree, COWTRACE_DEB the directory that scripts/package.sh leaves the package in. Needs root, and the network for
what is not in the cache yet.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["COWTRACE_SOURCE"])
PACKAGES = pathlib.Path(os.environ.get("COWTRACE_DEB", SOURCE / "build" / "packages"))
TIMEOUT = 300
# Written by whatever is installed or removed: lists, logs and caches.
VOLATILE = re.compile(r"^/(?:var/(?:log|lib/dpkg|lib/apt|cache)/|etc/ld\.so\.cache|root/\.|tmp/|proc/|sys/|dev/)")


def run(*command, **settings):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False, **settings)


def package():
    found = sorted(PACKAGES.glob(f"cowtrace_*_{run('dpkg', '--print-architecture').stdout.strip()}.deb"))
    if len(found) != 1:
        raise AssertionError(f"one package is expected in {PACKAGES}: {found}")
    return found[0]


class Root:
    """A Debian of its own in a directory. Mounts are those of each command and end with it."""

    MOUNTS = 'mount --rbind /proc "$1/proc" && mount --rbind /sys "$1/sys" && mount --rbind /dev "$1/dev" && mount --bind "$2" "$1/var/cache/apt/archives"'

    def __init__(self, folder):
        made = run(str(SOURCE / "scripts" / "bookworm-root.sh"))
        if made.returncode != 0:
            raise AssertionError(made.stderr)
        archive = pathlib.Path(made.stdout.splitlines()[-1])
        self.folder = folder
        # Downloaded packages stay beside the root for the next time.
        self.archives = archive.parent / "archives"
        (self.archives / "partial").mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "-xf", archive, "-C", folder, "--exclude=./dev/*"], check=True, timeout=TIMEOUT)
        shutil.copy("/etc/resolv.conf", folder / "etc" / "resolv.conf")

    def run(self, *command):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "HOME": "/root",
                       **{name: value for name, value in os.environ.items() if name.endswith("_proxy")}}
        script = f'set -e; {self.MOUNTS}; root=$1; shift 2; exec chroot "$root" "$@"'
        return run("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(self.folder), str(self.archives), *map(str, command),
                   env=environment)

    def files(self):
        """What is there, besides what is volatile, and the packages."""
        found = {"/" + str(pathlib.Path(folder, name).relative_to(self.folder)) for folder, folders, files in os.walk(self.folder)
                 for name in (*folders, *files)}
        return {name for name in found if not VOLATILE.match(name)}, self.run("dpkg-query", "-W").stdout


class Lintian(unittest.TestCase):
    def test_no_errors_and_no_warnings(self):
        done = run("lintian", "--allow-root", "--fail-on", "error,warning", str(package()))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(re.findall(r"^[EW]: .*$", done.stdout, re.M), [])

    def test_what_is_checked_is_noticed(self):
        """lintian would say so: without its copyright file the package does not pass."""
        with tempfile.TemporaryDirectory() as folder:
            contents = pathlib.Path(folder, "contents")
            subprocess.run(["dpkg-deb", "-R", package(), contents], check=True)
            (contents / "usr/share/doc/cowtrace/copyright").unlink()
            subprocess.run(["dpkg-deb", "--build", "--root-owner-group", contents, f"{folder}/bad.deb"], check=True, stdout=subprocess.DEVNULL)
            done = run("lintian", "--allow-root", "--fail-on", "error,warning", f"{folder}/bad.deb")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("no-copyright-file", done.stdout)


class Contents(unittest.TestCase):
    def fields(self):
        return {name: value for name, value in re.findall(r"^([\w-]+): (.*)$", run("dpkg-deb", "-f", str(package())).stdout, re.M)}

    def test_fields(self):
        fields = self.fields()
        version = re.search(r"^project\(cowtrace VERSION (\S+)", (SOURCE / "CMakeLists.txt").read_text(encoding="utf-8"), re.M).group(1)
        self.assertTrue(fields["Version"].startswith(f"{version}-"), fields)
        self.assertEqual((fields["Section"], fields["Priority"]), ("utils", "optional"))
        for library in ("libbpf1", "libc6", "libdw1", "libelf1", "libprotobuf-lite32"):
            self.assertRegex(fields["Depends"], rf"\b{library}\b")
        # It would bring libcurl and what that needs, for those who want nothing of a network.
        self.assertEqual(fields["Suggests"], "libdebuginfod1")
        self.assertNotRegex(fields["Depends"], "debuginfod|curl")

    def test_every_manual_page_and_completion(self):
        listed = run("dpkg-deb", "-c", str(package())).stdout
        for manual in (SOURCE / "man").glob("*.1"):
            self.assertIn(f"./usr/share/man/man1/{manual.name}.gz\n", listed)
        for path in ("bash-completion/completions/cowtrace", "zsh/vendor-completions/_cowtrace", "fish/vendor_completions.d/cowtrace.fish",
                     "doc/cowtrace/copyright", "doc/cowtrace/changelog.Debian.gz", "doc/cowtrace/notices.txt"):
            self.assertIn(f"./usr/share/{path}\n", listed)
        self.assertNotRegex(listed, r"(?m) \./(?!usr/|$)")
        self.assertTrue(all(line.split()[1] == "root/root" for line in listed.splitlines()), listed)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class CleanDebian(unittest.TestCase):
    """In order: a root, the package in it, used, gone."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        cls.root = Root(pathlib.Path(cls.directory.name))
        cls.before = cls.root.files()
        shutil.copy(package(), cls.root.folder / "tmp" / "cowtrace.deb")
        cls.install()

    @classmethod
    def install(cls):
        command = ("apt-get", "-q", "-y", "-o", "APT::Keep-Downloaded-Packages=true", "--no-install-recommends", "install", "/tmp/cowtrace.deb")
        done = cls.root.run(*command)
        if done.returncode != 0:  # the lists are as old as the root
            cls.root.run("apt-get", "-q", "update")
            done = cls.root.run(*command)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    def succeeds(self, *command):
        done = self.root.run(*command)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def test_1_the_root_was_clean(self):
        files, packages = self.before
        self.assertFalse([name for name in files if "cowtrace" in name])
        for library in ("libbpf1", "libdw1", "libprotobuf-lite32"):
            self.assertNotIn(library, packages)

    def test_2_installed_as_packed(self):
        self.assertEqual(self.succeeds("dpkg", "--verify", "cowtrace").stdout, "")
        self.assertIn("install ok installed", self.succeeds("dpkg-query", "-W", "-f", "${Status}", "cowtrace").stdout)
        for program in ("/usr/bin/cowtrace", "/usr/libexec/cowtrace/scenario"):
            self.assertNotIn("not found", self.succeeds("ldd", program).stdout)

    def test_3_doctor(self):
        found = json.loads(self.succeeds("cowtrace", "doctor", "--json").stdout)
        self.assertTrue(found["usable"], found)
        self.assertIn("Backends", self.succeeds("cowtrace", "doctor").stdout)

    def test_3_version(self):
        version = self.succeeds("dpkg-query", "-W", "-f", "${Version}", "cowtrace").stdout.split("-")[0]
        self.assertEqual(self.succeeds("cowtrace", "--version").stdout, f"cowtrace {version}\n")

    def test_3_traces(self):
        done = self.succeeds("cowtrace", "--", "true")
        self.assertIn("Processes", done.stderr)
        self.succeeds("cowtrace", "-q", "-o", "/tmp/trace.cow", "--", "/usr/libexec/cowtrace/scenario", "mutate", "--pages", "100", "--children", "2",
                      "--truth", "/tmp/truth.json")
        truth = json.loads((self.root.folder / "tmp" / "truth.json").read_text(encoding="utf-8"))
        copied = sum(len(process["copied"]) for process in truth["processes"])
        self.assertGreaterEqual(copied, 200)
        report = json.loads(self.succeeds("cowtrace", "report", "--format", "json", "/tmp/trace.cow").stdout)
        self.assertIn("main", {frame["function"] for site in report["sites"] for frame in site["stack"]})
        self.assertGreaterEqual(report["totals"]["breaks"], copied)
        self.assertLess(report["totals"]["breaks"], copied * 1.5 + 100)  # besides the truth's regions: stacks and libraries

    def test_4_purged(self):
        self.succeeds("apt-get", "-q", "-y", "purge", "cowtrace")
        self.succeeds("apt-get", "-q", "-y", "autoremove", "--purge")
        files, packages = self.root.files()
        self.assertEqual(sorted(files - self.before[0]), [])
        self.assertEqual(sorted(self.before[0] - files), [])
        self.assertEqual(packages, self.before[1])
        self.assertEqual([path.name for path in (self.root.folder / "var/lib/dpkg/info").glob("cowtrace*")], [])


if __name__ == "__main__":
    unittest.main()
