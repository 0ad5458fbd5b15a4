"""A ranked list as a table for the terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from tapetum.core import Crop
from tapetum.report.strips import LIGHT, Strip, same_person

_MARKS = {True: "✓", False: "✗", None: "?"}


def render_hits(strip: Strip) -> Table:
    """One query's answers, best first: score (cosine), camera, person where known, and the crop's path."""
    title = f"{strip.query.path} ({LIGHT[strip.query.modality]}, camera {strip.query.camera}, {_person(strip.query)})"
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
    for name, justify in (
        ("rank", "right"),
        ("score", "right"),
        ("", "left"),
        ("person", "right"),
        ("camera", "right"),
    ):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("crop", overflow="fold")
    for hit in strip.hits:
        mark = _MARKS[same_person(strip.query, hit.crop)]
        person = "?" if hit.crop.person is None else str(hit.crop.person)
        table.add_row(str(hit.rank), f"{hit.score:.3f}", mark, person, hit.crop.camera, Text(hit.crop.path))
    return table


def _person(crop: Crop) -> str:
    return "person unknown" if crop.person is None else f"person {crop.person}"
