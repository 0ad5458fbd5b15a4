"""From the rows of any system's features to the crops of a protocol: nothing unknown, nothing missing, nothing unsaid.

Where the dataset's images are at hand, rows are matched with them by path: the dataset says whose they are, and every
image of the protocol must have a vector. Elsewhere the table itself must say person, camera and modality.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tapetum.core import Crop, Dataset, Modality
from tapetum.data import llcm, pku_reid_74, regdb
from tapetum.data.crop_table import SPLITS
from tapetum.data.sysu_mm01 import CAMERA_MODALITY, read_ids
from tapetum.errors import DataError, EmbeddingError, did_you_mean
from tapetum.evaluation.crop_rows import CropRow
from tapetum.evaluation.draws import by_path
from tapetum.evaluation.features import Features, VectorRows
from tapetum.evaluation.reference import Reference

_BOTH = frozenset(Modality)
_CAMERAS: Mapping[str, Mapping[str, frozenset[Modality]]] = {
    "sysu_mm01": {camera: frozenset({modality}) for camera, modality in CAMERA_MODALITY.items()},
    "regdb": {camera: frozenset({modality}) for camera, modality in regdb.CAMERAS.values()},
    "llcm": dict.fromkeys(llcm.CAMERAS, _BOTH),
    "pku_reid_74": dict.fromkeys(pku_reid_74.CAMERAS, _BOTH),
}
"""Dataset -> camera -> what it sees; own data has any cameras."""

_DECLARED = ("query", "gallery")
_NOBODY = "nobody knows whom their images show"


@dataclass(frozen=True)
class Matched:
    """Features as a protocol takes them, by path. vectors: (N, D), row i of crops[i].

    declared: the rows of own data's splits query and gallery, in this order.   notes: what took no part.
    """

    vectors: VectorRows
    crops: tuple[Crop, ...]
    declared: tuple[list[int], list[int]] | None
    notes: tuple[str, ...]


def match(features: Features, reference: Reference) -> Matched:
    """The features' rows as crops of the dataset, those that the protocol does not ask for left out, with a note.

    Raises EmbeddingError naming the first image that is unknown, missing, or said to be of somebody else.
    """
    dataset = reference.dataset
    matched = _by_table(features, reference) if dataset is None else _by_image(features, dataset)
    if all(crop.person is None for crop in matched.crops):
        raise EmbeddingError(
            f"{features.source} holds {len(matched.crops)} crops of persons whom nobody knows, so that no answer can be"
            " called right. Search them with `tapetum search`, or embed a table that names the persons."
        )
    unknown = sum(crop.person is None for crop in matched.crops)
    if unknown:
        note = f"{unknown} of {len(matched.crops)} vectors took no part: {_NOBODY}"
        matched = replace(matched, notes=(*matched.notes, note))
    return _in_order(matched)


def _in_order(matched: Matched) -> Matched:
    """The same by path, so that the order of the rows in a file does not even change how a sum is rounded."""
    order = by_path(matched.crops, range(len(matched.crops)))
    if (np.diff(order) > 0).all():
        return matched  # a large file in order is not copied
    place = np.argsort(order).tolist()
    crops = tuple(matched.crops[row] for row in order.tolist())
    moved = replace(matched, vectors=matched.vectors[order], crops=crops)
    if matched.declared is None:
        return moved
    query, gallery = ([place[row] for row in side] for side in matched.declared)
    return replace(moved, declared=(query, gallery))


def _by_image(features: Features, dataset: Dataset) -> Matched:
    places = _Places(dataset)
    rows = [places.row(named, number, features.source) for number, named in enumerate(features.rows, start=1)]
    _check_each_once(rows, dataset, features.source)
    split, wanted = _wanted(dataset, features)
    present = set(rows)
    notes = _check_complete(features, dataset, split, [row for row in wanted if row not in present])
    asked = set(wanted)
    kept = [place for place, row in enumerate(rows) if row in asked]
    idle = [dataset.crops[row].person for row in rows if row not in asked]
    for number, reason in ((idle.count(None), _NOBODY), (len(idle) - idle.count(None), f"not of the split '{split}'")):
        if number:
            notes.append(f"{number} of {len(rows)} vectors took no part: {reason}")
    crops = tuple(dataset.crops[rows[place]] for place in kept)
    vectors = features.vectors if len(kept) == len(rows) else features.vectors[kept]
    return Matched(vectors, crops, _declared(dataset, [rows[place] for place in kept]), tuple(notes))


def _check_complete(features: Features, dataset: Dataset, split: str, missing: Sequence[int]) -> list[str]:
    """A note on images of own data that were left out knowingly (--skip-broken); an error for any other."""
    left_out = set(features.record.get("left_out", ())) if dataset.name == "folder" else set()
    paths = [dataset.crops[row].path for row in missing]
    unexcused = [path for path in paths if path not in left_out]
    if unexcused:
        held = features.record.get("split", split)
        other = f" It holds the split '{held}'." if held != split else ""
        raise EmbeddingError(
            f"{features.source} has no vector of {unexcused[0]} ({len(unexcused)} images of the split '{split}' are"
            f" missing).{other} Embed all of them."
        )
    return [f"{len(paths)} broken pictures were left out when embedding ({paths[0]} ...)"] if paths else []


def _check_each_once(rows: Sequence[int], dataset: Dataset, source: Path) -> None:
    counts = np.bincount(rows, minlength=len(dataset.crops))
    if counts.max() > 1:
        path = dataset.crops[int(counts.argmax())].path
        raise EmbeddingError(f"{source} has {counts.max()} vectors of {path}. Give one vector per image.")


def _wanted(dataset: Dataset, features: Features) -> tuple[str, list[int]]:
    """The split that the protocol is about, and its rows; of own data, those whose person is known."""
    if dataset.name != "folder":
        return "test", list(dataset.rows("test"))
    recorded = str(features.record.get("split", ""))
    known = "test" if _declares(dataset) else recorded if recorded in dataset.splits else ""
    split = known or ("test" if dataset.splits.get("test") else "all")
    return split, [row for row in dataset.rows(split) if dataset.crops[row].person is not None]


def _declares(dataset: Dataset) -> bool:
    return set(_DECLARED) <= set(dataset.splits)


def _declared(dataset: Dataset, kept: Sequence[int]) -> tuple[list[int], list[int]] | None:
    """The places in `kept` of the splits query and gallery; None when the dataset declares none."""
    if dataset.name != "folder" or not _declares(dataset):
        return None
    place = {row: number for number, row in enumerate(kept)}
    query, gallery = ([place[row] for row in dataset.rows(name) if row in place] for name in _DECLARED)
    return query, gallery


class _Places:
    """Finds the dataset's row that a row of a table names, and holds the two against each other."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._rows: dict[str, list[int]] = {}
        for row, crop in enumerate(dataset.crops):
            self._rows.setdefault(crop.path, []).append(row)
        self._roots = tuple(f"{root.as_posix()}/" for root in (dataset.root, dataset.root.resolve()))

    def row(self, named: CropRow, number: int, source: Path) -> int:
        """The dataset's row. Raises EmbeddingError for an unknown image, or one that is said to be another's."""
        where = f"{source}: row {number}"
        found = self._rows.get(named.path) or self._rows.get(self._below_root(named.path), [])
        if not found:
            raise EmbeddingError(
                f"{where} is of {named.path}, which {self._dataset.name} in {self._dataset.root} does not have. Name"
                " each image by its path below the root."
            )
        alike = [row for row in found if named.modality in (None, self._dataset.crops[row].modality)]
        if len(alike) > 1:
            raise EmbeddingError(f"{where} ({named.path}) stands for two modalities. Add the column 'modality'.")
        row = (alike or found)[0]
        crop = self._dataset.crops[row]
        for name in ("person", "camera", "modality"):
            said, known = getattr(named, name), getattr(crop, name)
            if said is not None and said != known:
                raise EmbeddingError(
                    f"{where} ({named.path}) says {name} {said}, and {self._dataset.name} says {known}. Correct the"
                    " table, or leave that column out."
                )
        return row

    def _below_root(self, path: str) -> str:
        return next((path.removeprefix(root) for root in self._roots if path.startswith(root)), path)


def _by_table(features: Features, reference: Reference) -> Matched:
    split = features.record.get("split", "test")
    if reference.name in ("regdb", "llcm", "pku_reid_74") and split != "test":
        raise EmbeddingError(
            f"{features.source} holds the split '{split}' of {reference.name}. Embed the split 'test'."
        )
    cameras = _CAMERAS.get(reference.name)
    crops = tuple(
        _said(named, f"{features.source}: row {number} ({named.path})", cameras)
        for number, named in enumerate(features.rows, start=1)
    )
    if reference.name == "folder":
        return _by_split(features, crops)
    if reference.name != "sysu_mm01" or reference.root is None:
        return Matched(features.vectors, crops, None, ())
    kept = _of_test_persons(crops, reference.root, features.source)
    if len(kept) == len(crops):
        return Matched(features.vectors, crops, None, ())
    note = f"{len(crops) - len(kept)} of {len(crops)} vectors took no part: their persons are not in the test list"
    return Matched(features.vectors[kept], tuple(crops[row] for row in kept), None, (note,))


def _by_split(features: Features, crops: tuple[Crop, ...]) -> Matched:
    """Own data as the table's column `split` declares it: query and gallery, else test, else all rows."""
    splits = [row.split for row in features.rows]
    for number, split in enumerate(splits, start=1):
        if split is not None and split not in SPLITS:
            where = f"{features.source}: row {number} ({crops[number - 1].path})"
            raise EmbeddingError(f"{where} is of the split '{split}'. {did_you_mean(split, SPLITS)}")
    one_sided = [name for name in _DECLARED if name in splits]
    if len(one_sided) == 1:
        raise EmbeddingError(
            f"{features.source} has rows of the split '{one_sided[0]}' alone. Declare both {' and '.join(_DECLARED)}."
        )
    wanted: set[str | None] = {*one_sided} or set(splits) & {"test"} or set(splits)
    kept = [row for row, split in enumerate(splits) if split in wanted]
    known = [(place, splits[row]) for place, row in enumerate(kept) if crops[row].person is not None]
    query, gallery = ([place for place, split in known if split == name] for name in _DECLARED)
    idle = len(crops) - len(kept)
    return Matched(
        features.vectors[kept] if idle else features.vectors,
        tuple(crops[row] for row in kept),
        (query, gallery) if one_sided else None,
        (f"{idle} of {len(crops)} vectors took no part: of another split",) if idle else (),
    )


def _said(named: CropRow, where: str, cameras: Mapping[str, frozenset[Modality]] | None) -> Crop:
    if named.camera is None or named.modality is None:
        missing = "camera" if named.camera is None else "modality"
        raise EmbeddingError(
            f"{where} has no {missing}. Add it to the table, or pass --root with the dataset's images."
        )
    if cameras is not None and named.camera not in cameras:
        raise EmbeddingError(f"{where} is of camera '{named.camera}'. Expected {', '.join(cameras)}.")
    if cameras is not None and named.modality not in cameras[named.camera]:
        raise EmbeddingError(
            f"{where} is called {named.modality}, which camera {named.camera} is not. Correct the table."
        )
    return Crop(named.path, named.person, named.camera, named.modality, named.time)


def _of_test_persons(crops: Sequence[Crop], root: Path, source: Path) -> list[int]:
    """The rows of test persons, and of unknown ones; a person of no split is refused where all lists are there."""
    test, others = set(read_ids(root, "test")), _other_ids(root)
    outside = {row for row, crop in enumerate(crops) if crop.person is not None and crop.person not in test}
    strange = sorted(row for row in outside if others and crops[row].person not in others)
    if strange:
        first = crops[strange[0]]
        raise EmbeddingError(
            f"{source}: row {strange[0] + 1} ({first.path}) is of person {first.person}, whom no list in {root / 'exp'}"
            f" names ({len(strange)} such rows). Correct the table."
        )
    return [row for row in range(len(crops)) if row not in outside]


def _other_ids(root: Path) -> set[int]:
    """The persons of train and val; empty unless both lists are there."""
    try:
        return {person for split in ("train", "val") for person in read_ids(root, split)}
    except DataError:
        return set()
