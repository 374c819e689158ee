"""What the memory model predicts of other trainers, beside what they published: table and picture of its page.

    python benchmarks/memory/published_errors.py        # prints the table in Markdown, writes docs/memory-model.svg

The figures and the habits of each trainer are those that the tests in ``tests/unit/planning`` have.
"""

import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "memory-model.svg"
sys.path.append(str(ROOT / "tests" / "unit" / "planning"))

from other_trainers import error_of, predicted  # noqa: E402
from published import Point, points  # noqa: E402

COLOURS = {
    "fms-hf-tuning": "#2563eb",
    "LitGPT": "#d9480f",
    "Qwen finetune.py": "#7c3aed",
    "SWIFT": "#0f766e",
    "torchtune": "#be123c",
    "universal-llm-trainer": "#a16207",
}

_LEAST, _MOST = 5.0, 110.0
"""GB at the ends of both axes."""
_TICKS = (5, 10, 20, 40, 80)
_LEFT, _TOP, _SIDE = 70, 20, 480


def measured() -> list[Point]:
    """Everything that can be predicted and was measured."""
    return [point for point in points() if point.usable and not point.out_of_memory]


def table() -> list[str]:
    """The errors by source, as the rows of a table in Markdown."""
    lines = [
        "| source | trainer | figure | points | median error | largest | within 15 % |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for source in sorted({point.source for point in measured()}):
        chosen = [point for point in measured() if point.source == source]
        lines.append(f"| `{source}` | {chosen[0].trainer} | {chosen[0].measure} | {_errors(chosen)} |")
    return [*lines, f"| all | | | {_errors(measured())} |"]


def _errors(chosen: list[Point]) -> str:
    errors = [error_of(point) for point in chosen]
    middle = statistics.median(abs(error) for error in errors)
    within = sum(abs(error) <= 0.15 for error in errors)
    return f"{len(errors)} | {middle:.1%} | {max(errors, key=abs):+.0%} | {within}"


def draw() -> str:
    """Predicted against measured on logarithmic axes, as SVG."""
    width, height = _LEFT + _SIDE + 220, _TOP + _SIDE + 60
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="13" fill="#334155" role="img" aria-label="Predicted against measured peaks, in GB">',
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        *_axes(),
    ]
    for point in measured():
        x, y = _x((point.peak_bytes or 0) / 1e9), _y(predicted(point) / 1e9)
        colour = COLOURS[point.trainer]
        lines.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}" fill-opacity="0.55"/>')
    for number, (trainer, colour) in enumerate(COLOURS.items()):
        y = _TOP + 20 + 24 * number
        lines.append(f'<circle cx="{_LEFT + _SIDE + 24}" cy="{y}" r="5" fill="{colour}"/>')
        lines.append(f'<text x="{_LEFT + _SIDE + 38}" y="{y + 4.5}">{trainer}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _axes() -> Iterator[str]:
    low, high = _LEAST, _MOST
    band = [(low, low), (low, 1.15 * low), (high / 1.15, high), (high, high), (high, 0.85 * high), (low / 0.85, low)]
    corners = " ".join(f"{_x(a)},{_y(b)}" for a, b in band)
    yield f'<polygon points="{corners}" fill="#e2e8f0" fill-opacity="0.6"/>'
    for tick in _TICKS:
        yield f'<line x1="{_x(tick)}" y1="{_y(low)}" x2="{_x(tick)}" y2="{_y(high)}" stroke="#e2e8f0"/>'
        yield f'<line x1="{_x(low)}" y1="{_y(tick)}" x2="{_x(high)}" y2="{_y(tick)}" stroke="#e2e8f0"/>'
        yield f'<text x="{_x(tick)}" y="{_TOP + _SIDE + 20}" text-anchor="middle">{tick}</text>'
        yield f'<text x="{_LEFT - 10}" y="{_y(tick) + 4.5}" text-anchor="end">{tick}</text>'
    yield f'<line x1="{_x(low)}" y1="{_y(low)}" x2="{_x(high)}" y2="{_y(high)}" stroke="#94a3b8"/>'
    middle = _TOP + _SIDE / 2
    yield f'<text x="{_LEFT + _SIDE / 2}" y="{_TOP + _SIDE + 44}" text-anchor="middle">measured, GB of one card</text>'
    yield f'<text transform="translate(22 {middle}) rotate(-90)" text-anchor="middle">predicted, GB</text>'
    yield f'<text x="{_LEFT + _SIDE + 18}" y="{_TOP + 190}" fill="#64748b">grey: within 15 %</text>'


def _x(size: float) -> float:
    return round(_LEFT + _SIDE * _place(size), 1)


def _y(size: float) -> float:
    return round(_TOP + _SIDE * (1 - _place(size)), 1)


def _place(size: float) -> float:
    """From 0 to 1."""
    return math.log(size / _LEAST) / math.log(_MOST / _LEAST)


def main() -> None:
    """Print the table and write the picture."""
    print("\n".join(table()))
    PICTURE.write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
