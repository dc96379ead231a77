#!/usr/bin/env python3
"""Draw the loss curves of `bench_train --parity FOLDER` as docs/train-parity.svg.

  plot_train.py FOLDER/losses.json OUT.svg
"""
import json
import math
import sys

WIDTH, HEIGHT, LEFT, TOP, PLOT_W, UPPER, GAP, LOWER = 760, 430, 64, 34, 676, 230, 40, 80


def path(xs, ys):
    return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys))


def main():
    with open(sys.argv[1]) as f:
        curves = json.load(f)
    tern, torch = curves["tern"], curves["torch"]
    n = len(tern)
    diff = [abs(a - b) for a, b in zip(tern, torch)]
    xs = [LEFT + PLOT_W * i / (n - 1) for i in range(n)]
    low, high = math.floor(min(tern + torch)), math.ceil(max(tern + torch))

    def y_loss(v):
        return TOP + UPPER * (high - v) / (high - low)

    bottom = TOP + UPPER + GAP + LOWER
    decades = (-8, -2)

    def y_diff(v):
        at = min(max(math.log10(max(v, 1e-30)), decades[0]), decades[1])
        return bottom - LOWER * (at - decades[0]) / (decades[1] - decades[0])

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" font-size="14">Loss of the same decoder trained by tern and by '
        f"PyTorch, f32, {n} steps</text>",
    ]
    for v in range(low, high + 1):
        out.append(f'<path d="M{LEFT},{y_loss(v):.1f} h{PLOT_W}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 8}" y="{y_loss(v) + 4:.1f}" text-anchor="end">{v}</text>')
    for d in range(decades[0], decades[1] + 1, 2):
        y = y_diff(10.0 ** d)
        out.append(f'<path d="M{LEFT},{y:.1f} h{PLOT_W}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">1e{d}</text>')
    out += [
        f'<path d="{path(xs, map(y_loss, torch))}" fill="none" stroke="#e0873c" stroke-width="4" '
        'opacity="0.55"/>',
        f'<path d="{path(xs, map(y_loss, tern))}" fill="none" stroke="#1f4e79" '
        'stroke-width="1.3"/>',
        f'<path d="{path(xs, map(y_diff, diff))}" fill="none" stroke="#555"/>',
        f'<path d="M{LEFT},{y_diff(1e-3):.1f} h{PLOT_W}" stroke="#b00" stroke-dasharray="5 4"/>',
        f'<text x="{LEFT + 430}" y="{TOP + 26}" fill="#1f4e79">tern (thin)</text>',
        f'<text x="{LEFT + 430}" y="{TOP + 44}" fill="#c06a20">PyTorch (wide)</text>',
        f'<text x="{LEFT}" y="{TOP + UPPER + GAP - 8}">|difference|, at most {max(diff):.1e}; '
        "red: 1e-3</text>",
        f'<text x="{LEFT + PLOT_W / 2}" y="{bottom + 34}" text-anchor="middle">step</text>',
    ]
    for i in range(0, n + 1, max(1, n // 4)):
        x = LEFT + PLOT_W * max(i - 1, 0) / (n - 1)
        out.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{max(i, 1)}</text>')
    out.append("</svg>")
    with open(sys.argv[2], "w") as f:
        f.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
