"""PKU-Reid-74: colour crops of 74 persons from two cameras, taken once as they are and once as pseudo-infrared (grey).

There is no infrared camera here: every picture stands in the table twice, as RGB and as IR, and the loader makes
the second one grey. It tries readers, training and search on real pixels; it says nothing about infrared.
The dataset's own query and gallery folders share images, so they are not used: identities are split into folds.
"""

from __future__ import annotations

import re
from pathlib import Path

from tapetum.core import Crop, Dataset, Modality
from tapetum.data.findings import Notes
from tapetum.data.listing import image_names, person_folders, require_folder
from tapetum.data.persons import by_lot, carve_validation, note_shared_persons
from tapetum.data.survey import CameraCount, Survey, published
from tapetum.errors import RecipeError

CAMERAS = ("1", "2")
PERSONS = 74

_FOLDERS = ("train", "val/all_imgs")
_NAME = re.compile(r"0*([12])_0*([1-8])\.png")
_EXPECTED = "the PKU-Reid-74 root (train, val/all_imgs)"
_PER_CAMERA = [CameraCount(camera, modality, PERSONS * 8, PERSONS) for modality in Modality for camera in CAMERAS]


def read(root: Path, fold: int = 0, folds: int = 4, val_persons: int = 10) -> Dataset:
    """Read PKU-Reid-74: splits train, val, trainval, test, and all; crops by modality, person, camera, orientation.

    fold: which of the `folds` parts of the persons is the test, counted from 0. The parts differ by at most one person.
    val_persons: how many of the other persons to set aside for validation.
    Raises DataError for a missing folder or a name in another form; RecipeError for an impossible option.
    """
    return survey(root, Notes(strict=True), fold, folds, val_persons).dataset()


def looks_like(root: Path) -> bool:
    """Whether `root` shows PKU-Reid-74's layout: `val/all_imgs`."""
    return (root / "val" / "all_imgs").is_dir()


def survey(root: Path, notes: Notes, fold: int = 0, folds: int = 4, val_persons: int = 10) -> Survey:
    """Walk the tree and note what is wrong with it."""
    if not (2 <= folds <= PERSONS and 0 <= fold < folds):
        raise RecipeError(f"fold {fold} of {folds} does not exist. Give 2 to {PERSONS} folds and a fold from 0.")
    options = {"fold": fold, "folds": folds, "val_persons": val_persons}
    if not require_folder(root, _EXPECTED, notes):
        return Survey("pku_reid_74", root, [], {}, band="pseudo-infrared (grey)", options=options)
    places = _places(root, notes)
    crops = [Crop(path, person, camera, modality) for modality in Modality for person, camera, path in places]
    splits = _splits(crops, fold, folds, val_persons)
    official = published("all", PERSONS, _PER_CAMERA)
    return Survey("pku_reid_74", root, crops, splits, official, band="pseudo-infrared (grey)", options=options)


def _splits(crops: list[Crop], fold: int, folds: int, val_persons: int) -> dict[str, list[int]]:
    persons = by_lot({crop.person for crop in crops if crop.person is not None})
    tested = set(persons[fold::folds])
    test = [row for row, crop in enumerate(crops) if crop.person in tested]
    rest = [row for row, crop in enumerate(crops) if crop.person not in tested]
    return {**carve_validation(crops, rest, val_persons), "test": test, "all": list(range(len(crops)))}


def _places(root: Path, notes: Notes) -> list[tuple[int, str, str]]:
    """(person, camera, path) of every image, sorted by person, camera and orientation."""
    found: list[tuple[int, str, str]] = []
    persons: dict[str, set[int]] = {}
    for folder in _FOLDERS:
        if not (root / folder).is_dir():
            notes.error(root, f"has no {folder}. Expected {_EXPECTED}. Give the path of that folder.")
            continue
        named = person_folders(root / folder, notes)
        persons["train" if folder == "train" else "val"] = {person for person, _ in named}
        for person, name in named:
            found.extend((person, *place) for place in _images(root, f"{folder}/{name}", notes))
    note_shared_persons(root, persons, notes)
    return sorted(found)


def _images(root: Path, folder: str, notes: Notes) -> list[tuple[str, str]]:
    found = []
    names = image_names(root / folder, notes)
    for name in names:
        match = _NAME.fullmatch(name)
        if match:
            found.append((match[1], f"{folder}/{name}"))
        else:
            notes.error(
                root / folder / name, "is not named <camera>_<orientation>.png (cameras 1, 2; orientations 1-8)."
            )
    if not names:
        notes.warning(root / folder, "holds no image.")
    return found
