"""The words that all of Tapetum speaks: modality, crop, dataset, batch, trial, protocol."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tapetum.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import torch

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
VectorArray = NDArray[np.float32]


class Modality(enum.StrEnum):
    """What light made a picture: visible (`rgb`), or near-infrared or thermal (`ir`)."""

    RGB = "rgb"
    IR = "ir"


@dataclass(frozen=True, slots=True)
class Crop:
    """One picture of one person.

    path: relative to the dataset's root, with forward slashes (an absolute path stays absolute).
    person: the identity (`pid`), >= 0; None where nobody knows it.
    camera: the camera's name; the numbered cameras of public datasets are "1", "2", ...
    time: when it was taken, if known.
    """

    path: str
    person: int | None
    camera: str
    modality: Modality
    time: datetime | None = None


@dataclass(frozen=True)
class Dataset:
    """A table of crops, and which of its rows belong to which split.

    splits: name -> rows of `crops`. No person of `test` may appear in another split, nor one of `val` in `train`.
    locations: camera -> place, for cameras that share one; a camera that is absent stands alone.
    band: the infrared band, as a person would say it: "near-infrared", "thermal", "pseudo-infrared (grey)".
    options: how it was read (a RegDB trial, a fold), so that a later command can read it again.
    generated: the people were drawn by `tapetum data synthesize`; only the layout is that of `name`.
    Raises DataError when a person stands on both sides of a split.
    """

    name: str
    root: Path
    crops: tuple[Crop, ...]
    splits: Mapping[str, tuple[int, ...]]
    locations: Mapping[str, str] = field(default_factory=dict)
    band: str = "near-infrared"
    options: Mapping[str, int | str] = field(default_factory=dict)
    generated: bool = False

    def __post_init__(self) -> None:
        persons = {name: self._persons_of(rows) for name, rows in self.splits.items()}
        for name, others in (("test", ("train", "val", "trainval")), ("val", ("train",))):
            for other in others:
                shared = persons.get(name, set()) & persons.get(other, set())
                if shared:
                    raise DataError(
                        f"{self.root}: person {min(shared)} is in both '{other}' and '{name}'"
                        f" ({len(shared)} such persons). Give each person to one split."
                    )

    def _persons_of(self, rows: Iterable[int]) -> set[int]:
        found = (self.crops[row].person for row in rows)
        return {person for person in found if person is not None}

    @property
    def title(self) -> str:
        """What reports call it: its name, or that its people are generated."""
        return f"generated people in {self.name}'s layout" if self.generated else self.name

    def rows(self, split: str) -> tuple[int, ...]:
        """The rows of `crops` in one split. Raises DataError for a split that the dataset does not have."""
        if split not in self.splits:
            raise DataError(f"{self.name} has no split '{split}'. {did_you_mean(split, self.splits)}")
        return self.splits[split]

    def persons(self, split: str) -> list[int]:
        """The identities of one split, ascending."""
        return sorted(self._persons_of(self.rows(split)))

    def without(self, split: str) -> Dataset:
        """The same dataset with one split's crops removed: what `train` is given, so that it cannot see the test."""
        hidden = set(self.splits.get(split, ()))
        kept = [row for row in range(len(self.crops)) if row not in hidden]
        place = {row: index for index, row in enumerate(kept)}
        splits = {
            name: tuple(place[row] for row in rows if row in place)
            for name, rows in self.splits.items()
            if name != split
        }
        crops = tuple(self.crops[row] for row in kept)
        return replace(self, crops=crops, splits=splits)

    def location(self, camera: str) -> str:
        """The place where a camera stands; its own name when it shares no place."""
        return self.locations.get(camera, camera)


@dataclass(frozen=True)
class Batch:
    """P persons x K crops of each modality; row i of `rgb` and of `ir` show the same person.

    rgb, ir: (N, 3, H, W) in [0, 1] before normalisation, or (N, D) vectors for methods on embeddings.
    person: (N,) class labels 0 ... C-1; the rows of one person stand together.
    attributes: name -> (N,) classes of what the persons wear or carry, -1 where nobody knows; None where none are read.
    """

    rgb: torch.Tensor
    ir: torch.Tensor
    person: torch.Tensor
    attributes: Mapping[str, torch.Tensor] | None = None


@dataclass(frozen=True)
class Trial:
    """One draw of a protocol, in numbers alone: which rows ask, which rows answer, and which pairs do not count.

    query, gallery: rows of the table of embeddings, in the protocol's order (it decides ties).
    query_group, gallery_group: the pair (i, j) is hidden when query_group[i] == gallery_group[j]. SYSU-MM01's groups
    are places; LLCM's are person and camera together. None on both sides: no pair is hidden.
    """

    query: IntArray
    gallery: IntArray
    query_group: IntArray | None = None
    gallery_group: IntArray | None = None


@dataclass(frozen=True)
class Protocol:
    """How a dataset is evaluated: settings by name ("all_single" ...), each a sequence of trials.

    draw: which rule chose the galleries ("official", "agw", "none" where nothing is drawn).
    """

    name: str
    draw: str
    settings: Mapping[str, tuple[Trial, ...]]
