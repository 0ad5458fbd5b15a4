"""Persons and splits: who may stand where, who is missing, and who is set aside for validation."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from tapetum.core import Crop, Modality
from tapetum.data.findings import Notes, enumerate_some
from tapetum.errors import RecipeError

_DISJOINT = (("train", "val"), ("train", "test"), ("val", "test"))


def persons_of(crops: Sequence[Crop], rows: Iterable[int]) -> dict[int, set[Modality]]:
    """person -> the modalities in which the given rows show him; unknown persons are left out."""
    found: dict[int, set[Modality]] = defaultdict(set)
    for row in rows:
        person = crops[row].person
        if person is not None:
            found[person].add(crops[row].modality)
    return dict(found)


def note_shared_persons(root: Path, persons: Mapping[str, Collection[int]], notes: Notes) -> None:
    """Note an error for each pair of splits that must not, and does, share persons."""
    for one, other in _DISJOINT:
        shared = sorted(set(persons.get(one, ())) & set(persons.get(other, ())))
        if shared:
            notes.error(
                root,
                f"has persons in both '{one}' and '{other}': {enumerate_some(shared)}. Give each person to one split.",
            )


def note_single_modality(root: Path, crops: Sequence[Crop], splits: Mapping[str, Sequence[int]], notes: Notes) -> None:
    """Note a warning for the persons of train and val who are seen in one modality alone."""
    for split in ("train", "val"):
        seen = persons_of(crops, splits.get(split, ()))
        for modality in Modality:
            alone = sorted(person for person, modalities in seen.items() if modalities == {modality})
            if alone:
                notes.warning(
                    root,
                    f"has persons of '{split}' with {modality} images alone: {enumerate_some(alone)}."
                    " Nothing can be learned across modalities from them.",
                )


def by_lot(persons: Iterable[int]) -> list[int]:
    """Persons in an order that looks random and never changes, whatever the machine or library version."""
    return sorted(persons, key=lambda person: hashlib.sha256(f"tapetum person {person}".encode()).digest())


def carve_validation(crops: Sequence[Crop], rows: Sequence[int], count: int) -> dict[str, list[int]]:
    """Splits train, val (when count > 0) and trainval of the given training rows.

    count: how many persons go to val, drawn `by_lot` among those seen in both modalities.
    Raises RecipeError when so many are not there, or none would be left to train on.
    """
    seen = persons_of(crops, rows)
    eligible = by_lot(person for person, modalities in seen.items() if len(modalities) == len(Modality))
    if count < 0 or count > len(eligible) or (count and count >= len(seen)):
        raise RecipeError(
            f"val_persons is {count}, and {len(eligible)} of the {len(seen)} persons of train have images in both"
            " modalities. Give a smaller number, at least 0."
        )
    if not count:
        return {"train": list(rows), "trainval": list(rows)}
    chosen = set(eligible[:count])
    return {
        "train": [row for row in rows if crops[row].person not in chosen],
        "val": [row for row in rows if crops[row].person in chosen],
        "trainval": list(rows),
    }
