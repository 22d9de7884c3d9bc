# SPDX-License-Identifier: Apache-2.0
"""Debian's stock cloud kernels for guests: found in a private apt state, downloaded and unpacked into a cache directory.

The system's apt is only read: its mirror and its keyring are used, its lists, sources and packages stay as they are.
"""
import re
import shutil
import subprocess

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
NEWEST = "newest"
# A kernel series: the suite that has it, the pattern of its package names. The newest match is taken; old ones vanish.
SERIES = {
    "5.10": ("bullseye", r"linux-image-5\.10\.0-\d+-cloud-amd64"),
    "6.1": ("bookworm", r"linux-image-6\.1\.0-\d+-cloud-amd64"),
    "6.12": ("trixie", r"linux-image-6\.12\.\d+\+deb13(\.\d+)?-cloud-amd64"),
    "6.16": ("trixie-backports", r"linux-image-6\.16\.\d+\+deb13(\.\d+)?-cloud-amd64"),
    "6.18": ("trixie-backports", r"linux-image-6\.18\.\d+\+deb13(\.\d+)?-cloud-amd64"),
    NEWEST: ("sid", r"linux-image-\d+\.\d+\.\d+\+deb\d+(\.\d+)?-cloud-amd64"),
}


class KernelError(Exception):
    """A kernel cannot be had, and why."""


class Vanished(KernelError):
    """The archive has no kernel of this series any more: a fact about the archive, no fault of ours."""


def run(command, what):
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise KernelError(f"{what}: {lines[-1]}")
    return done.stdout


def mirror():
    """The main archive that this system uses; the other suites are beside it."""
    listed = run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"], "reading apt's sources")
    for site in listed.split():
        if site.rstrip("/").endswith("/debian"):
            return site.rstrip("/")
    return "http://deb.debian.org/debian"


class Suite:
    """A private apt state for one suite."""

    def __init__(self, name, cache):
        self.name = name
        self.directory = cache / "apt" / name
        self.options = []
        for key, value in (
            ("Dir::State", self.directory / "state"),
            ("Dir::State::status", self.directory / "status"),
            ("Dir::Cache", self.directory / "cache"),
            ("Dir::Etc::sourcelist", self.directory / "sources.list"),
            ("Dir::Etc::sourceparts", "/dev/null"),
            ("Dir::Etc::preferences", "/dev/null"),
            ("Dir::Etc::preferencesparts", "/dev/null"),
            ("Acquire::Languages", "none"),
            ("APT::Architectures", "amd64"),
            ("APT::Update::Post-Invoke-Success", ""),
            ("APT::Sandbox::User", "root"),
        ):
            self.options += ["-o", f"{key}={value}"]

    def update(self):
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
        (self.directory / "status").touch()
        site = mirror()
        lines = [f"deb [signed-by={KEYRING}] {site} {self.name} main"]
        if self.name != "sid" and not self.name.endswith("-backports"):
            lines.append(f"deb [signed-by={KEYRING}] {site}-security {self.name}-security main")
        (self.directory / "sources.list").write_text("\n".join(lines) + "\n", encoding="ascii")
        run(["apt-get", *self.options, "-q", "update"], f"apt-get update for {self.name}")

    def packages(self, pattern):
        names = run(["apt-cache", *self.options, "pkgnames", "linux-image-"], f"apt-cache for {self.name}").split()
        return sorted((name for name in names if re.fullmatch(pattern, name)), key=version_key)

    def parts(self, image):
        """The packages that hold the image: since 6.19 linux-image-* only depends on linux-binary-*."""
        version = image.removeprefix("linux-image-")
        listed = run(["apt-cache", *self.options, "pkgnames", "linux-binary-"], f"apt-cache for {self.name}").split()
        return [f"linux-binary-{version}"] if f"linux-binary-{version}" in listed else [image]

    def download(self, package, folder):
        subprocess.run(["apt-get", *self.options, "-q", "download", package], cwd=folder, check=False, capture_output=True)
        (found,) = list(folder.glob(f"{package}_*.deb")) or [None]
        if found is None:
            raise KernelError(f"apt-get could not download {package} of {self.name}")
        return found


def version_key(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def image(series, cache):
    """The path of the newest bzImage of a series; from the cache when it was fetched before."""
    if series not in SERIES:
        raise KernelError(f"unknown kernel {series}: use one of {' '.join(SERIES)}")
    home = cache / "kernels" / series
    ready = images(home)
    if ready:
        return ready[-1]
    suite_name, pattern = SERIES[series]
    suite = Suite(suite_name, cache)
    suite.update()
    packages = suite.packages(pattern)
    if not packages:
        raise Vanished(f"{suite_name} has no package {pattern} any more")
    # Unpacked beside its place and renamed, so that an interrupted run leaves no half of a kernel.
    partial = home.with_name(series + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for part in suite.parts(packages[-1]):
        package = suite.download(part, partial)
        run(["dpkg-deb", "-x", str(package), str(partial)], f"unpacking {package.name}")
        package.unlink()
    keep_image(partial)
    shutil.rmtree(home, ignore_errors=True)
    partial.rename(home)
    return images(home)[-1]


def images(home):
    return sorted(home.glob("boot/vmlinuz-*"))


def keep_image(home):
    """Leaves boot/vmlinuz-VERSION and nothing else: success needs no modules."""
    for found in home.glob("usr/lib/modules/*/vmlinuz"):
        (home / "boot").mkdir(exist_ok=True)
        shutil.move(found, home / "boot" / f"vmlinuz-{found.parent.name}")
    if not images(home):
        raise KernelError(f"no boot/vmlinuz-* and no usr/lib/modules/*/vmlinuz in the packages of {home.name}")
    for folder in ("lib", "usr"):
        shutil.rmtree(home / folder, ignore_errors=True)
