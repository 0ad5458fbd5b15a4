"""Galleries that are drawn: one image per person and camera, as most published code draws it (the `agw` draw)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tapetum.core import Crop, IntArray, Modality

TRIALS = 10


def cells(crops: Sequence[Crop], rows: Iterable[int]) -> dict[tuple[str, int], list[int]]:
    """(camera, person) -> rows of `crops`, by path: the sorted list of files in the person's folder."""
    found: dict[tuple[str, int], list[int]] = {}
    for row in sorted(rows, key=lambda row: crops[row].path):
        person = crops[row].person
        if person is not None:
            found.setdefault((crops[row].camera, person), []).append(row)
    return found


def single_shot(
    folders: Mapping[tuple[str, int], Sequence[int]], persons: Iterable[int], cameras: Sequence[str], seed: int
) -> IntArray:
    """One row per person and camera that has images: persons ascending, then cameras in the given order.

    `random.Random(seed)` draws the same as published code does after `random.seed(trial)`.
    """
    draw = random.Random(seed)  # noqa: S311 (a fixed draw, no secret)
    present = [(camera, person) for person in sorted(persons) for camera in cameras if (camera, person) in folders]
    return np.array([draw.choice(folders[cell]) for cell in present], dtype=np.int64)


def rows_of(crops: Sequence[Crop], modality: Modality | None = None) -> IntArray:
    """The rows whose person is known, of one modality or of both, by path: the table's own order decides nothing."""
    found = [row for row, crop in enumerate(crops) if modality in (None, crop.modality) and crop.person is not None]
    return by_path(crops, found)


def by_path(crops: Sequence[Crop], rows: Iterable[int]) -> IntArray:
    """These rows in the order of their paths, the RGB row first where one picture stands for both modalities."""
    named = sorted(rows, key=lambda row: (crops[row].path, crops[row].modality is Modality.IR))
    return np.array(named, dtype=np.int64)


def cameras_of(crops: Sequence[Crop], rows: Iterable[int]) -> list[str]:
    """The cameras of these rows, numbers by value ("2" before "10"), then names by letter."""
    found = {crops[row].camera for row in rows}
    return sorted(found, key=lambda camera: (0, int(camera), "") if camera.isdecimal() else (1, 0, camera))


def codes(*columns: Sequence[str | int | None]) -> IntArray:
    """A number per distinct row of the columns, the same number for the same values."""
    known: dict[tuple[str | int | None, ...], int] = {}
    return np.array([known.setdefault(values, len(known)) for values in zip(*columns, strict=True)], dtype=np.int64)
