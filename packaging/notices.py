#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the copyright notices and licences of all that is in the built programs, found by what the linker and the compiler have read.

Usage: notices.py --tree TREE --map FILE... [--deps FILE] [--built ARCHIVE=SOURCE]... [--made-by PACKAGE]... [--web FILE] -o FILE
    --map      what ld -Map has written: every archive and object that it loaded
    --deps     what ninja -t deps says: every header that was compiled into ours
    --built    an archive of the build tree that was compiled from somebody else's source tree, whose licence file is taken
    --made-by  a Debian package that generates code which is compiled into ours
    --web      the notices of what is bundled into the HTML report
Archives and headers of the system are of Debian packages, whose copyright files are taken. What belongs to nobody is an error.
"""
import argparse
import hashlib
import pathlib
import re
import subprocess
import sys

# Programs that are built and not installed, and tests, whose headers are nobody's business.
FOREIGN_OBJECTS = re.compile(r"^(?:tests/|src/cli/completions/|src/cli/CMakeFiles/cowtrace_completions)")
RULE = "=" * 100 + "\n"


class Unknown(Exception):
    """A file that would be delivered without a notice."""


def loaded(map_file):
    """What ld has read, besides shared libraries."""
    names = re.findall(r"^LOAD (\S+)$", map_file.read_text(encoding="utf-8", errors="replace"), re.M)
    if not names:
        raise Unknown(f"{map_file}: no linker map")
    return {name for name in names if not re.search(r"\.so[.\d]*$", name) and not name.startswith("linker stubs")}


def headers(deps_file):
    """Absolute names of what was included into our objects."""
    found, ours = set(), False
    for line in deps_file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(" "):
            ours = not FOREIGN_OBJECTS.match(line)
        elif ours and line.strip().startswith("/"):
            found.add(line.strip())
    return found


def packages_of(paths):
    """{package: the names that it owns}; Unknown if one has no owner."""
    if not paths:
        return {}
    real = {str(pathlib.Path(path).resolve()): path for path in paths}
    # Files are listed as they were before /lib and /usr/lib became one, or after.
    asked = [*real, *(name.removeprefix("/usr") for name in real if name.startswith("/usr/lib"))]
    said = subprocess.run(["dpkg-query", "-S", *asked], capture_output=True, text=True, check=False).stdout
    owners, owned = {}, set()
    for line in said.splitlines():
        names, _, path = line.partition(": ")
        name = path if path in real else "/usr" + path
        owned.add(name)
        owners.setdefault(names.split(",")[0].split(":")[0], set()).add(name)
    if set(real) - owned:
        raise Unknown("no Debian package owns " + " ".join(sorted(set(real) - owned)))
    return owners


def source_of(package):
    shown = subprocess.run(["dpkg-query", "-W", "-f", "${source:Package} ${source:Version}\\n", package], capture_output=True, text=True, check=True)
    return shown.stdout.splitlines()[0]


def licence_file(source):
    for path in sorted(source.iterdir()):
        if re.match(r"(?i)licen[cs]e|copying", path.name):
            return path.read_text(encoding="utf-8")
    raise Unknown(f"{source} has no licence text")


class Notices:
    def __init__(self):
        self.texts = {}  # digest: (text, [of what])
        self.listed = []

    def add(self, what, text):
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.texts.setdefault(digest, (text, []))[1].append(what)
        self.listed.append(what)

    def add_package(self, package, why):
        path = pathlib.Path("/usr/share/doc", package, "copyright")
        if not path.exists():
            raise Unknown(f"{path} does not exist")
        self.add(f"{package} (Debian source {source_of(package)}): {why}", path.read_text(encoding="utf-8", errors="replace"))

    def common_licences(self):
        """The texts that Debian's copyright files refer to."""
        named = {name.rstrip(".") for text, _ in self.texts.values() for name in re.findall(r"/usr/share/common-licenses/([\w.-]+\w)", text)}
        return {name: pathlib.Path("/usr/share/common-licenses", name) for name in sorted(named)}

    def write(self, out):
        out.write("What is in cowtrace besides its own code, where its source is, and under which terms.\n\n"
                  "cowtrace itself is under the Apache License 2.0, its BPF programs under the BSD-2-Clause licence or the GNU GPL 2.\n"
                  "Debian source packages: apt-get source PACKAGE=VERSION on Debian, or https://snapshot.debian.org.\n\n")
        for what in self.listed:
            out.write(f"  {what}\n")
        for text, whats in self.texts.values():
            out.write("\n" + RULE + "".join(f"{what}\n" for what in whats) + RULE + "\n" + text.strip() + "\n")
        for name, path in self.common_licences().items():
            if not path.exists():
                raise Unknown(f"{path} does not exist")
            out.write("\n" + RULE + f"/usr/share/common-licenses/{name}\n" + RULE + "\n" + path.read_text(encoding="utf-8").rstrip() + "\n")


def collect(arguments):
    tree = arguments.tree.resolve()
    built = dict(one.split("=", 1) for one in arguments.built)
    notices = Notices()
    notices.add("cowtrace", (tree / "LICENSE").read_text(encoding="utf-8"))
    for path in sorted((tree / "LICENSES").iterdir()):
        notices.add(f"cowtrace's BPF programs: {path.stem}", path.read_text(encoding="utf-8"))
    linked, compiled = set(), set()
    for path in (name for file in arguments.map for name in loaded(file)):
        if path.startswith("/"):
            linked.add(path)
        elif pathlib.Path(path).name in built:
            compiled.add(pathlib.Path(path).name)
        elif not re.search(r"(?:^|/)libcowtrace_\w+\.a$|\.dir/.*\.o$", path):
            raise Unknown(f"{path} is of this build, and neither ours nor given by --built")
    for name in sorted(compiled):
        notices.add(f"{name}, compiled from {pathlib.Path(built[name]).name}'s source", licence_file(pathlib.Path(built[name])))
    owners = packages_of(linked)
    for package, files in sorted(owners.items()):
        notices.add_package(package, ", ".join(sorted(pathlib.Path(file).name for file in files)))
    included = {path for path in (headers(arguments.deps) if arguments.deps else ()) if not path.startswith(f"{tree}/")}
    for package in sorted(set(packages_of(included)) - set(owners)):
        notices.add_package(package, "headers")
    for package in arguments.made_by:
        notices.add_package(package, "generated code")
    if arguments.web:
        notices.add("in HTML reports", arguments.web.read_text(encoding="utf-8"))
    return notices


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--tree", type=pathlib.Path, required=True)
    parser.add_argument("--map", type=pathlib.Path, action="append", required=True)
    parser.add_argument("--deps", type=pathlib.Path)
    parser.add_argument("--built", action="append", default=[])
    parser.add_argument("--made-by", action="append", default=[])
    parser.add_argument("--web", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    try:
        notices = collect(arguments)
        with open(arguments.output, "w", encoding="utf-8") as out:
            notices.write(out)
    except (Unknown, OSError) as error:
        arguments.output.unlink(missing_ok=True)
        print(f"notices.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
