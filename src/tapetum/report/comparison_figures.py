"""The comparison as pictures, in the page's style: a dot for each row of a block, and differences with intervals."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tapetum.report.comparison_blocks import Block, Entry
from tapetum.report.comparison_pairs import Difference
from tapetum.report.figures import COLOURS, INK, axes, inline_svg, legend

_OURS, _RERANKED, _PUBLISHED = COLOURS[0], COLOURS[1], COLOURS[3]
_NAME = 26  # characters of a row's name before it is broken


def block_figure(block: Block, metric: str, name: str) -> Markup | None:
    """A dot per row, spread over trials as a bar, chance as a dotted line; None where one row has no other beside it.

    Published results are hollow: they were not measured here. name: letters and hyphens, one for each figure of a page.
    """
    published = [row for row in block.published if metric in row.figures]
    labels = [*(entry.run.name for entry in block.entries), *(row.method for row in published)]
    if len(labels) < 2:
        return None
    figure, plot = _rows(labels, f"{metric}, %")
    spoken = [_draw_entry(plot, place, entry, metric) for place, entry in enumerate(block.entries)]
    for place, row in enumerate(published, len(block.entries)):
        value = float(row.figures[metric])
        label = "published, re-ranked" if row.reranked else "published"
        plot.plot(value, place, "s" if row.reranked else "D", color=_PUBLISHED, mfc="none", ms=7, mew=1.6, label=label)
        spoken.append(f"{row.method}, {label}: {row.figures[metric]} %")
    for value in sorted({round(entry.figures.chance.percent(metric), 2) for entry in block.entries}):
        plot.axvline(value, color=INK, alpha=0.6, linestyle=":", linewidth=1.2, label="chance")
        spoken.append(f"chance: {value:.2f} %")
    plot.set_xlim(left=0)
    _legend_once(figure, plot)
    return inline_svg(figure, name, f"{block.data}, {block.setting}. {'; '.join(spoken)}.")


def difference_figure(differences: Sequence[Difference], title: str, name: str) -> Markup:
    """A pair's differences with their intervals over queries and over persons, and a line at no difference."""
    figure, plot = _rows([f"{found.setting}, {found.metric}" for found in differences], f"{title}, percentage points")
    for place, found in enumerate(differences):
        for interval, colour, shift, label in (
            (found.queries, _OURS, -0.14, "95 % over queries"),
            (found.persons, _RERANKED, 0.14, "95 % over persons"),
        ):
            if interval is not None:
                ends = (interval.low, interval.high)
                plot.plot(ends, (place + shift,) * 2, color=colour, linewidth=2.4, label=label)
                plot.plot(found.value, place + shift, "o", color=colour, ms=5)
    plot.axvline(0, color=INK, alpha=0.6, linestyle=":", linewidth=1.2, label="no difference")
    _legend_once(figure, plot)
    words = "; ".join(f"{found.setting}, {found.metric}: {found.value:.2f}" for found in differences)
    return inline_svg(figure, name, f"Paired differences {title}. {words}.")


def _draw_entry(plot: Axes, place: int, entry: Entry, metric: str) -> str:
    figures = entry.figures
    drawn = [(figures.mean, figures.std, _OURS, "o", "ours")]
    if figures.reranked is not None:
        drawn.append((figures.reranked.mean, figures.reranked.std, _RERANKED, "s", "ours, re-ranked"))
    for mean, std, colour, marker, label in drawn:
        spread = std.percent(metric) if len(figures.trials) > 1 else None
        plot.errorbar(
            mean.percent(metric), place, xerr=spread, fmt=marker, color=colour, ms=7, elinewidth=2, label=label
        )
    told = [f"{entry.run.name}, {label}: {mean.percent(metric):.2f} %" for mean, _, _, _, label in drawn]
    return "; ".join(told)


def _rows(labels: Sequence[str], xlabel: str) -> tuple[Figure, Axes]:
    """Axes with one named row for each label, the first on top."""
    broken = [textwrap.fill(label, _NAME) for label in labels]
    lines = sum(label.count("\n") + 1.4 for label in broken)
    figure, plot = axes(xlabel, "", size=(5.4, 1.3 + 0.22 * lines))
    plot.set_yticks(range(len(labels)), broken)
    plot.set_ylim(len(labels) - 0.5, -0.5)
    plot.grid(axis="y", visible=False)
    plot.grid(axis="x", color=INK, alpha=0.15, linewidth=0.8)
    return figure, plot


def _legend_once(figure: Figure, plot: Axes) -> None:
    """Name each kind of mark once."""
    seen: set[str] = set()
    marks: list[Any] = [*plot.get_lines(), *plot.containers]
    for artist in marks:
        label = str(artist.get_label())
        if label in seen:
            artist.set_label("_nolegend_")
        seen.add(label)
    legend(figure, columns=2, fontsize=10)
