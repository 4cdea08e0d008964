#!/usr/bin/env python3
"""Draws what the tunnel benchmark wrote with --json: plot.py RUN.json > PLOT.svg

A run of --scale becomes lines over the number of streams, entries and hops; any other run becomes
the bars of the comparison. Colours can be read on a light and on a dark background.
"""

import json
import math
import sys
from html import escape

INK = "#7d8590"
COLOURS = ["#2f81f7", "#e3871a", "#2da44e", "#bf5af2"]

BARS = [
    ("One stream, GB/s (longer is better)", [("up", "1 up"), ("down", "1 down")], 2),
    ("Eight streams, GB/s (longer is better)", [("up", "8 up"), ("down", "8 down")], 2),
    (
        "Round trip of one byte, µs (shorter is better)",
        [("median", "round trip, median"), ("99 of 100 below", "round trip, 99 of 100 below")],
        0,
    ),
    ("New connections a second (longer is better)", [("connections", "new connections")], 0),
    ("Processor seconds for a gigabyte (shorter is better)", [("both ends", "processor time")], 2),
]


def text(x, y, anchor, words, style=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(words)}</text>'


def title(x, y, words):
    return text(x, y, "start", words, ' font-size="14" font-weight="bold"')


def rule(x1, y1, x2, y2):
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{INK}" stroke-opacity="0.4"/>'
    )


def bar(x, y, width, height, colour, tip):
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" '
        f'fill="{colour}"><title>{escape(tip)}</title></rect>'
    )


def legend(x, y, names):
    for name, colour in zip(names, COLOURS):
        yield bar(x, y - 10, 11, 11, colour, name)
        yield text(x + 16, y, "start", name)
        x += 36 + 7 * len(name)


def drawing(width, height, elements):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" font-family="system-ui, sans-serif" font-size="12" fill="{INK}">\n'
        + "\n".join(elements)
        + "\n</svg>"
    )


def comparison(figures, width=760, names=90, values=60, thick=13, gap=7, head=52):
    """A panel for each question, a group of bars for each tunnel."""
    found = {(of["row"], of["figure"]): of["value"] for of in figures}
    rows = list(dict.fromkeys(of["row"] for of in figures))
    elements, top = [], 0
    for heading, series, digits in BARS:
        elements += [title(0, top + 18, heading)]
        elements += legend(names, top + 38, [name for name, _ in series])
        longest = max((found.get((row, of), 0) for row in rows for _, of in series), default=0)
        scale = (width - names - values) / (longest or 1)
        y = top + head
        for row in rows:
            elements.append(text(names - 8, y + len(series) * thick / 2 + 4, "end", row))
            for number, ((name, figure), colour) in enumerate(zip(series, COLOURS)):
                value = found.get((row, figure))
                if value is None:
                    continue
                shown, place = f"{value:.{digits}f}", y + number * thick
                elements += [
                    bar(names, place, value * scale, thick - 1, colour, f"{row} {name}: {shown}"),
                    text(names + value * scale + 5, place + thick - 2, "start", shown),
                ]
            y += len(series) * thick + gap
        elements.append(rule(names, top + head - gap / 2, names, y - gap / 2))
        top = y + gap
    return drawing(width, top, elements)


def round_up(value):
    """The smallest of 1, 2 and 5 times a power of ten that is not below `value`: an axis' end."""
    power = 10 ** math.floor(math.log10(max(value, 1e-9)))
    return next((step * power for step in (1, 2, 5, 10) if step * power >= value), value)


def short(value):
    return "0" if value == 0 else f"{value:.0f}" if value >= 10 else f"{value:.2f}"


def whole(number):
    return f"{number // 10**6:,} M" if number >= 10**6 else f"{number:,}"


def lines(figures, question, wanted, of=lambda value: value):
    """The points of each row. Figures whose names begin alike are added up, as for memory."""
    rows = {}
    for figure in figures:
        if figure["question"] == question and figure["figure"].split(",")[0] == wanted:
            points = rows.setdefault(figure["row"], {})
            points[figure["at"]] = points.get(figure["at"], 0) + figure["value"]
    return {row: [(at, of(value)) for at, value in points.items()] for row, points in rows.items()}


def panel(left, top, heading, axis, step, series, end):
    """Lines over a number that is multiplied by `step` from mark to mark."""
    width, height, inset, right, head, foot = 420, 250, 50, 30, 54, 60
    numbers = [at for points in series.values() for at, _ in points]
    marks = max([math.log(max(at, 1), step) for at in numbers] + [1])

    def place(number, value):
        x = left + inset + (width - inset - right) * math.log(max(number, 1), step) / marks
        return x, top + height - foot - (height - head - foot) * value / end

    yield title(left + inset, top + 18, heading)
    yield from legend(left + inset, top + 38, list(series))
    for value in (end * mark / 4 for mark in range(5)):
        x, y = place(1, value)
        yield rule(x, y, left + width - right, y)
        yield text(x - 6, y + 4, "end", short(value))
    # The logarithm of an exact power may come out a little below the whole number.
    for mark in range(int(marks + 1e-6) + 1):
        x, y = place(step**mark, 0)
        yield text(x, y + 18, "middle", whole(step**mark))
    yield text(left + (inset + width - right) / 2, top + height - foot + 38, "middle", axis)
    for points, colour in zip(series.values(), COLOURS):
        corners = [place(*point) for point in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for x, y in corners:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'


def growth(figures):
    """Two panels side by side, row by row. Both directions share one scale, to be compared."""
    streams, entries, hops = "streams at once", "entries in the table", "local hops of a message"
    panels = [
        ("Upload of all streams, GB/s", streams, 10, lines(figures, "scale", "up")),
        ("Download of all streams, GB/s", streams, 10, lines(figures, "scale", "down")),
        ("Peak memory of all processes, MB", streams, 10, lines(figures, "scale", "peak memory")),
        (
            "Processor time of the tunnel, s/GB",
            streams,
            10,
            lines(figures, "scale", "processor time"),
        ),
        ("Finding a routing entry, ns", entries, 10, lines(figures, "routing", "finding an entry")),
        (
            "Routed hops a second, millions",
            hops,
            2,
            lines(figures, "routing", "hop", lambda nanoseconds: 1e3 / nanoseconds),
        ),
    ]
    ends = [max((value for row in of.values() for _, value in row), default=1) for *_, of in panels]
    ends[0] = ends[1] = max(ends[:2])
    elements = []
    for number, (of, end) in enumerate(zip(panels, ends)):
        elements += panel(420 * (number % 2), 250 * (number // 2), *of, round_up(end))
    return drawing(840, 250 * math.ceil(len(panels) / 2), elements)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        file = open(sys.argv[1], encoding="utf-8")
    except OSError as error:
        sys.exit(f"cannot read the run: {error}")
    with file:
        figures = json.load(file)["figures"]
    compared = [of for of in figures if of["question"] == "compare"]
    if not compared and not any(of["question"] == "scale" for of in figures):
        sys.exit("there is neither a comparison nor a run of --scale in this file")
    print(comparison(compared) if compared else growth(figures))


if __name__ == "__main__":
    main()
