"""An SVG chart: how many times the kernel's speed each contender has, on a logarithmic scale."""

import math
import statistics
from xml.sax.saxutils import escape

COLOURS = {
    "pipe": "#e69f00", "weir": "#0072b2", "weir+rule": "#56b4e9", "tokio, 1": "#d55e00", "tokio, n": "#cc79a7",
    "ring": "#009e73", "mutex": "#8c6d31", "memcpy": "#999999",
}
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #222 } .dim { fill: #666 } .head { font-weight: 600 }
.grid { stroke: #ddd } .one { stroke: #444; stroke-width: 1.5 } svg { background: #fff }
@media (prefers-color-scheme: dark) {
  svg { background: #16181c } text { fill: #ddd } .dim { fill: #999 } .grid { stroke: #333 } .one { stroke: #aaa }
}"""
LEFT, PLOT, RIGHT, LINE, TOP = 330, 620, 100, 20, 100


def figures(row):
    """Times the kernel's speed, in each round, of every contender that was measured so."""
    found = {name: row.ratios("kernel", name) for name in COLOURS}
    return {name: values for name, values in found.items() if len(values) > 1}


def quartiles(values):
    return statistics.quantiles(values, n=4)


class Scale:
    """From a ratio to a place on the line."""

    def __init__(self, values):
        self.low = math.floor(math.log10(min(values + [1.0])))
        self.high = max(self.low + 1, math.ceil(math.log10(max(values + [1.0]))))

    def x(self, value):
        return LEFT + PLOT * (math.log10(value) - self.low) / (self.high - self.low)

    def ticks(self):
        return [10.0**exponent for exponent in range(self.low, self.high + 1)]


def text(x, y, content, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(content)}</text>'


def legend():
    x = LEFT
    for name, colour in COLOURS.items():
        yield f'<circle cx="{x}" cy="{TOP - 40}" r="5" fill="{colour}"/>'
        yield text(x + 9, TOP - 36, name)
        x += 26 + 7 * len(name)


def grid(scale, bottom):
    for tick in scale.ticks():
        kind = "one" if tick == 1 else "grid"
        yield f'<line class="{kind}" x1="{scale.x(tick):.1f}" x2="{scale.x(tick):.1f}" y1="{TOP - 12}" y2="{bottom}"/>'
        yield text(scale.x(tick), TOP - 16, f"{tick:g}×", 'text-anchor="middle" class="dim"')


def marks(row, scale, y):
    """A dot for each contender, a line from quartile to quartile, and weir's median as a number; weir on top."""
    yield text(LEFT - 10, y + 4, row.workload.title, 'text-anchor="end"')
    for name, values in sorted(figures(row).items(), key=lambda item: item[0] == "weir"):
        colour = COLOURS[name]
        first, middle, third = quartiles(values)
        ends = f'x1="{scale.x(first):.1f}" x2="{scale.x(third):.1f}" y1="{y}" y2="{y}"'
        yield f'<line {ends} stroke="{colour}" stroke-width="2" opacity="0.5"/>'
        radius = 6 if name == "weir" else 4
        told = escape(f"{name}: {middle:.3g}× the kernel's speed")
        yield f'<circle cx="{scale.x(middle):.1f}" cy="{y}" r="{radius}" fill="{colour}"><title>{told}</title></circle>'
        if name == "weir":
            yield text(LEFT + PLOT + 36, y + 4, f"{middle:.3g}×")


def draw(rows, subtitle):
    """The chart of the rows in which the kernel and another contender took a time."""
    rows = [row for row in rows if row.workload.key == "each_ns" and figures(row)]
    scale = Scale([value for row in rows for values in figures(row).values() for value in quartiles(values)])
    lines, y, group = [], TOP, None
    for row in rows:
        if row.workload.group != group:
            group = row.workload.group
            y += LINE
            lines.append(text(LEFT - 10, y + 4, group, 'text-anchor="end" class="head"'))
            y += LINE
        lines += marks(row, scale, y)
        y += LINE
    width, height = LEFT + PLOT + RIGHT, y + LINE
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<style>{STYLE}</style>",
        text(16, 24, "Times the kernel's speed (further right is faster)", 'class="head"'),
        text(16, 42, subtitle, 'class="dim"'),
        text(LEFT + PLOT + 36, TOP - 16, "weir", 'class="dim"'),
        *legend(), *grid(scale, y), *lines, "</svg>\n",
    ])
