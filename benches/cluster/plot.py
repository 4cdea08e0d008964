#!/usr/bin/env python3
"""Draws the tables of the directory benchmark, and that of channels: plot.py TABLE... > PLOT.svg

The tables are what `cargo bench -p ockam-actix-simulated --bench directory` and
`ockam-actix-tunnels --channels` have printed.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tunnels"))
sys.dont_write_bytecode = True

from plot import drawing, panel, round_up

# Memory is counted in pages: with fewer forwarders, they are all that is seen.
FEWEST = 1_000


def rows(paths, first):
    """The numbers of each line of the tables whose first column is called `first`."""
    for path in paths:
        heading = None
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if cells[0].isdigit() and heading == first:
                yield [None if cell == "-" else float(cell) for cell in cells]
            elif cells[0].isalpha():
                heading = cells[0]


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
    # Hubs, forwarders, bytes of each, three rates, MB.
    all_rows = list(rows(sys.argv[1:], "hubs"))
    # Channels, and MB of the hub, the outlet and the inlet.
    channels = list(rows(sys.argv[1:], "channels"))
    most = max(row[0] for row in all_rows)
    by_forwarders = sorted((row for row in all_rows if row[0] == most), key=lambda row: row[1])
    by_hubs = sorted(row for row in all_rows if row[0] != most)
    memory = [(row[1], row[2] / 1e3) for row in by_forwarders if row[1] >= FEWEST]
    panels = [
        ("A forwarder at its hub, KB", "forwarders", 10, {"memory": memory}),
        (f"Thousands a second, {most:.0f} hubs", "forwarders", 10, rates(1, by_forwarders)),
        ("Thousands a second, 20,000 forwarders", "hubs", 2, rates(0, by_hubs)),
        ("Memory with idle channels, MB", "channels", 10, {
            name: [(row[0], row[column]) for row in channels]
            for name, column in {"hub": 1, "outlet": 2, "inlet": 3}.items()
        }),
    ]
    elements = []
    for number, (*of, series) in enumerate(panels):
        end = round_up(max(value for points in series.values() for _, value in points))
        elements += panel(420 * (number % 2), 250 * (number // 2), *of, series, end)
    print(drawing(840, 500, elements))


if __name__ == "__main__":
    main()
