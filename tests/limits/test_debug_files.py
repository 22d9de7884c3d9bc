#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Debug information that inflates to more than there is to spare: what all files together may take is bounded, and what is beyond is said."""
import shutil
import struct
import subprocess
import unittest
import zlib

from measuring import MIB, LimitsTest, most_memory
from support import SCENARIO

DEBUG = 1024 * MIB  # docs/limits.md: symbols and debug information of all files
SECTION = 400 * MIB
PROGRAMS = 4
SHF_COMPRESSED = 0x800


def deflated(size):
    """Zeros, as a compressed section has them: Elf64_Chdr with ELFCOMPRESS_ZLIB, then the stream."""
    packer = zlib.compressobj(9)
    parts = [struct.pack("<IIQQ", 1, 0, size, 1)]
    parts += [packer.compress(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join(parts) + packer.flush()


def take_the_place_of_types(path):
    """The section .debug_zbomb becomes .debug_types, which libdw loads, and is called compressed."""
    content = bytearray(path.read_bytes())
    table, = struct.unpack_from("<Q", content, 40)
    size, count, strings = struct.unpack_from("<HHH", content, 58)
    names, = struct.unpack_from("<Q", content, table + strings * size + 24)
    for at in range(table, table + count * size, size):
        name = names + struct.unpack_from("<I", content, at)[0]
        if content[name:].startswith(b".debug_zbomb\0"):
            content[name:name + 13] = b".debug_types\0"
            flags, = struct.unpack_from("<Q", content, at + 8)
            struct.pack_into("<Q", content, at + 8, flags | SHF_COMPRESSED)
            struct.pack_into("<Q", content, at + 48, 1)
    path.write_bytes(content)


class DebugFiles(LimitsTest):
    def test_what_inflates(self):
        section, first = self.directory / "section", self.directory / "program0"
        section.write_bytes(deflated(SECTION))
        subprocess.run(["objcopy", "--add-section", f".debug_zbomb={section}", SCENARIO, first], check=True)
        take_the_place_of_types(first)
        for number in range(1, PROGRAMS):
            shutil.copy(first, self.directory / f"program{number}")
        script = " && ".join(f"{self.directory}/program{number} mutate >/dev/null" for number in range(PROGRAMS))
        sized = self.sized(command=("sh", "-c", script), options=("-q", "--snapshot", "passive"))
        trace = sized.end()
        self.assert_nothing_lost(trace)
        (note,) = [note for note in trace.capture["notes"] if "left out" in note]
        left_out = [number for number in range(PROGRAMS) if f"program{number}" in note]
        self.assertGreaterEqual(len(left_out), PROGRAMS - DEBUG // SECTION)
        most = most_memory(trace) + DEBUG
        self.assertLess(sized.peak.bytes, most)
        self.figures("debug_files", programs=PROGRAMS, section_mib=SECTION // MIB, left_out=len(left_out), peak_mib=round(sized.peak.bytes / MIB),
                     bound_mib=round(most / MIB))


if __name__ == "__main__":
    unittest.main()
