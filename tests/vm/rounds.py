# SPDX-License-Identifier: Apache-2.0
"""Whether several rounds of the matrix agree: the same verdicts, and the same counts by mechanism."""


def answers(cell):
    """What has to be the same in every round; faults and bytes of stacks and libraries need not."""
    return cell.word, {role: (seen["processes"], seen["by_mechanism"]) for role, seen in cell.measured.items()}


def differences(rounds):
    """A line for each cell that was not always the same. `rounds`: for each round, guest name -> {(experiment, backend): verdict.Cell}."""
    places = sorted({(guest, *place) for one in rounds for guest, cells in one.items() for place in cells})
    for guest, name, backend in places:
        cells = [one.get(guest, {}).get((name, backend)) for one in rounds]
        words = [cell.word if cell else "not run" for cell in cells]
        where = f"{guest} {backend} {name}"
        if len(set(words)) > 1:
            yield f"{where}: {', '.join(words)}"
        elif None not in cells and any(answers(cell) != answers(cells[0]) for cell in cells):
            yield f"{where}: other counts from one round to another"
