# SPDX-License-Identifier: Apache-2.0
"""Forges messages of traces that no capture writes, each of a shape that could cost a reader more than its size: forge.py [FOLDER [ROWS]].
The corpus has those of 100 rows. With 60000, `zstd --check` makes files of them, and `cowtrace report` is to read each within seconds.
"""
import pathlib
import sys

FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent / "corpus" / "messages")
ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
PAGE = 4096


def varint(number):
    number &= (1 << 64) - 1
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def delta(number):
    return varint(number << 1 ^ number >> 63)


def message(field, *parts):
    content = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(content)) + content


def number(field, value):
    return varint(field << 3) + varint(value)


def hash_of(field, value):
    return varint(field << 3 | 1) + value.to_bytes(8, "little")


def column(field, values, as_bytes=varint):
    return message(field, *(as_bytes(value) for value in values))


def hashes(field, values):
    return message(field, *(value.to_bytes(8, "little") for value in values))


# Fields are those of src/trace/trace.proto.
HEADER = message(1, number(1, 1))
END = message(13) + number(20, 1)


def process(*spaces, more=b""):
    return message(14, column(10, spaces), more)


def space(identity, owner=0, more=b""):
    return message(15, number(1, identity), number(2, owner), more)


def resolutions(rows, actors=((1, 1),), actor=lambda row: 0, address=lambda row: PAGE, size=1, mapping=0, stacks=()):
    zeros = [0] * rows
    return message(4, *(message(1, number(1, where), number(2, pid)) for where, pid in actors), hashes(2, stacks),
                   hashes(3, [mapping] if mapping else []), column(5, map(actor, range(rows))), column(6, [1] * rows, delta),
                   column(7, map(address, range(rows)), delta), column(8, zeros, delta), column(9, zeros, delta), column(10, zeros),
                   column(11, [row % len(stacks) + 1 if stacks else 0 for row in range(rows)]), column(12, [1 if mapping else 0] * rows),
                   column(13, zeros), column(14, [size] * rows), column(15, zeros))


def answers(field, addresses, second=0):
    zeros = [0] * len(addresses)
    return message(field, column(1, [1] + zeros[1:], delta), column(2, addresses, delta), column(3, [second] + zeros[1:], delta),
                   column(4, zeros, delta), column(5, [1] * len(addresses)), column(6, zeros), column(7, zeros), column(8, zeros))


def sample(page, pages, outcome=0):
    return number(3, outcome) + number(5, page) + number(6, page) + column(8, [1] * pages) + number(10, page + 8)


def watch(at_fork, last):
    return message(19, number(2, 1), message(3, at_fork), message(4, last))


ONE = process(1) + space(1)
EACH = range(1, ROWS + 1)

FORGED = {
    "counts_of_the_last_space": [*(space(i) for i in EACH), *(message(16, number(1, ROWS)) for _ in EACH), process()],
    "writes_without_their_mapping": [resolutions(ROWS, mapping=1 << 63), process(1),
                                     *(message(17, hash_of(1, i), number(3, 1 << 40), number(4, (1 << 40) + PAGE)) for i in EACH),
                                     space(1, more=hashes(3, EACH))],
    "a_page_of_many_objects": [resolutions(ROWS, address=lambda row: 0 if row else PAGE),
                               *(message(5, number(1, 1), number(2, i)) for i in EACH),
                               message(7, column(1, [ROWS]), column(2, [1] * ROWS, delta)), answers(9, [PAGE], 2 * PAGE), ONE],
    "a_page_of_many_spaces": [resolutions(ROWS, actors=[(i, 1) for i in EACH], actor=lambda row: row,
                                          address=lambda row: PAGE), process(*EACH), *map(space, EACH)],
    "watches_of_huge_pages": [resolutions(ROWS, address=lambda row: 1 << 21, size=3), ONE,
                              *(watch(sample(PAGE, 100), sample(PAGE, 100)) for _ in range(ROWS // 100))],
    "watches_of_long_stacks": [message(2, b"f" * (10 * ROWS)), message(6, number(1, 1)), message(7, column(1, [1]), column(2, [1], delta)),
                               answers(10, [1] * 64),
                               *(message(3, message(5, hash_of(1, i), number(2, 1), column(3, [*range(1, 64), i % 64 + 1]))) for i in range(1, 33)),
                               resolutions(640, stacks=range(1, 33)), ONE, *(watch(sample(PAGE * i, 1), sample(PAGE * i, 1)) for i in range(1, 60))],
    "watches_of_a_long_command": [message(14, message(5, b"x" * ROWS), column(10, [1])), space(1),
                                  *(message(19, number(2, 1), message(3)) for _ in EACH)],
    "a_long_line_of_forks": [*(process(i, more=number(8, i - 1)) for i in EACH), *(space(i, i - 1) for i in EACH)],
    "spaces_forked_from_each_other": [process(1, more=number(8, 2)), process(2, more=number(8, 1)), space(1), space(2, 1), resolutions(2)],
    "parents_of_each_other": [process(1, more=number(3, 1)), process(2, more=number(3, 0)), space(1), space(2, 1)],
    "an_audit_of_many_reasons": [message(14, column(10, [1]), message(13, number(1, ROWS), *(message(3, str(i).encode()) for i in EACH),
                                                                       column(4, [1] * ROWS))), space(1)],
    "actors_of_one_pid": [resolutions(ROWS, actors=[(1, 7)]), process(1), *(message(14, number(1, 7)) for _ in EACH), space(1)],
    "times_at_the_ends": [message(13, number(7, -1 << 63), number(8, 5), number(9, -1)), resolutions(3, address=lambda row: -1), ONE],
}

FOLDER.mkdir(parents=True, exist_ok=True)
for name, parts in FORGED.items():
    block = b"".join([HEADER, *parts, END])
    (FOLDER / name).write_bytes(varint(len(block)) + block)
