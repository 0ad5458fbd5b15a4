"""What a run's two codes say of generated people, measured by linear probes: the disentanglement in numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tapetum.core import Crop, FloatArray, IntArray, Modality
from tapetum.data.loading import embedding_loader
from tapetum.methods.method import Generative, Pictures
from tapetum.report.probes import FEWEST, Folds, make_folds, read_kinds, read_numbers
from tapetum.report.synthetic_truth import Target, synthetic_truth

_GRID = (4, 2)  # a structure map is averaged in this many fields down and across, so that rough places remain
_PIXELS = (16, 8)  # what pictures are shrunk to, for the probe that reads them without any code
_BATCH = 32


@dataclass(frozen=True)
class Read:
    """How well one true thing is read from each code.

    structure, appearance, pixels: R^2 of numbers or balanced accuracy of kinds (`is_kind`), from each code and from
    the shrunk picture itself; guess: what a guess reaches.
    """

    group: str
    name: str
    is_kind: bool
    guess: float
    structure: float
    appearance: float
    pixels: float

    def known(self, value: float) -> float:
        """A value on one scale for both: 0 for a guess (or worse), 1 for all of it."""
        return max(0.0, (value - self.guess) / (1 - self.guess))


@dataclass(frozen=True)
class CodeTruth:
    """The table of probes, and how many pictures and persons it is from."""

    rows: tuple[Read, ...]
    pictures: int
    persons: int


def code_truth(
    method: Generative, crops: Sequence[Crop], root: Path, size: tuple[int, int], progress: Callable[[int], None]
) -> CodeTruth | None:
    """Fit and ask the probes on `crops` (of both lights) of a generated dataset at `root`.

    method: in evaluation mode. size: (H, W). progress: called with the number of pictures read so far.
    None where the truth is not known, or the persons of a light are fewer than ten. Pictures that cannot be read are
    left out.
    """
    if _fewest(crops) < FEWEST or synthetic_truth(root, crops) is None:
        return None
    crops, codes = _pooled_codes(method, crops, root, size, progress)
    truth, person = synthetic_truth(root, crops), np.array([crop.person for crop in crops], dtype=np.int64)
    if truth is None or _fewest(crops) < FEWEST:
        return None
    infrared = np.array([crop.modality is Modality.IR for crop in crops])
    seen = {None: np.ones(len(crops), dtype=np.bool_), Modality.RGB: ~infrared, Modality.IR: infrared}
    folds = {light: [make_folds(code[rows], person[rows]) for code in codes] for light, rows in seen.items()}
    rows = _rows(truth, {light: np.flatnonzero(which) for light, which in seen.items()}, folds)
    return CodeTruth(tuple(rows), len(crops), len(np.unique(person)))


def _fewest(crops: Sequence[Crop]) -> int:
    """Persons of the light that has fewer."""
    return min(len({crop.person for crop in crops if crop.modality is light}) for light in Modality)


def pooled(structure: Tensor) -> Tensor:
    """A structure code as a vector: a map (N, C, h, w) as its means over 4 x 2 fields, (N, 8 C)."""
    return F.adaptive_avg_pool2d(structure, _GRID).flatten(1) if structure.dim() == 4 else structure.flatten(1)


@torch.inference_mode()
def _pooled_codes(
    method: Generative, crops: Sequence[Crop], root: Path, size: tuple[int, int], progress: Callable[[int], None]
) -> tuple[list[Crop], list[FloatArray]]:
    """The crops that can be read; their structure codes, appearance codes and pixels as vectors (N, D), in batches."""
    places: list[IntArray] = []
    found: list[list[Tensor]] = []
    loader = embedding_loader(crops, root, size, _BATCH)
    for rows, images in loader:
        structure, appearance = method.codes(Pictures(images, crops[int(rows[0])].modality))
        pixels = F.adaptive_avg_pool2d(images, _PIXELS).flatten(1)
        found.append([pooled(structure.float()).cpu(), appearance.float().flatten(1).cpu(), pixels.cpu()])
        places.append(rows)
        progress(sum(map(len, places)))
    codes = [torch.cat(parts).numpy().astype(np.float64) for parts in zip(*found, strict=True)]
    return [crops[row] for part in places for row in part.tolist()], codes


def _rows(
    truth: Sequence[Target], seen: dict[Modality | None, IntArray], folds: dict[Modality | None, list[Folds]]
) -> list[Read]:
    """A row for each true thing that can be asked for; numbers of one light are asked for together."""
    scores = {light: _numbers([t for t in truth if t.light == light], seen[light], folds[light]) for light in seen}
    rows = []
    for target in truth:
        if not target.is_kind:
            rows.append(Read(target.group, target.name, False, 0.0, *scores[target.light][target.group, target.name]))
            continue
        kinds = target.values[seen[target.light]].astype(np.str_)
        read = [found for fold in folds[target.light] if (found := read_kinds(fold, kinds)) is not None]
        if read:
            rows.append(Read(target.group, target.name, True, read[0][1], *(right for right, _ in read)))
    return rows


def _numbers(targets: Sequence[Target], rows: IntArray, folds: Sequence[Folds]) -> dict[tuple[str, str], list[float]]:
    """(group, name) of each number -> the mean R^2 of its columns, read from each code."""
    numbers = [target for target in targets if not target.is_kind]
    if not numbers:
        return {}
    ends = np.cumsum([target.values.shape[1] for target in numbers])[:-1]
    values = np.concatenate([target.values[rows].astype(np.float64) for target in numbers], axis=1)
    read = [np.split(read_numbers(fold, values), ends) for fold in folds]
    return {(t.group, t.name): [float(code[place].mean()) for code in read] for place, t in enumerate(numbers)}
