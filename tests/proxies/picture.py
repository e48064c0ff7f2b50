"""Draws what losses.py left: the share of reads that hit, and that ended in errors, before, during and after a loss.

    picture.py FIGURES... > PICTURE.svg
"""

import json
import pathlib
import sys

WIDTH, PANEL, LEFT, TOP, GAP = 760, 150, 50, 42, 66
RIGHT = 36
TITLES = {
    "twemproxy": "auto_eject_hosts: false — its keys are errors until the node is back, then misses",
    "twemproxy-ejecting": "auto_eject_hosts: true — the other two take its keys over; misses twice",
    "memcached-proxy": "memcached's proxy, route_direct — as without ejection, and the node is tried again more slowly",
}
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #57606a; }
  .title { font-weight: 600; fill: #1f2328; }
  .hits { fill: none; stroke: #0969da; stroke-width: 2; } .hits-name { fill: #0969da; }
  .errors { fill: none; stroke: #bc4c00; stroke-width: 2; } .errors-name { fill: #bc4c00; }
  .lost { fill: #afb8c1; fill-opacity: 0.25; } .grid { stroke: #d0d7de; }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1; } .title { fill: #f0f6fc; } .grid { stroke: #3d444d; }
    .hits { stroke: #4493f8; } .hits-name { fill: #4493f8; } .errors { stroke: #f0883e; } .errors-name { fill: #f0883e; }
  }"""


def panel(figures, top):
    shares, tick, marks = figures["shares"], figures["tick"], figures["marks"]
    wide = (WIDTH - LEFT - RIGHT) / (len(shares) * tick)
    x = lambda requests: LEFT + requests * wide
    y = lambda share: top + PANEL * (1 - share)
    line = lambda part: " ".join(f"{x((at + 0.5) * tick):.1f},{y(pair[part]):.1f}" for at, pair in enumerate(shares))
    yield f'<text class="title" x="{LEFT}" y="{top - 22}">{TITLES[figures["name"]]}</text>'
    left, right = x(marks["killed"]), x(marks["started"])
    yield f'<rect class="lost" x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{PANEL}"/>'
    yield f'<text x="{left:.1f}" y="{top - 5}">killed</text><text x="{right:.1f}" y="{top - 5}">started, empty</text>'
    for share in (0, 0.5, 1):
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share)}" y2="{y(share)}"/>'
        yield f'<text x="{LEFT - 8}" y="{y(share) + 4}" text-anchor="end">{share:.0%}</text>'
    end = len(shares) * tick
    step = next(step for size in range(3, 8) for step in (10**size, 2 * 10**size, 5 * 10**size) if end / step <= 8)
    for requests in range(0, end + 1, step):
        words = f"{requests:,}" if requests else "0 requests"
        yield f'<text x="{x(requests):.1f}" y="{top + PANEL + 16}" text-anchor="middle">{words}</text>'
    yield f'<polyline class="errors" points="{line(1)}"/><polyline class="hits" points="{line(0)}"/>'
    yield f'<text class="hits-name" x="{LEFT + 8}" y="{y(1) + 16}">reads that hit</text>'
    yield f'<text class="errors-name" x="{LEFT + 8}" y="{y(0) - 7}">reads that ended in errors</text>'


def main():
    panels = [json.loads(pathlib.Path(path).read_text()) for path in sys.argv[1:]]
    height = TOP + len(panels) * (PANEL + GAP)
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">')
    print("<title>Hit ratio through twemproxy while one of three nodes is lost and comes back, by requests</title>")
    print(f"<style>{STYLE}\n</style>")
    for number, figures in enumerate(panels):
        print("\n".join(panel(figures, TOP + number * (PANEL + GAP))))
    print("</svg>")


main()
