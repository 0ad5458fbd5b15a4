"""SYSU-MM01: all search and indoor search, single-shot and multi-shot, ten trials (PROTOCOLS section 1).

Infrared asks (the official direction): every image of cameras 3 and 6 of the test persons asks, and images of cameras
1 2 4 5 (all search) or 1 2 (indoor search) answer.
    official  trial t takes the first 1 or 10 entries of row t of the published permutations; the gallery stands by
              camera, person, permutation
    agw       trial t draws one image per person and camera after `random.seed(t)`; the gallery stands by person,
              camera; single-shot only, as in the code that draws so
RGB asks (no official code has it): the same with the sides changed. Every image of cameras 1 2 4 5 (or 1 2) asks, and
images of cameras 3 and 6, drawn by the same rule, answer.
Gallery images at the query's place do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from tapetum.core import Crop, IntArray, Modality, Protocol, Trial
from tapetum.data.sysu_mm01 import CAMERA_MODALITY, LOCATIONS
from tapetum.errors import DataError
from tapetum.evaluation.draws import TRIALS, cells, single_shot
from tapetum.evaluation.matlab import as_cells, load_matlab

Draw = Literal["official", "agw"]
Permutations = Mapping[tuple[str, int], IntArray]
"""(camera, person) -> (trials, images) image numbers, counted from 1."""
Folders = Mapping[tuple[str, int], Sequence[int]]
"""(camera, person) -> rows of the table, by path."""

_INFRARED = ("3", "6")
_RGB = {"all": ("1", "2", "4", "5"), "indoor": ("1", "2")}
_SHOTS = {"single": 1, "multi": 10}


@dataclass(frozen=True)
class _Search:
    """All search or indoor search in one direction: what its settings are called, and who asks whom."""

    name: str
    query: tuple[str, ...]
    gallery: tuple[str, ...]


def _searches(asking: Modality) -> list[_Search]:
    if asking is Modality.IR:
        return [_Search(mode, _INFRARED, cameras) for mode, cameras in _RGB.items()]
    return [_Search(f"rgb_to_ir_{mode}", cameras, _INFRARED) for mode, cameras in _RGB.items()]


def sysu_mm01(
    crops: Sequence[Crop],
    test_ids: Iterable[int],
    permutations: Permutations | None,
    draw: Draw = "official",
    asking: Modality = Modality.IR,
) -> Protocol:
    """The protocol over a table of crops; crops of other persons take no part.

    permutations: needed by the official draw, as `read_permutations` gives them. asking: whose images are the queries.
    Raises DataError when the crops are not the images that the permutations count.
    """
    persons = sorted(set(test_ids))
    wanted = set(persons)
    unknown = [crop.path for crop in crops if crop.person in wanted and crop.camera not in CAMERA_MODALITY]
    if unknown:
        raise DataError(f"{unknown[0]} is of a camera that SYSU-MM01 does not have. Expected cameras 1 ... 6.")
    folders = cells(crops, [row for row, crop in enumerate(crops) if crop.person in wanted])
    searches = _searches(asking)
    queries = {one.name: _queries(folders, persons, one.query) for one in searches}
    if draw == "agw":
        drawn = {f"{one.name}_single": (one, _drawn(folders, persons, one.gallery)) for one in searches}
    elif permutations is None:
        raise DataError("the official draw needs permutations. Read rand_perm_cam.mat, or use the draw 'agw'.")
    else:
        drawn = _official(crops, folders, persons, permutations, searches)
    settings = {
        name: tuple(_trial(crops, queries[one.name], rows, one.gallery) for rows in galleries)
        for name, (one, galleries) in drawn.items()
    }
    return Protocol("sysu_mm01", draw, settings)


def _queries(folders: Folders, persons: Sequence[int], cameras: Sequence[str]) -> IntArray:
    rows = [row for camera in cameras for person in persons for row in folders.get((camera, person), ())]
    if not rows:
        raise DataError(
            f"no crop of cameras {_listed(cameras)} shows a test person. Give the embeddings of the test split."
        )
    return np.array(rows, dtype=np.int64)


def _listed(cameras: Sequence[str]) -> str:
    return f"{', '.join(cameras[:-1])} and {cameras[-1]}"


def _trial(crops: Sequence[Crop], query: IntArray, gallery: IntArray, cameras: Sequence[str]) -> Trial:
    if len(gallery) == 0:
        named = _listed(cameras)
        raise DataError(f"no crop of the gallery cameras {named} shows a test person. Give the whole test split.")
    places = (np.array([int(LOCATIONS[crops[row].camera]) for row in rows.tolist()]) for rows in (query, gallery))
    return Trial(query, gallery, *places)


def _drawn(folders: Folders, persons: Sequence[int], cameras: Sequence[str]) -> list[IntArray]:
    return [single_shot(folders, persons, cameras, seed) for seed in range(TRIALS)]


def _by_number(crops: Sequence[Crop], rows: Sequence[int]) -> dict[int, int]:
    """Image number -> row, for one person in one camera."""
    found: dict[int, int] = {}
    for row in rows:
        path = crops[row].path
        stem = PurePosixPath(path).stem
        if not (stem.isascii() and stem.isdecimal()):
            raise DataError(f"{path} is not named by its number, which the official draw needs. Use the draw 'agw'.")
        if found.setdefault(int(stem), row) != row:
            raise DataError(f"{path} has the number of {crops[found[int(stem)]].path}. Remove one of them.")
    return found


def _official(
    crops: Sequence[Crop],
    folders: Folders,
    persons: Sequence[int],
    permutations: Permutations,
    searches: Sequence[_Search],
) -> dict[str, tuple[_Search, list[IntArray]]]:
    """Setting -> its search, and the gallery of each trial."""
    counted = {camera for camera, _ in permutations}
    numbered = {cell: _by_number(crops, rows) for cell, rows in folders.items()}
    for camera in CAMERA_MODALITY:
        if camera in counted or any(camera in search.gallery for search in searches):
            # Queries are not drawn: a file of permutations without their cameras is complete.
            for person in persons:
                _check_cell(numbered.get((camera, person), {}), permutations.get((camera, person)), camera, person)
    permuted = {
        cell: np.array([[images[number] for number in trial] for trial in permutations[cell].tolist()], dtype=np.int64)
        for cell, images in numbered.items()
        if cell in permutations
    }
    trials = min((len(rows) for rows in permuted.values()), default=0)
    return {
        f"{search.name}_{shots}": (
            search,
            [_permuted(permuted, persons, search.gallery, trial, number) for trial in range(trials)],
        )
        for search in searches
        for shots, number in _SHOTS.items()
    }


def _check_cell(images: Mapping[int, int], permutation: IntArray | None, camera: str, person: int) -> None:
    """The images of one person in one camera must be the numbers 1 ... n that its permutation counts."""
    expected = 0 if permutation is None else permutation.shape[1]
    if len(images) != expected:
        raise DataError(
            f"camera {camera}, person {person}: {len(images)} rows are given, and rand_perm_cam.mat counts {expected}"
            " images. Give one row per image of the official release."
        )
    missing = sorted(set(range(1, expected + 1)) - set(images))
    if missing:
        raise DataError(f"camera {camera}, person {person} has no image {missing[0]} of 1 ... {expected}.")


def _permuted(
    permuted: Mapping[tuple[str, int], IntArray], persons: Sequence[int], cameras: Sequence[str], trial: int, shots: int
) -> IntArray:
    """One trial's gallery by camera, person, permutation. permuted: (camera, person) -> rows, trials x images."""
    cells_in_order = [(camera, person) for camera in cameras for person in persons if (camera, person) in permuted]
    none = np.empty(0, dtype=np.int64)
    return np.concatenate([none, *(permuted[cell][trial, :shots] for cell in cells_in_order)])


def find_permutations(root: Path, given: Path | None = None) -> Path:
    """Where rand_perm_cam.mat lies: as given, in `<root>/exp` or in `<root>/data_split`. Raises DataError."""
    places = [given] if given else [root / folder / "rand_perm_cam.mat" for folder in ("exp", "data_split")]
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        f"{places[0]} does not exist. It comes with the official evaluation code (wuancong/SYSU-MM01 on GitHub), not"
        " with the images: put it there, pass its path with --permutations, or use --draw agw, which works without it."
    )


def read_permutations(path: Path) -> dict[tuple[str, int], IntArray]:
    """Read rand_perm_cam.mat: `rand_perm_cam{camera}{person}` is trials x images. Raises DataError for another file."""
    found: dict[tuple[str, int], IntArray] = {}
    for camera, persons in enumerate(as_cells(load_matlab(path, "rand_perm_cam"), path), start=1):
        for person, values in enumerate(as_cells(persons, path), start=1):
            if values.size:
                found[str(camera), person] = _checked_permutation(values, path, camera, person)
    trials = {len(values) for values in found.values()}
    if len(trials) != 1:
        raise DataError(f"{path}: cells have {sorted(trials)} trials. Expected the same number in each.")
    return found


def _checked_permutation(values: IntArray, path: Path, camera: int, person: int) -> IntArray:
    whole = np.asarray(values, dtype=np.float64)
    if whole.ndim != 2 or not np.array_equal(
        np.sort(whole, axis=1), np.broadcast_to(np.arange(1, whole.shape[1] + 1), whole.shape)
    ):
        raise DataError(f"{path}: rand_perm_cam{{{camera}}}{{{person}}} is no permutation of 1 ... n in each row.")
    return whole.astype(np.int64)
