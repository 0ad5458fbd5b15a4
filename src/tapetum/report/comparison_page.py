"""The comparison as one HTML page in the style of a run's report; it loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jinja2
from markupsafe import Markup

from tapetum.report.comparison import Comparison
from tapetum.report.comparison_figures import block_figure, difference_figure
from tapetum.report.comparison_layout import TEST_COLUMNS, Sheet, sheet_of

_NAMED = 4  # more runs than these are counted in the page's title, not named


def comparison_page(comparison: Comparison) -> str:
    """The comparison as an HTML page."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    sheet = sheet_of(comparison)
    names = list(dict.fromkeys(entry.run.name for block in comparison.blocks for entry in block.entries))
    sourced = any(line.source for section in sheet.sections for line in section.lines)
    return environment.get_template("comparison.html").render(
        title=" · ".join(names) if len(names) <= _NAMED else f"{len(names)} runs",
        sheet=sheet,
        sourced=sourced,
        width=1 + sourced + sum(len(group.figures) for group in sheet.groups),
        figures=list(_block_figures(comparison, sheet)),
        test_columns=TEST_COLUMNS,
        differences=_difference_figures(comparison),
    )


def _block_figures(comparison: Comparison, sheet: Sheet) -> Iterator[tuple[str, Markup]]:
    """(title, picture) of every block: its mAP, or the first metric that was chosen."""
    metric = "mAP" if "mAP" in comparison.metrics else comparison.metrics[0]
    for number, (block, section) in enumerate(zip(comparison.blocks, sheet.sections, strict=True)):
        figure = block_figure(block, metric, f"block-{number}")
        if figure is not None:
            yield section.title, figure


def _difference_figures(comparison: Comparison) -> list[Markup]:
    """One picture for each pair, in the order of the sheet's pairs."""
    found = comparison.pairs.differences
    pairs = dict.fromkeys((difference.first, difference.second) for difference in found)
    return [
        difference_figure([d for d in found if (d.first, d.second) == pair], " − ".join(pair), f"pair-{number}")
        for number, pair in enumerate(pairs)
    ]
