"""Curves as SVG, to stand inside the page."""

import sys
from statistics import fmean
from typing import Any
from xml.etree.ElementTree import Element

import pygal
from pygal.style import Style

# pygal hooks into every import, for plugins that we have none of, in a way that Python 3.11 warns about.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

Points = list[tuple[float, float]]
"""(step, value)."""
Series = dict[str, Points]

MOST_POINTS = 500
"""Of a curve; no screen shows more of them apart, and pygal takes 0.14 ms for each."""

COLOURS = ("#2563eb", "#d9480f", "#0f766e")

_STYLE = Style(
    background="transparent",
    plot_background="transparent",
    foreground="#475569",
    foreground_strong="#1e293b",
    foreground_subtle="#e2e8f0",
    guide_stroke_color="#e2e8f0",
    major_guide_stroke_color="#cbd5e1",
    colors=COLOURS,
    font_family="inherit",
    label_font_size=13,
    major_label_font_size=13,
    legend_font_size=14,
    title_font_size=15,
    stroke_width=2.5,
)


def curves(title: str, series: Series, height: int = 340) -> str:
    """A line chart over optimizer steps; an empty string where there is nothing to draw.

    Of long runs, a point is the mean of several lines, and the chart says so.
    """
    drawn = {name: points for name, points in series.items() if points}
    if not drawn:
        return ""
    together = max(_lines_a_point(points) for points in drawn.values())
    chart = pygal.XY(
        style=_STYLE,
        title=title,
        x_title="optimizer step" + (f" (a point is the mean of {together} lines)" if together > 1 else ""),
        width=860,
        height=height,
        js=(),  # no script is fetched: the page works offline
        show_dots=True,
        dots_size=3,
        legend_at_bottom=True,
        legend_at_bottom_columns=len(drawn),
        show_legend=len(drawn) > 1,
        margin=8,
        margin_bottom=24,
        truncate_legend=-1,
        value_formatter=lambda value: f"{value:.3g}",
        x_value_formatter=lambda value: f"{value:g}",
        disable_xml_declaration=True,
        no_prefix=False,
    )
    chart.add_xml_filter(_without_script)
    for name, points in drawn.items():
        chart.add(name, _means(points, _lines_a_point(points)))
    return str(chart.render(is_unicode=True))


def _lines_a_point(points: Points) -> int:
    return -(-len(points) // MOST_POINTS)


def _means(points: Points, size: int) -> Points:
    """Of each so many points in turn, their mean; the last may be of fewer."""
    groups = (points[start : start + size] for start in range(0, len(points), size))
    return [(fmean(step for step, _ in group), fmean(value for _, value in group)) for group in groups]


def _without_script(svg: Element) -> Element:
    """Drop the settings that pygal leaves for its own script, which the page does not have."""
    for definitions in svg.findall("defs"):
        for script in definitions.findall("script"):
            definitions.remove(script)
    return svg


def series(metrics: list[dict[str, Any]], field: str) -> Points:
    """(step, value) of a field of the progress lines; lines without it, and values that are not finite, left out."""
    return [(line["step"], line[field]) for line in metrics if isinstance(line.get(field), int | float)]
