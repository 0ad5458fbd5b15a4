"""Sampling: which crops make up a step. P persons x K crops of each modality, a function of (seed, epoch, step) alone.

An epoch has as many steps as cover the larger modality once (METHODS section 12), or a set number. Persons come in
rounds: everybody once before anybody twice, and never twice in one step, also across devices. A person's crops come in
rounds too, cameras taking turns, so that K crops show as many cameras as the person was seen by.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tapetum.core import Dataset, IntArray, Modality
from tapetum.errors import DataError, RecipeError

_PERSONS, _CROPS = 1, 2  # purposes of generators: NumPy takes [a, b] and [a, b, 0] for the same seed
_LOG = logging.getLogger(__name__)
_WORDS = {Modality.RGB: "RGB", Modality.IR: "infrared"}
_Groups = list[IntArray]  # one person's rows of one modality, a group per camera


@dataclass(frozen=True)
class BatchShape:
    """P persons x K crops of each modality, and how many steps make an epoch.

    steps: None for as many as cover the larger modality once.
    """

    persons: int = 8
    crops: int = 4
    steps: int | None = None


@dataclass(frozen=True)
class Share:
    """Which of `world_size` devices this is; each draws P persons of its own in every step."""

    rank: int = 0
    world_size: int = 1


@dataclass(frozen=True)
class Draw:
    """What one step is made of.

    rgb, ir: (P * K,) rows of `Dataset.crops`; entry i of both is the same person. person: (P * K,) class labels, the
    places in `Dataset.persons(split)`; a person's K entries stand together. share: whose draw it is.
    """

    epoch: int
    step: int
    share: Share
    rgb: IntArray
    ir: IntArray
    person: IntArray


class PersonSampler:
    """The draws of an epoch, step by step; `len` is the number of steps.

    `set_epoch` chooses the epoch. `start` (0) is the first step of the next pass alone, to go on inside an epoch.
    Persons who lack a modality are left out, and K larger than a person's crops repeats crops; a warning says so once.
    Raises DataError when the split or one of its modalities is empty, RecipeError when a step takes more persons than
    there are.
    """

    def __init__(self, dataset: Dataset, split: str, shape: BatchShape, seed: int, share: Share | None = None) -> None:
        self.shape, self.seed, self.share = shape, seed, share or Share()
        self.epoch, self.start = 0, 0
        rows = _rows_by_person(dataset, split)
        self._labels, self._crops = _with_both(dataset, split, rows, quiet=self.share.rank > 0)
        self._group = shape.persons * self.share.world_size
        self._check(dataset, split)
        largest = max(sum(_count(crops[modality]) for crops in self._crops) for modality in Modality)
        self._steps = shape.steps or -(-largest // (self._group * shape.crops))
        self._plan: tuple[int, IntArray, dict[Modality, IntArray]] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass draws."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Draw]:
        start, self.start = self.start, 0
        for step in range(start, self._steps):
            yield self.batch(self.epoch, step)

    def batch(self, epoch: int, step: int) -> Draw:
        """The draw of one step, whatever was drawn before."""
        if self._plan is None or self._plan[0] != epoch:
            self._plan = (epoch, *self._planned(epoch))
        _, persons, rows = self._plan
        mine = slice(self.share.rank * self.shape.persons, (self.share.rank + 1) * self.shape.persons)
        labels = np.repeat(self._labels[persons[step, mine]], self.shape.crops)
        rgb, ir = (rows[modality][step, mine].reshape(-1) for modality in (Modality.RGB, Modality.IR))
        return Draw(epoch, step, self.share, rgb, ir, labels)

    def _planned(self, epoch: int) -> tuple[IntArray, dict[Modality, IntArray]]:
        """The whole epoch of all devices: persons (steps, G) and, per modality, rows (steps, G, K)."""
        rng = np.random.default_rng([_PERSONS, self.seed, epoch])
        length = self._steps * self._group
        persons = in_rounds(lambda: rng.permutation(len(self._labels)), self._group, length)
        rows = {modality: np.empty((length, self.shape.crops), dtype=np.int64) for modality in Modality}
        for person in range(len(self._labels)):
            visits = np.flatnonzero(persons == person)
            for modality in Modality:
                rows[modality][visits] = self._visits(epoch, person, modality, len(visits))
        shaped = {modality: values.reshape(self._steps, self._group, -1) for modality, values in rows.items()}
        return persons.reshape(self._steps, self._group), shaped

    def _visits(self, epoch: int, person: int, modality: Modality, count: int) -> IntArray:
        """The rows that one person shows in the `count` steps of an epoch that draw it: (count, K)."""
        rng = np.random.default_rng(
            [_CROPS, self.seed, epoch, int(self._labels[person]), list(Modality).index(modality)]
        )
        groups, crops = self._crops[person][modality], self.shape.crops
        return in_rounds(lambda: by_camera(groups, rng), crops, count * crops).reshape(count, crops)

    def _check(self, dataset: Dataset, split: str) -> None:
        found = len(self._labels)
        if found < self._group:
            devices = f" x {self.share.world_size} devices" if self.share.world_size > 1 else ""
            raise RecipeError(
                f"persons = {self.shape.persons}{devices}: split '{split}' of {dataset.name} has {found} persons with"
                f" both modalities. Set persons to {max(found // self.share.world_size, 1)} or less."
            )
        if self.share.rank == 0:
            _warn_of_repeats(dataset.persons(split), self._labels, self._crops, self.shape.crops)


def in_rounds(shuffled: Callable[[], IntArray], window: int, length: int) -> IntArray:
    """The first `length` items of shuffle after shuffle, such that no window of `window` items holds one twice.

    Windows stand side by side from the start. Where two shuffles meet inside a window, the second one's items that the
    window has already move back. With fewer than `window` items in all, repeats cannot be helped and are left.
    """
    parts: list[IntArray] = []
    total = 0
    while total < length:
        order = shuffled()
        missing = -total % window
        if missing and len(order) >= window:
            had = parts[-1][len(parts[-1]) - (window - missing) :]
            fresh = np.flatnonzero(~np.isin(order, had))[:missing]
            order = np.concatenate([order[fresh], np.delete(order, fresh)])
        parts.append(order)
        total += len(order)
    return np.concatenate(parts)[:length] if parts else np.empty(0, dtype=np.int64)


def by_camera(groups: Sequence[IntArray], rng: np.random.Generator) -> IntArray:
    """All rows of `groups` (one group per camera) once, cameras taking turns in a random order, each shuffled."""
    turn = np.concatenate([rng.permutation(len(group)) for group in groups])
    camera = np.repeat(rng.permutation(len(groups)), [len(group) for group in groups])
    order: IntArray = np.concatenate(groups)[np.lexsort((camera, turn))]
    return order


def _rows_by_person(dataset: Dataset, split: str) -> dict[int, dict[Modality, _Groups]]:
    found: dict[int, dict[Modality, dict[str, list[int]]]] = defaultdict(
        lambda: {m: defaultdict(list) for m in Modality}
    )
    for row in dataset.rows(split):
        crop = dataset.crops[row]
        if crop.person is not None:
            found[crop.person][crop.modality][crop.camera].append(row)
    return {
        person: {m: [np.array(cameras[name]) for name in sorted(cameras)] for m, cameras in modalities.items()}
        for person, modalities in found.items()
    }


def _with_both(
    dataset: Dataset, split: str, rows: dict[int, dict[Modality, _Groups]], quiet: bool
) -> tuple[IntArray, list[dict[Modality, _Groups]]]:
    """Class labels and rows of the persons who have both modalities."""
    persons = dataset.persons(split)
    place = f"split '{split}' of {dataset.name} ({dataset.root})"
    if not persons:
        raise DataError(f"{place} has no crops of known persons. Check the split's list of identities.")
    for modality in Modality:
        lacking = [person for person in persons if not rows[person][modality]]
        if len(lacking) == len(persons):
            raise DataError(f"{place} has no {_WORDS[modality]} crops. Training needs both modalities of each person.")
        if lacking and not quiet:
            _LOG.warning(
                "%s: person %d%s has no %s crops: left out", place, lacking[0], _others(lacking), _WORDS[modality]
            )
    kept = [label for label, person in enumerate(persons) if all(rows[person][modality] for modality in Modality)]
    return np.array(kept, dtype=np.int64), [rows[persons[label]] for label in kept]


def _warn_of_repeats(persons: list[int], labels: IntArray, crops: list[dict[Modality, _Groups]], wanted: int) -> None:
    for modality in Modality:
        short = [index for index, own in enumerate(crops) if _count(own[modality]) < wanted]
        if short:
            _LOG.warning(
                "K = %d is more than the %d %s crops of person %d%s: drawn with replacement",
                wanted,
                _count(crops[short[0]][modality]),
                _WORDS[modality],
                persons[labels[short[0]]],
                _others(short),
            )


def _others(listed: Sequence[int]) -> str:
    return f" (and {len(listed) - 1} more)" if len(listed) > 1 else ""


def _count(groups: _Groups) -> int:
    return sum(len(group) for group in groups)
