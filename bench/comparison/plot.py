"""A line chart as SVG: some series over a logarithmic axis of a few whole numbers."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 56, 176, 48, 48
COLOURS = ("#1b6ca8", "#6b6b6b", "#c0392b", "#e0a030", "#2e8b57")


def step_of(most):
    """A round distance between about five lines of a grid."""
    rough = most / 5
    power = 10 ** math.floor(math.log10(rough))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= rough)


def text(x, y, words, anchor="middle", **more):
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{attributes}>{escape(words)}'
            '</text>')


def chart(title, x_title, y_title, series):
    """The SVG's text. series: {name: [(x, y), ...]}, x ascending and above 0, y not negative."""
    marks = sorted({x for points in series.values() for x, _ in points})
    step = step_of(max(y for points in series.values() for _, y in points))
    lines = math.ceil(max(y for points in series.values() for _, y in points) / step)
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    span = math.log(marks[-1] / marks[0]) or 1.0

    def at_x(x):
        return LEFT + width * math.log(x / marks[0]) / span

    def at_y(y):
        return TOP + height * (1 - y / (step * lines))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(LEFT, 24, title, "start", font_size=14, font_weight="bold"),
           text(LEFT + width / 2, HEIGHT - 10, x_title), text(8, TOP - 10, y_title, "start")]
    for line in range(lines + 1):
        y = at_y(step * line)
        out.append(f'<path d="M{LEFT},{y:.1f}h{width}" stroke="#ddd"/>')
        out.append(text(LEFT - 6, y + 4, f"{step * line:g}", "end"))
    out += [text(at_x(x), TOP + height + 18, f"{x:,}") for x in marks]
    # Names stand where their lines end, as far apart as they need.
    ends = sorted((at_y(points[-1][1]), name) for name, points in series.items())
    below = -math.inf
    places = {}
    for y, name in ends:
        below = places[name] = max(y, below + 15)
    for colour, (name, points) in zip(COLOURS, series.items()):
        path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3" fill="{colour}"/>'
                for x, y in points]
        out.append(text(LEFT + width + 10, places[name] + 4, name, "start", fill=colour))
    return "\n".join(out + ["</svg>"]) + "\n"
