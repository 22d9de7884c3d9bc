#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which guests are made, of what, and what is refused: all that needs no guest."""
import contextlib
import io
import lzma
import pathlib
import re
import struct
import tempfile
import unittest

import expected
import guest
import initramfs
import kernels
import machines
import matrix

INTERPRETER, LOADED = 3, 1


def program(elf_machine, segment):
    """An ELF file with one empty segment of a type (elf.h)."""
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", 2, elf_machine, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return header + struct.pack("<IIQQQQQQ", segment, 4, 0, 0, 0, 0, 0, 1)


class Programs(unittest.TestCase):
    machine_numbers = {machines.AMD64: 62, machines.ARM64: 183}

    def refused(self, machine, content):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "program"
            path.write_bytes(content)
            try:
                initramfs.check_program(machine, path)
            except initramfs.Unfit as error:
                return str(error)
        return ""

    def test_static_programs_of_its_architecture_only(self):
        for machine, number in self.machine_numbers.items():
            self.assertEqual(self.refused(machine, program(number, LOADED)), "")
            self.assertIn("not a static program", self.refused(machine, program(number, INTERPRETER)))
            for other in set(machines.ALL) - {machine}:
                self.assertIn(f"no program for {other.architecture}", self.refused(other, program(number, LOADED)))


class Arguments(unittest.TestCase):
    def said(self, *arguments):
        """The exit status or the kernels, and what was printed."""
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
            try:
                result = matrix.parse(arguments).kernels
            except SystemExit as error:
                result = error.code
        return result, out.getvalue()

    def test_without_programs_of_its_architecture_a_guest_is_left_out_and_said(self):
        chosen, text = self.said("--bin", "x86")
        self.assertEqual(chosen, [series for series in kernels.DEFAULT if kernels.SERIES[series].machine is machines.AMD64])
        self.assertIn("6.18-arm64: left out", text)

    def test_with_them_all_guests_are_made(self):
        self.assertEqual(self.said("--bin", "x86", "--bin-arm64", "arm"), (kernels.DEFAULT, ""))

    def test_a_guest_that_is_asked_for_by_name_is_not_left_out(self):
        status, text = self.said("--bin", "x86", "6.18-arm64")
        self.assertEqual(status, 2)
        self.assertIn("give --bin-arm64", text)

    def test_architectures_of_the_kernels_asked_for(self):
        for asked, printed in (((), "amd64 arm64"), (("6.1", "newest"), "amd64"), (("6.18-arm64",), "arm64")):
            with contextlib.redirect_stdout(io.StringIO()) as out:
                matrix.main(["--bin", "x86", "--bin-arm64", "arm", "--architectures", *asked])
            self.assertEqual(out.getvalue().strip(), printed)


class Kernels(unittest.TestCase):
    def test_every_series_has_a_place_among_the_expectations(self):
        self.assertEqual(list(expected.ORDER), list(kernels.SERIES))

    def test_a_series_takes_packages_of_its_architecture_only(self):
        name = "linux-image-6.18.15+deb13-cloud-"
        for series in ("6.18", "6.18-arm64"):
            matching = [machine for machine in machines.ALL if re.fullmatch(kernels.SERIES[series].packages, name + machine.architecture)]
            self.assertEqual(matching, [kernels.SERIES[series].machine])

    def test_a_flavour_takes_its_own_packages_only(self):
        names = ["linux-image-6.12.118+deb13" + flavour + "-amd64" for flavour in ("-cloud", "", "-rt")]
        for series, own in zip(("6.12", "6.12-generic", "6.12-rt"), names):
            self.assertEqual([name for name in names if re.fullmatch(kernels.SERIES[series].packages, name)], [own])

    def test_what_is_on_demand_is_in_no_run_that_names_no_kernel(self):
        self.assertNotIn("6.12-rt", kernels.DEFAULT)
        self.assertIn(kernels.NEWEST, kernels.DEFAULT)

    def test_modules_come_after_those_that_they_depend_on(self):
        with tempfile.TemporaryDirectory() as directory:
            home = pathlib.Path(directory)
            folder = home / "usr" / "lib" / "modules" / "6.12" / "kernel"
            folder.mkdir(parents=True)
            for name, depends in (("nvme", "nvme-core,crc64"), ("nvme-core", "nvme-auth"), ("nvme-auth", ""), ("crc64", ""), ("ext4", "")):
                module = b"\0license=GPL\0depends=" + depends.encode() + b"\0"
                (folder / f"{name}.ko.xz").write_bytes(lzma.compress(module))
            kernels.keep_modules(home)
            kept = [path.name for path in sorted((home / "modules").iterdir())]
        self.assertEqual(kept, ["00-nvme_auth.ko", "01-nvme_core.ko", "02-crc64.ko", "03-nvme.ko"])

    def test_each_suite_is_looked_up_once_an_architecture(self):
        places = {kernels.Suite("sid", machine, pathlib.Path("/cache")).directory for machine in machines.ALL}
        self.assertEqual(len(places), len(machines.ALL))


class Command(unittest.TestCase):
    def test_each_architecture_has_its_emulator_and_its_console(self):
        for machine, emulator in ((machines.AMD64, "qemu-system-x86_64"), (machines.ARM64, "qemu-system-aarch64")):
            command = guest.command(machine, "kernel", "archive", "nokaslr", "console.log")
            self.assertEqual(command[0], emulator)
            self.assertIn(f"console={machine.console} ", command[command.index("-append") + 1])
            self.assertIn("nokaslr", command[command.index("-append") + 1])


if __name__ == "__main__":
    unittest.main()
