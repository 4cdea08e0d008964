#!/usr/bin/env python3
"""Draws the tables that the directory benchmark printed: plot.py TABLE... > PLOT.svg"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tunnels"))
sys.dont_write_bytecode = True

from plot import drawing, panel, round_up

# Memory is counted in pages: with fewer forwarders, they are all that is seen.
FEWEST = 1_000


def rows(paths):
    """The numbers of each line of the tables: hubs, forwarders, bytes, three rates, MB."""
    for path in paths:
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if cells[0].isdigit():
                yield [None if cell == "-" else float(cell) for cell in cells]


def rates(at, rows):
    """Thousands a second of each kind, over the number in column `at`."""
    names = {"registered": 3, "found": 4, "sent on": 5}
    return {
        name: [(row[at], row[column] / 1e3) for row in rows if row[column] is not None]
        for name, column in names.items()
    }


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    all_rows = list(rows(sys.argv[1:]))
    most = max(row[0] for row in all_rows)
    by_forwarders = sorted((row for row in all_rows if row[0] == most), key=lambda row: row[1])
    by_hubs = sorted(row for row in all_rows if row[0] != most)
    memory = [(row[1], row[2] / 1e3) for row in by_forwarders if row[1] >= FEWEST]
    panels = [
        ("A forwarder at its hub, KB", "forwarders", 10, {"memory": memory}),
        (f"Thousands a second, {most:.0f} hubs", "forwarders", 10, rates(1, by_forwarders)),
        ("Thousands a second, 20,000 forwarders", "hubs", 2, rates(0, by_hubs)),
    ]
    elements = []
    for number, (*of, series) in enumerate(panels):
        end = round_up(max(value for points in series.values() for _, value in points))
        elements += panel(420 * (number % 2), 250 * (number // 2), *of, series, end)
    print(drawing(840, 500, elements))


if __name__ == "__main__":
    main()
