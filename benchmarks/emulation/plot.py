#!/usr/bin/env python3
"""Draws plots of lines as SVG, with nothing but Python.

    plot.py OUT.svg REPORT.json...      latency under load, a line for each report of `liger probe memory --json`

As a module: Line, draw(). Both axes begin at 0, or are logarithmic.
"""

import dataclasses
import html
import json
import math
import pathlib
import sys

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 80, 210, 46, 56
COLOURS = ["#0969da", "#cf222e", "#1a7f37", "#9a6700", "#8250df", "#bf3989", "#1b7c83", "#57606a", "#bc4c00", "#6e7781"]
STYLE = """
text { font-family: "DejaVu Sans", Verdana, Arial, sans-serif; font-size: 12px; fill: #1b1f24; }
.title { font-size: 15px; font-weight: bold; }
.paper { fill: #ffffff; } .grid { stroke: #d8dee4; } .axis { stroke: #57606a; fill: none; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .paper { fill: #0d1117; } .grid { stroke: #30363d; } .axis { stroke: #9aa4af; }
}
"""


@dataclasses.dataclass
class Line:
    name: str
    points: list  # of (x, y)


def ticks(low, high):
    """Round numbers at even distances, some five of them."""
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step = next(step * m for m in (1, 2, 2.5, 5, 10) if (high - low) / (step * m) <= 6)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]


def log_ticks(low, high):
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10**d for d in decades for m in (1, 2, 5) if low <= m * 10**d <= high]


class Axis:
    def __init__(self, values, from_pixel, to_pixel, logarithmic):
        self.scale = math.log10 if logarithmic else float
        self.low = min(values) * 0.9 if logarithmic else 0
        self.high = max(values) * 1.05 or 1
        self.ticks = (log_ticks if logarithmic else ticks)(self.low, self.high)
        self.from_pixel, self.to_pixel = from_pixel, to_pixel

    def pixel(self, value):
        low, high = self.scale(self.low), self.scale(self.high)
        return self.from_pixel + (self.scale(value) - low) / (high - low) * (self.to_pixel - self.from_pixel)


def number(n):
    return f"{n:,.0f}" if n >= 10 or n == int(n) else f"{n:g}"


def draw(path, title, x_label, y_label, lines, log_x=False, log_y=False):
    xs, ys = ([p[i] for line in lines for p in line.points] for i in (0, 1))
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    x_axis, y_axis = Axis(xs, LEFT, right, log_x), Axis(ys, bottom, TOP, log_y)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT}" y="26">{html.escape(title)}</text>',
    ]
    for tick in y_axis.ticks:
        y = y_axis.pixel(tick)
        out.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number(tick)}</text>')
    for tick in x_axis.ticks:
        x = x_axis.pixel(tick)
        out.append(f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>')
        out.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{number(tick)}</text>')
    out.append(f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>')
    middle = (TOP + bottom) / 2
    out.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 14}" text-anchor="middle">{html.escape(x_label)}</text>')
    out.append(f'<text x="18" y="{middle}" text-anchor="middle" transform="rotate(-90 18 {middle})">{html.escape(y_label)}</text>')
    for i, line in enumerate(lines):
        colour, at = COLOURS[i % len(COLOURS)], [(x_axis.pixel(x), y_axis.pixel(y)) for x, y in line.points]
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in at)}"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in at]
        y = TOP + 8 + 20 * i
        out.append(f'<path stroke="{colour}" stroke-width="3" d="M{right + 16} {y}h20"/>')
        out.append(f'<text x="{right + 42}" y="{y + 4}">{html.escape(line.name)}</text>')
    out.append("</svg>\n")
    pathlib.Path(path).write_text("\n".join(out), encoding="utf-8")


def draw_load(path, reports):
    lines = []
    for report in reports:
        points = [(x, y) for x, y in report["latency_under_load"] if x is not None and y is not None]
        lines.append(Line(report["emulation"].removeprefix("delay:"), sorted(points)))
    draw(path, "Latency of a read under load", "read by another thread of the host, GB/s", "latency, ns", lines, log_y=True)


def main():
    if len(sys.argv) < 3 or sys.argv[1].startswith("-"):
        print(__doc__)
        sys.exit(0 if sys.argv[1:] in (["--help"], ["-h"]) else 2)
    draw_load(sys.argv[1], [json.loads(pathlib.Path(name).read_text(encoding="utf-8")) for name in sys.argv[2:]])


if __name__ == "__main__":
    main()
