# SPDX-License-Identifier: Apache-2.0
"""Debian's stock cloud kernels for guests, and busybox: found in a private apt state, downloaded and unpacked into a cache directory.

The system's apt is only read: its mirror and its keyring are used, its lists, sources and packages stay as they are.
"""
import dataclasses
import lzma
import pathlib
import re
import shutil
import subprocess

import machines

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
NEWEST = "newest"
# What the guest's disks need, where the kernel does not have it built in.
DISK_MODULE = "nvme"
# The programs of guests that cannot take this machine's busybox.
BUSYBOX_SUITE = "bookworm"


@dataclasses.dataclass(frozen=True)
class Series:
    """The suite that has it and the pattern of its package names. The newest match is taken; old ones vanish.

    `flavour` is cloud, rt, or empty for the one of most machines; `on_demand` ones boot only where they are named.
    """

    suite: str
    pattern: str
    machine: machines.Machine = machines.AMD64
    flavour: str = "cloud"
    on_demand: bool = False

    @property
    def packages(self):
        return "-".join(part for part in ("linux-image", self.pattern, self.flavour, self.machine.architecture) if part)


def backport(version, **options):
    return Series("trixie-backports", rf"{version}\.\d+\+deb13(\.\d+)?", **options)


SERIES = {
    "5.10": Series("bullseye", r"5\.10\.0-\d+"),
    "6.1": Series("bookworm", r"6\.1\.0-\d+"),
    "6.12": Series("trixie", r"6\.12\.\d+\+deb13(\.\d+)?"),
    "6.12-generic": Series("trixie", r"6\.12\.\d+\+deb13(\.\d+)?", flavour="", on_demand=True),
    "6.12-rt": Series("trixie", r"6\.12\.\d+\+deb13(\.\d+)?", flavour="rt", on_demand=True),
    "6.16": backport(r"6\.16"),
    "6.17": backport(r"6\.17", on_demand=True),
    "6.18": backport(r"6\.18"),
    "6.19": backport(r"6\.19", on_demand=True),
    "7.0": backport(r"7\.0", on_demand=True),
    "7.1": backport(r"7\.1", on_demand=True),
    NEWEST: backport(r"\d+\.\d+"),
    "6.18-arm64": backport(r"6\.18", machine=machines.ARM64),
}
DEFAULT = [name for name, series in SERIES.items() if not series.on_demand]


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
    """A private apt state for one suite and one architecture."""

    def __init__(self, name, machine, cache):
        self.name = name
        self.directory = cache / "apt" / f"{name}-{machine.architecture}"
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
            ("APT::Architecture", machine.architecture),
            ("APT::Architectures", machine.architecture),
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
        """The packages that hold the image and its modules: since 6.19 linux-image-* only depends on the two of them."""
        version = image.removeprefix("linux-image-")
        split = []
        for part in (f"linux-binary-{version}", f"linux-modules-{version}"):
            split += [name for name in run(["apt-cache", *self.options, "pkgnames", part], f"apt-cache for {self.name}").split() if name == part]
        return split or [image]

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
    wanted = SERIES[series]
    suite = Suite(wanted.suite, wanted.machine, cache)
    suite.update()
    packages = suite.packages(wanted.packages)
    if not packages:
        raise Vanished(f"{wanted.suite} has no package {wanted.packages} any more")
    unpack(suite, suite.parts(packages[-1]), home, keep_image)
    return images(home)[-1]


def modules(image_path):
    """The files of the modules that this kernel needs for the guest's disks, in the order in which they load; none where they are built in."""
    return sorted(image_path.parent.parent.glob("modules/*.ko"))


def busybox(machine, cache):
    """The path of a static busybox: this machine's own, or one from the cache, since two architectures cannot both be installed."""
    if machine is machines.NATIVE:
        return pathlib.Path("/bin/busybox")
    home = cache / "busybox" / machine.architecture
    if not (home / "bin" / "busybox").exists():
        suite = Suite(BUSYBOX_SUITE, machine, cache)
        suite.update()
        unpack(suite, ["busybox-static"], home, lambda partial: None)
    return home / "bin" / "busybox"


def unpack(suite, packages, home, keep):
    """Puts packages into `home`, of which keep(directory) leaves what is needed."""
    # Unpacked beside its place and renamed, so that an interrupted run leaves no half of a package.
    partial = home.with_name(home.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in packages:
        package = suite.download(name, partial)
        run(["dpkg-deb", "-x", str(package), str(partial)], f"unpacking {package.name}")
        package.unlink()
    keep(partial)
    shutil.rmtree(home, ignore_errors=True)
    partial.rename(home)


def images(home):
    return sorted(home.glob("boot/vmlinuz-*"))


def keep_image(home):
    """Leaves boot/vmlinuz-VERSION, and in modules/ what its disks need."""
    for found in home.glob("usr/lib/modules/*/vmlinuz"):
        (home / "boot").mkdir(exist_ok=True)
        shutil.move(found, home / "boot" / f"vmlinuz-{found.parent.name}")
    if not images(home):
        raise KernelError(f"no boot/vmlinuz-* and no usr/lib/modules/*/vmlinuz in the packages of {home.name}")
    keep_modules(home)
    for folder in ("lib", "usr"):
        shutil.rmtree(home / folder, ignore_errors=True)


def keep_modules(home):
    """Puts DISK_MODULE and all that it depends on into modules/, numbered in the order in which they load."""
    files = {module_name(path): path for path in home.glob("**/lib/modules/**/*.ko*")}
    ordered = []

    def add(name):
        if name in ordered or name not in files:
            return
        for needed in needs(content(files[name])):
            add(needed)
        ordered.append(name)

    add(DISK_MODULE)
    (home / "modules").mkdir()
    for number, name in enumerate(ordered):
        (home / "modules" / f"{number:02}-{name}.ko").write_bytes(content(files[name]))


def module_name(path):
    return path.name.partition(".ko")[0].replace("-", "_")


def content(path):
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def needs(module):
    """The names of the modules that this one depends on, from its section .modinfo."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name.replace("-", "_") for name in found.group(1).decode("ascii").split(",") if name] if found else []
