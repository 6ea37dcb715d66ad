"""The plot of a comparison: a bar per target, as a part of what is allowed, in SVG without a library.
It follows the colours that the reader prefers, light or dark."""

from xml.sax.saxutils import escape

import report

WIDTH, LEFT, RIGHT, ROW, TOP, BOTTOM = 1080, 500, 150, 30, 76, 46
SPAN = 1.5  # times the target, at the right edge

KINDS = {"met": "met", "met, wanted too": "met", "falls": "falls", "NOT MET": "missed"}

STYLE = """
    text { font: 14px system-ui, sans-serif; fill: #24292f; }
    .title { font-size: 18px; font-weight: 600; }
    .note { font-size: 12px; fill: #57606a; }
    .paper { fill: #ffffff; }
    .grid { stroke: #d0d7de; }
    .limit { stroke: #24292f; stroke-width: 2; }
    .wanted { stroke: #57606a; stroke-width: 2; stroke-dasharray: 3 3; }
    .met { fill: #2f7d4f; }
    .missed { fill: #c4432b; }
    .falls { fill: #6e7781; }
    @media (prefers-color-scheme: dark) {
        text { fill: #e6edf3; }
        .note { fill: #9aa4af; }
        .paper { fill: #0d1117; }
        .grid { stroke: #30363d; }
        .limit { stroke: #e6edf3; }
        .wanted { stroke: #9aa4af; }
        .met { fill: #4cae75; }
        .missed { fill: #f0705a; }
        .falls { fill: #8b949e; }
    }
"""


def text(x, y, content, anchor="start", kind=None):
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{style}>{escape(content)}</text>'


def line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def bar(x, y, width, height, kind):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" rx="2" class="{kind}"/>'


def part(row, value):
    """A value as a part of what is required."""
    if row["required"] == "flat":
        return value / (1 + report.FLAT)
    return value / row["required"] if row["required"] else (0 if not value else SPAN)


def draw_row(row, y, scale):
    width = min(part(row, row["measured"]), SPAN) * scale
    out = [text(LEFT - 10, y + 19, row["what"], "end"),
           bar(LEFT, y + 5, max(width, 1), ROW - 10, KINDS[report.verdict(row)]),
           text(WIDTH - RIGHT + 10, y + 19, f"{report.number(row['measured'])} {row['unit']}")]
    if row["wanted"] is not None:
        x = LEFT + part(row, row["wanted"]) * scale
        out.append(line(x, y + 2, x, y + ROW - 2, "wanted"))
    return out


def svg(result):
    rows = [row for row in result["targets"] if row["met"] is not None]
    height = TOP + len(rows) * ROW + BOTTOM
    scale = (WIDTH - LEFT - RIGHT) / SPAN
    machine = result["machine"]
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
           f'height="{height}" role="img" aria-label="fpmd against its targets">',
           f"<style>{STYLE}</style>",
           f'<rect width="{WIDTH}" height="{height}" class="paper"/>',
           text(20, 30, "fpmd against its targets", kind="title"),
           text(20, 52, f"Shorter is better. {machine['php']}, Linux {machine['kernel']}, "
                        f"{machine['cpus']} processors, medians of {result['options']['rounds']} rounds, "
                        f"{machine['time']}", kind="note")]
    bottom = TOP + len(rows) * ROW
    for mark in (0, 0.5, 1.5):
        x = LEFT + mark * scale
        out += [line(x, TOP, x, bottom, "grid"), text(x, bottom + 18, f"{mark:g}", "middle", "note")]
    for i, row in enumerate(rows):
        out += draw_row(row, TOP + i * ROW, scale)
    x = LEFT + scale
    out += [line(x, TOP, x, bottom, "limit"), text(x, bottom + 18, "required", "middle", "note"),
            text(20, bottom + 36, "Bars: the measured value as a part of what is required; dashed: what "
                                  "is wanted.", kind="note"), "</svg>\n"]
    return "\n".join(out)
