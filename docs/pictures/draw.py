#!/usr/bin/env python3
"""Draws the pictures of the README from text, so that they stay true.

usage: draw.py [--check]

    docs/idea.svg      from docs/pictures/idea.txt
    docs/session.svg   from the terminal session in README.md, which a test runs as it is shown

With --check nothing is written: exit 1 if a picture is not the one its text makes.
"""
import html
import pathlib
import re
import sys

DOCS = pathlib.Path(__file__).resolve().parent.parent
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"

# Readable on a light and on a dark page.
STYLE = """
  .page { fill: #ffffff; stroke: #d0d7de }
  .box { fill: #f6f8fa; stroke: #57606a }
  .title { fill: #1f2328; font-weight: 600 }
  .line { fill: #57606a }
  .arrow { stroke: #0969da; fill: none; stroke-width: 2 }
  .crash { stroke: #cf222e; fill: none; stroke-width: 2; stroke-dasharray: 6 4 }
  .crash-text { fill: #cf222e }
  .prompt { fill: #8250df }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #30363d }
    .box { fill: #161b22; stroke: #8b949e }
    .title { fill: #e6edf3 }
    .line { fill: #9198a1 }
    .arrow { stroke: #4493f8 }
    .crash { stroke: #f85149 }
    .crash-text { fill: #f85149 }
    .prompt { fill: #ab7df8 }
  }
"""


def svg(width, height, title, body):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{html.escape(title)}" font-family="{FONT}" font-size="14">',
        f"<title>{html.escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        *body,
        "</svg>",
        "",
    ])


def text(x, y, css, content, anchor="start"):
    return f'<text class="{css}" x="{x}" y="{y}" text-anchor="{anchor}" xml:space="preserve">{html.escape(content)}</text>'


def idea():
    """The boxes stand in a grid; arrows go along a row, or around the end of one."""
    wide, high, gap, margin, between = 226, 92, 36, 20, 76
    boxes, arrows, columns, rows = {}, [], 0, 0
    for line in (DOCS / "pictures" / "idea.txt").read_text().splitlines():
        head, _, tail = line.partition(":")
        words = head.split()
        if not words or words[0] == "#" or line.startswith("#"):
            continue
        if words[0] == "size":
            columns, rows = int(words[1]), int(words[2])
        elif words[0] == "box":
            boxes[words[1]] = (int(words[2]), int(words[3]), [part.strip() for part in tail.split("|")])
        elif words[0] == "arrow":
            arrows.append((words[1], words[2], words[3:], tail.strip()))
        else:
            sys.exit(f"idea.txt: no such word: {words[0]}")
    left = lambda column: margin + column * (wide + gap)
    top = lambda row: margin + row * (high + between)
    body = ['<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path class="arrow" d="M1 1 L7 4 L1 7"/></marker>'
            '<marker id="crash-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path class="crash" style="stroke-dasharray:none" d="M1 1 L7 4 L1 7"/></marker></defs>']
    for column, row, lines in boxes.values():
        x, y = left(column), top(row)
        body.append(f'<rect class="box" x="{x}" y="{y}" width="{wide}" height="{high}" rx="6"/>')
        for number, content in enumerate(lines):
            body.append(text(x + wide // 2, y + 28 + 22 * number, "title" if number == 0 else "line", content, "middle"))
    for start, end, styles, label in arrows:
        (from_column, from_row, _), (to_column, to_row, _) = boxes[start], boxes[end]
        if from_row == to_row:
            y = top(from_row) + high // 2
            body.append(f'<path class="arrow" marker-end="url(#head)" d="M{left(from_column) + wide} {y} H{left(to_column)}"/>')
        else:
            x, y = left(from_column) + wide // 2, top(from_row) + high
            to_x, to_y = left(to_column) + wide // 2, top(to_row)
            middle = y + between // 2
            css = "crash" if "crash" in styles else "arrow"
            head = "crash-head" if css == "crash" else "head"
            body.append(f'<path class="{css}" marker-end="url(#{head})" d="M{x} {y} V{middle} H{to_x} V{to_y}"/>')
            body.append(text((x + to_x) // 2, middle - 8, f"{css}-text", label, "middle"))
    width = left(columns - 1) + wide + margin
    height = top(rows - 1) + high + margin
    return svg(width, height, "A write is a plan that one executor runs, and recovery is a plan too", body)


def session():
    """The session as a terminal shows it; long lines are folded."""
    readme = (DOCS.parent / "README.md").read_text()
    block = re.search(r"^```console\n(.*?)^```", readme, flags=re.S | re.M)
    if not block:
        sys.exit("README.md has no terminal session")
    fold, lines = 100, []
    for line in block.group(1).splitlines():
        css = "prompt" if line.startswith("$ ") else "crash-text" if line.startswith("error:") else "line"
        lines.append((css, line[:fold]))
        lines += [(css, "    " + line[at:at + fold - 4]) for at in range(fold, len(line), fold - 4)]
    step, margin = 21, 22
    body = [text(margin, margin + 12 + step * number, css, line) for number, (css, line) in enumerate(lines) if line]
    return svg(2 * margin + int(8.45 * fold), 2 * margin + step * len(lines), "A change that crashes, and its recovery", body)


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    for name, drawn in (("idea.svg", idea()), ("session.svg", session())):
        path = DOCS / name
        if not check:
            path.write_text(drawn)
        elif not path.exists() or path.read_text() != drawn:
            sys.exit(f"docs/{name} is not the picture that its text makes: run python3 docs/pictures/draw.py")


if __name__ == "__main__":
    main()
