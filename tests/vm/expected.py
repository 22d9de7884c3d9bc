# SPDX-License-Identifier: Apache-2.0
"""What is expected to work where: everything, but for these rows. A `cannot` that is not here fails the matrix, and so does a row here
whose cell works."""
import dataclasses
import re

# Rows of one architecture do not reach into the other's.
ORDER = ("5.10", "6.1", "6.12", "6.12-generic", "6.12-rt", "6.16", "6.17", "6.18", "6.19", "7.0", "7.1", "newest", "6.18-arm64")
EVERY = "every scenario"


@dataclasses.dataclass(frozen=True)
class Cannot:
    """Kernels from `first` to `last`, backends, scenarios or EVERY one, and a pattern of the reason."""

    first: str
    last: str
    backends: tuple
    scenarios: tuple
    reason: str

    def covers(self, kernel, backend, scenario):
        return (ORDER.index(self.first) <= ORDER.index(kernel) <= ORDER.index(self.last) and backend in self.backends and
                (self.scenarios == EVERY or scenario in self.scenarios))


ALL = ("fentry", "kprobe", "static")
TABLE = (
    Cannot("5.10", "6.1", ALL, ("mthp",), r"this kernel has none \(since 6\.8\)"),
    # Which mapping an absent page belongs to is told by bpf_find_vma, of 5.17.
    Cannot("5.10", "5.10", ("static",), ("file-private", "elf-data"), r"first writes to absent pages .*5\.17.* all else is right"),
    Cannot("6.12-rt", "6.12-rt", ALL, ("mthp", "thp", "thp-zero"), r"built without (them|transparent huge pages)"),
    # bpf_find_vma refuses where interrupts are off, which a test at the start finds.
    Cannot("6.12-rt", "6.12-rt", ("static",), ("file-private", "elf-data"), r"first writes to absent pages .* all else is right"),
    Cannot("6.18-arm64", "6.18-arm64", ("static",), EVERY, r"this kernel has no exception tracepoints"),
)


def reason(kernel, backend, scenario, table=TABLE):
    """The pattern of the reason why a cell cannot, or None where it has to work."""
    for row in table:
        if row.covers(kernel, backend, scenario):
            return row.reason
    return None


def surprise(kernel, backend, scenario, cell, table=TABLE):
    """What is not as expected about a cell (verdict.Cell), or "" if all is."""
    pattern = reason(kernel, backend, scenario, table)
    if cell.word not in ("ok", "cannot"):
        return cell.word
    if cell.word == "ok":
        return f"works, where expected.py has it as one that cannot ({pattern}): take the row away" if pattern else ""
    if cell.blind:
        return ""
    if pattern is None:
        return "cannot, which expected.py does not expect"
    return "" if re.search(pattern, cell.details[0]) else f"cannot for another reason than {pattern}"
