"""Which real pictures a generative run is looked at with: drawn by a seed, persons in turn, and read into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tapetum.core import Crop, IntArray, Modality
from tapetum.data.loading import embedding_loader
from tapetum.errors import InputError
from tapetum.methods.method import Pictures


@dataclass(frozen=True)
class Shown:
    """Real pictures of one light, and the crops that they are, row by row."""

    pictures: Pictures
    crops: tuple[Crop, ...]

    @property
    def person(self) -> IntArray:
        """(N,) identities."""
        return np.array([crop.person for crop in self.crops], dtype=np.int64)

    def take(self, rows: Sequence[int]) -> Shown:
        """These rows alone, in this order."""
        images = self.pictures.images[torch.as_tensor(rows, dtype=torch.long)]
        return Shown(Pictures(images, self.pictures.modality), tuple(self.crops[row] for row in rows))


def draw_crops(crops: Sequence[Crop], light: Modality, count: int, seed: int) -> list[Crop]:
    """Up to `count` crops of one light: first one of each person, then a second one of each, and so on.

    Only persons who were seen in both lights take part, and stand in one order in both. The same seed draws the same.
    """
    by_person: dict[int, list[Crop]] = {}
    known = _in_both_lights(crops)
    for crop in crops:
        if crop.modality is light and crop.person is not None and crop.person in known:
            by_person.setdefault(crop.person, []).append(crop)
    order = np.random.default_rng(seed).permutation(sorted(by_person)).tolist()
    rng = np.random.default_rng([seed, light is Modality.IR])
    shuffled = {person: rng.permutation(len(by_person[person])).tolist() for person in order}
    rounds = max(map(len, by_person.values()), default=0)
    turns = ((turn, person) for turn in range(rounds) for person in order if turn < len(shuffled[person]))
    return [by_person[person][shuffled[person][turn]] for turn, person in turns][:count]


def read_shown(crops: Sequence[Crop], light: Modality, root: Path, size: tuple[int, int]) -> Shown:
    """The pictures of `crops`, all of one light, at `size` = (H, W); those that cannot be read are left out.

    Raises InputError where none can be read.
    """
    loader = embedding_loader(crops, root, size)
    parts = list(loader)
    if not parts:
        raise InputError(f"none of the {light} pictures can be read from {root}")
    rows = np.concatenate([rows for rows, _ in parts]).tolist()
    return Shown(Pictures(torch.cat([images for _, images in parts]), light), tuple(crops[row] for row in rows))


def partners(person: IntArray) -> tuple[IntArray, IntArray]:
    """For each row the next one, counted in a circle, of the same person, and the next one of another: (N,), (N,).

    -1 where there is none.
    """
    count = len(person)
    circle = (np.arange(count)[:, None] + np.arange(1, count)) % max(count, 1)  # (N, N - 1): the rows in turn
    same = person[circle] == person[:, None]
    return _first(circle, same), _first(circle, ~same)


def in_batches(count: int, size: int = 32) -> list[slice]:
    """0 ... count - 1 in stretches of at most `size`, which is what bounds the memory of painting."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Batches as one tensor on the CPU in float32."""
    return torch.cat([part.float().cpu() for part in parts])


def _in_both_lights(crops: Sequence[Crop]) -> set[int]:
    seen = [{c.person for c in crops if c.modality is light and c.person is not None} for light in Modality]
    return set.intersection(*seen)


def _first(circle: IntArray, fits: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> IntArray:
    if circle.shape[1] == 0:
        return np.full(len(circle), -1, dtype=np.int64)
    found = circle[np.arange(len(circle)), fits.argmax(axis=1)]
    return np.where(fits.any(axis=1), found, -1)
