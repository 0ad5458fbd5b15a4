"""What a gallery holds and what a search of it found, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tapetum.core import Crop
from tapetum.gallery.gallery import GalleryFacts
from tapetum.gallery.maintenance import Contents
from tapetum.gallery.store import How

_HOW = {
    "exact": "Exact: every crop that the filter admits was compared",
    "approximate": "Approximate: an index was asked, which may miss some",
}
_PATH = 16
"""Letters of a path that a narrow terminal still shows in a line."""


@dataclass(frozen=True)
class Listed:
    """One answer, whoever gave it: a gallery here, or a service. Fields as `GalleryRow` and `GalleryHit` have them."""

    rank: int
    id: int
    score: float
    crop: Crop
    site: str | None
    folded: int


@dataclass(frozen=True)
class ListedAnswers:
    """What was found for one query. title: what asked.   meaning: of the first answer's score, in words."""

    title: str
    hits: Sequence[Listed]
    how: How
    meaning: str


def render_contents(facts: GalleryFacts, found: Contents) -> tuple[Table, Table]:
    """Facts, and the table of cameras."""
    plain = Table(box=None, show_header=False, pad_edge=False)
    lights = ", ".join(f"{name} {count:,}" for name, count in found.modalities.items())
    times = f"{_time(found.first)} to {_time(found.last)}" if found.first else "none"
    size = "none: made from vectors" if facts.size is None else f"{facts.size[0]} x {facts.size[1]} pixels"
    for name, value in (
        ("crops", f"{found.crops:,}" + (f" ({lights})" if lights else "")),
        ("persons with a label", f"{found.persons:,}"),
        ("times", times + (f"; {found.without_time:,} crops without" if found.without_time else "")),
        ("without a thumbnail", f"{found.without_thumbnail:,}"),
        ("model", f"{facts.fingerprint}, vectors of {facts.dimension}, pictures: {size}"),
        ("engine", facts.engine),
        ("scores", "calibrated" if facts.calibration else "not calibrated"),
        ("on disk", f"{found.bytes:,} bytes"),
    ):
        plain.add_row(name, Text(value))
    cameras = Table("camera", "site", box=box.SIMPLE_HEAD)
    cameras.add_column("crops", justify="right")
    for camera, site, count in found.cameras:
        cameras.add_row(Text(camera), Text(site or ""), f"{count:,}")
    return plain, cameras


def render_answers(answers: ListedAnswers) -> tuple[RenderableType, ...]:
    """What asked, the ranked list if anything is in it, and how it was found and what its first score means."""
    end = f"{_HOW[answers.how]}. {answers.meaning}"
    return (answers.title, _list(answers), end) if answers.hits else (answers.title, end)


def _list(answers: ListedAnswers) -> Table:
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    columns: dict[str, list[str]] = {
        "rank": [str(hit.rank) for hit in answers.hits],
        "id": [str(hit.id) for hit in answers.hits],
        "score": [f"{hit.score:.3f}" for hit in answers.hits],
        "person": ["" if hit.crop.person is None else str(hit.crop.person) for hit in answers.hits],
        "camera": [hit.crop.camera for hit in answers.hits],
        "site": [hit.site or "" for hit in answers.hits],
        "time": [_time(hit.crop.time) for hit in answers.hits],
        "frames": [str(1 + hit.folded) if hit.folded else "" for hit in answers.hits],
    }
    filled = [name for name, cells in columns.items() if any(cells)]
    for name in filled:
        table.add_column(name, justify="right" if name in ("rank", "id", "score") else "left", no_wrap=True)
    table.add_column("crop", overflow="fold", min_width=_PATH)
    for number, hit in enumerate(answers.hits):
        table.add_row(*(Text(columns[name][number]) for name in filled), Text(hit.crop.path))
    return table


def _time(time: datetime | None) -> str:
    return "" if time is None else time.isoformat(sep=" ", timespec="seconds")
