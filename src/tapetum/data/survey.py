"""What a walk through a dataset's folders saw: its crops and splits, before anyone vouches for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tapetum.core import Crop, Dataset, Modality

UNSPLIT = "in no split"
_SPLIT_ORDER = ("train", "val", "trainval", "test", "query", "gallery", "all", UNSPLIT)


class Cell(NamedTuple):
    """What a count is about; None stands for all cameras, or both modalities."""

    split: str
    camera: str | None
    modality: Modality | None

    def order(self) -> tuple[int, str, bool, int, str, int]:
        """Sort key: split by split, cameras by number, the totals after them; RGB, IR, both."""
        place = _SPLIT_ORDER.index(self.split) if self.split in _SPLIT_ORDER else len(_SPLIT_ORDER)
        camera = self.camera or ""
        number = int(camera) if camera.isdecimal() else 0
        modalities = [*Modality, None]
        return place, self.split, self.camera is None, number, camera, modalities.index(self.modality)


class Count(NamedTuple):
    """How many images, and how many persons they show."""

    images: int
    persons: int


class CameraCount(NamedTuple):
    """One camera's row of a published table."""

    camera: str
    modality: Modality
    images: int
    persons: int


GENERATED = "synth.json"
"""The record that `tapetum data synthesize` leaves in a dataset's root."""


@dataclass(frozen=True)
class Survey:
    """A dataset as it was found; unlike `core.Dataset`, it may be broken.

    splits: name -> rows of `crops`.
    official: the published counts, for the splits that have any.
    The other fields are those of `core.Dataset`.
    """

    name: str
    root: Path
    crops: Sequence[Crop]
    splits: Mapping[str, Sequence[int]]
    official: Mapping[Cell, Count] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)
    band: str = "near-infrared"
    options: Mapping[str, int | str] = field(default_factory=dict)

    def dataset(self) -> Dataset:
        """The dataset. Raises DataError when a person stands on both sides of a split."""
        splits = {name: tuple(rows) for name, rows in self.splits.items()}
        generated = (self.root / GENERATED).is_file()
        return Dataset(
            self.name, self.root, tuple(self.crops), splits, self.locations, self.band, self.options, generated
        )

    def counts(self) -> dict[Cell, Count]:
        """Images and persons per split, camera and modality, and the totals; crops in no split under `UNSPLIT`."""
        held = {row for rows in self.splits.values() for row in rows}
        rest = [row for row in range(len(self.crops)) if row not in held]
        found: dict[Cell, Count] = {}
        for split, rows in [*self.splits.items(), (UNSPLIT, rest)]:
            found.update(_count(split, (self.crops[row] for row in rows)))
        return dict(sorted(found.items(), key=lambda item: item[0].order()))


def _count(split: str, crops: Iterable[Crop]) -> dict[Cell, Count]:
    images: dict[Cell, int] = defaultdict(int)
    persons: dict[Cell, set[int]] = defaultdict(set)
    for crop in crops:
        for camera, modality in ((crop.camera, crop.modality), (None, crop.modality), (None, None)):
            cell = Cell(split, camera, modality)
            images[cell] += 1
            if crop.person is not None:
                persons[cell].add(crop.person)
    return {cell: Count(number, len(persons[cell])) for cell, number in images.items()}


def published(split: str, persons: int, cameras: Iterable[CameraCount]) -> dict[Cell, Count]:
    """The cells of a published table: one per camera, and the totals, in which all `persons` of the split appear."""
    found: dict[Cell, Count] = {}
    totals: dict[Modality, int] = defaultdict(int)
    for camera in cameras:
        found[Cell(split, camera.camera, camera.modality)] = Count(camera.images, camera.persons)
        totals[camera.modality] += camera.images
    return {**found, **published_totals(split, persons, totals)}


def published_totals(split: str, persons: int, images: Mapping[Modality, int]) -> dict[Cell, Count]:
    """The cells of a published split of which only the images per modality are known."""
    found = {Cell(split, None, modality): Count(number, persons) for modality, number in images.items()}
    return {**found, Cell(split, None, None): Count(sum(images.values()), persons)}


def comparable(official: Mapping[str, Mapping[Cell, Count]], val_persons: int) -> dict[Cell, Count]:
    """The published cells of the splits that stay as published when `val_persons` are taken out of train."""
    kept = (cells for split, cells in official.items() if not (val_persons and split == "train"))
    return {cell: count for cells in kept for cell, count in cells.items()}
