"""The stage from a generative run to what its page shows of it: pictures that it paints, and numbers beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapetum.core import Crop, Modality
from tapetum.embedding_table import EmbeddingTable
from tapetum.errors import InputError, InternalError
from tapetum.methods.method import Embedder, Generative
from tapetum.model_file import DESCRIPTION, WEIGHTS, load_model
from tapetum.report.code_truth import CodeTruth, code_truth
from tapetum.report.look import Look
from tapetum.report.painted_numbers import PaintedNumbers, Read, painted_numbers, reader
from tapetum.report.painted_sheets import PERSONS, painted_sheets
from tapetum.report.sheets import Sheet
from tapetum.report.shown_crops import Shown, draw_crops, read_shown

_PROBED = 6  # crops of each person in each light that the probes read


@dataclass(frozen=True)
class Painting:
    """What there is to show; `missing` says in a sentence why there is nothing else.

    numbers: of each light. truth: None where the data has none. judge: who judged, in words.
    """

    missing: str | None = None
    sheets: tuple[Sheet, ...] = ()
    numbers: tuple[tuple[Modality, PaintedNumbers], ...] = ()
    truth: CodeTruth | None = None
    judge: str = ""
    split: str = ""


def look_at(run: Path, table: EmbeddingTable | None, look: Look) -> Painting:
    """Paint with the model in `run`, of a generative method, on the crops of `table`.

    Raises RunError for damaged weights and a judge that is no run.
    """
    if not all((run / name).is_file() for name in (WEIGHTS, DESCRIPTION)):
        return Painting("the run holds no finished model")
    if table is None:
        return Painting("there is no table of embeddings, which says whose pictures to take (`tapetum embed`)")
    try:
        return _looked(run, table, look)
    except _NothingToPaintError as reason:
        return Painting(str(reason))


class _NothingToPaintError(Exception):
    """The table's pictures are too few, or not there any more."""


def _looked(run: Path, table: EmbeddingTable, look: Look) -> Painting:
    painter, description = load_model(run)
    if not isinstance(painter, Generative):
        raise InternalError(f"a '{description.method}' is loaded as one that paints nothing.")
    size, root = (description.height, description.width), Path(str(table.record.get("root", "")))
    some = _some(table.crops, look.seed)
    few = _read_both(some, root, size, 2 * len({crop.person for crop in some}), look.seed)
    if not _paired(few):
        raise _NothingToPaintError("a picture of the persons drawn cannot be read")
    shown = _read_both(table.crops, root, size, look.measured, look.seed)
    probed = _probed(table.crops, look.seed)
    total = sum(len(side.crops) for side in shown.values()) + len(probed)
    read, judge = _judge(painter, size, look.judge)
    sheets, numbers, done = painted_sheets(painter, few), [], 0
    for light, other in ((Modality.RGB, Modality.IR), (Modality.IR, Modality.RGB)):
        numbers.append((light, painted_numbers(painter, read, shown[light], shown[other])))
        done += len(shown[light].crops)
        look.tell(done, total)
    truth = code_truth(painter, probed, root, size, lambda codes: look.tell(done + codes, total))
    look.tell(total, total)
    return Painting(None, tuple(sheets), tuple(numbers), truth, judge, str(table.record.get("split", "")))


def _judge(painter: Embedder, size: tuple[int, int], judge: Path | None) -> tuple[Read, str]:
    """Who reads the paintings, and who that is in words."""
    if judge is None:
        return reader(painter, size), "the run's own embedding, which it was trained by: a friendly judge"
    model, description = load_model(judge)
    words = f"the embedding of the run {judge.name} ({description.method}, fingerprint {description.fingerprint})"
    return reader(model, (description.height, description.width)), words


def _some(crops: Sequence[Crop], seed: int) -> list[Crop]:
    """The crops of the first persons of the draw who have two pictures in each light."""
    counts = Counter((crop.person, crop.modality) for crop in crops)
    known = {crop.person for crop in crops if min(counts[crop.person, light] for light in Modality) > 1}
    drawn = draw_crops([crop for crop in crops if crop.person in known], Modality.RGB, PERSONS, seed)
    chosen = {crop.person for crop in drawn}
    return [crop for crop in crops if crop.person in chosen]


def _read_both(
    crops: Sequence[Crop], root: Path, size: tuple[int, int], count: int, seed: int
) -> dict[Modality, Shown]:
    """Up to `count` pictures of each light; those that cannot be read are left out."""
    drawn = {light: draw_crops(crops, light, count, seed) for light in Modality}
    if any(len({crop.person for crop in side}) < 2 for side in drawn.values()):
        raise _NothingToPaintError("too few persons of the table were seen in both lights, each by two pictures")
    try:
        found = {light: read_shown(side, light, root, size) for light, side in drawn.items()}
    except InputError as error:
        raise _NothingToPaintError(str(error)) from error
    if any(len(np.unique(side.person)) < 2 for side in found.values()):
        raise _NothingToPaintError(f"too few pictures can be read from {root}")
    return found


def _paired(shown: dict[Modality, Shown]) -> bool:
    """Whether each light shows the same persons in the same order, first one picture of each and then another."""
    halves = [half for side in shown.values() for half in np.split(side.person, [len(side.crops) // 2])]
    return all(np.array_equal(half, halves[0]) for half in halves)


def _probed(crops: Sequence[Crop], seed: int) -> list[Crop]:
    """About six crops of each person in each light, visible ones first."""
    persons = len({crop.person for crop in crops})
    return [crop for light in Modality for crop in draw_crops(crops, light, _PROBED * persons, seed)]
