# SPDX-License-Identifier: Apache-2.0
"""Makes the corpora of the fuzzers that read no traces anew: tests/fuzz/corpus/elf_module, traced_memory and kernel_texts. Needs g++ and strip.
What was found by fuzzing is there under names of its own, and stays.
"""
import json
import pathlib
import struct
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
LINE_TABLES = HERE.parent / "unit" / "data" / "python_line_tables.json"
PROGRAM = """
namespace n { template <typename T> struct S { T v; int f(int x) { return static_cast<int>(v) + x; } }; }
int global_object[4] = {1, 2, 3, 4};
static inline int inlined(int a) { return a * 3 + global_object[a & 3]; }
int main(int c, char**) { n::S<int> s{c}; return s.f(inlined(c)); }
"""
SHARED = ["-shared", "-fPIC", "-nostdlib"]
ELF_FILES = {
    "program": ["-g", "-O1", "-nostdlib", "-Wl,-e,main"],
    "relocatable": ["-g", "-O1", "-c"],
    "compressed_sections": ["-g", "-O1", "-gz=zlib", *SHARED],
    "dwarf4": ["-gdwarf-4", "-O2", "-Wl,--build-id", *SHARED],
    "symbols_only": ["-g0", "-O1", *SHARED],
}
MAPS = """55e0c0000000-55e0c0001000 r-xp 00001000 fe:00 1234 /usr/bin/a b\\040c
7f0000000000-7f0000021000 rw-p 00000000 00:00 0 [heap]
7f0000030000-7f0000040000 rw-s 00000000 00:05 99 /dev/zero (deleted)
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 [stack]
"""
STAT = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 12345 1000 10 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n"
CGROUP = "9:name=systemd:/user.slice/a:b\n8:memory:/x\n0::/y\n"
MOUNTINFO = """31 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw
33 31 0:28 / /sys/fs/cgroup/memory rw,relatime shared:1 - cgroup cgroup rw,memory
34 31 0:29 /x /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
EXPRESSION = "sys.modules['json'].decoder[-12].x[b'\\x00'][True]"


def write(folder, name, content):
    (CORPUS / folder).mkdir(parents=True, exist_ok=True)
    (CORPUS / folder / name).write_bytes(content)


def elf_files():
    with tempfile.TemporaryDirectory() as place:
        source = pathlib.Path(place) / "program.cpp"
        source.write_text(PROGRAM, encoding="ascii")
        for name, options in ELF_FILES.items():
            # Nobody's folders are in what is built.
            subprocess.run(["g++", *options, f"-ffile-prefix-map={place}=.", "-o", name, source.name], check=True, cwd=place)
            write("elf_module", name, (pathlib.Path(place) / name).read_bytes())
        subprocess.run(["strip", "-o", "stripped", "symbols_only"], check=True, cwd=place)
        write("elf_module", "stripped", (pathlib.Path(place) / "stripped").read_bytes())


def kernel_texts():
    """The first byte says which parser."""
    for number, name, text in ((0, "maps", MAPS), (1, "stat", STAT), (2, "cgroups", CGROUP.ljust(len(MOUNTINFO)) + MOUNTINFO), (4, "expression", EXPRESSION)):
        write("kernel_texts", name, bytes([number]) + text.encode())
    # Headers of events (bpf/abi/events.h), with room behind.
    for kind in (1, 2, 16, 17, 18, 19, 20, 22, 23):
        size = 2112 if kind == 20 else 256
        write("kernel_texts", f"event_{kind}", b"\3" + struct.pack("<IHHiiQ", size, kind, 0, 7, 8, 1234).ljust(size, b"\1"))
    for version, rows in json.loads(LINE_TABLES.read_text(encoding="ascii")).items():
        write("kernel_texts", f"lines_{version}", b"\5" + bytes.fromhex(max((row["table"] for row in rows), key=len)[:400]))


def traced_memory():
    """A registry (include/cowtrace/objects.h) whose first chunk is behind it; and pages of small numbers and pointers to themselves."""
    write("traced_memory", "registry", b"COWTRACE" + struct.pack("<IIQQ", 1, 64, 0x10080, 0x10080).ljust(120, b"\0") + b"\1" * 256)
    words = [0x10000 + 8 * (number % 64) if number % 3 else number % 5 for number in range(256)]
    write("traced_memory", "words", struct.pack("<256Q", *words))


elf_files()
kernel_texts()
traced_memory()
