"""RegDB: 412 persons, ten visible and ten thermal images each; ten trials of 206 train and 206 test persons."""

from __future__ import annotations

import re
from pathlib import Path

from tapetum.core import Dataset, Modality
from tapetum.data.findings import Notes
from tapetum.data.image_lists import ImageList, ListLayout, crops_of_lists, note_missing, read_lists
from tapetum.data.listing import require_folder
from tapetum.data.persons import carve_validation, note_shared_persons
from tapetum.data.survey import CameraCount, Survey, comparable, published
from tapetum.errors import RecipeError

TRIALS = range(1, 11)
CAMERAS = {"Visible": ("1", Modality.RGB), "Thermal": ("2", Modality.IR)}
"""Folder of images -> the camera's name, and its modality."""

_PATH = re.compile(r"(Visible|Thermal)/(\d+)/[^/]+")
_PER_CAMERA = [CameraCount(camera, modality, 2060, 206) for camera, modality in CAMERAS.values()]
_OFFICIAL = {split: published(split, 206, _PER_CAMERA) for split in ("train", "trainval", "test")}


def read(root: Path, trial: int = 1, val_persons: int = 0) -> Dataset:
    """Read one trial of RegDB: splits train, trainval and test, and val when asked for; crops in the lists' order.

    trial: 1 to 10; each has training persons of its own, so each needs a model of its own.
    val_persons: how many of the 206 training persons to set aside for validation.
    Raises DataError for a missing folder, list or image; RecipeError for an impossible option.
    """
    return survey(root, Notes(strict=True), trial, val_persons).dataset()


def looks_like(root: Path) -> bool:
    """Whether `root` shows RegDB's layout: `Visible` and `Thermal`."""
    return all((root / folder).is_dir() for folder in CAMERAS)


def survey(root: Path, notes: Notes, trial: int = 1, val_persons: int = 0) -> Survey:
    """Walk one trial and note what is wrong with it, and what keeps the other trials from being read."""
    if trial not in TRIALS:
        raise RecipeError(f"trial is {trial}. RegDB has trials {TRIALS.start} to {TRIALS.stop - 1}.")
    options = {"trial": trial, "val_persons": val_persons}
    if not require_folder(root, _LAYOUT.expected, notes):
        return Survey("regdb", root, [], {}, band="thermal", options=options)
    listed = crops_of_lists(root, _LAYOUT, _lists(trial), notes)
    if not notes.strict:
        _note_other_trials(root, trial, listed.paths, notes)
    splits = {**carve_validation(listed.crops, listed.splits["train"], val_persons), "test": listed.splits["test"]}
    official = comparable(_OFFICIAL, val_persons)
    return Survey("regdb", root, listed.crops, splits, official, band="thermal", options=options)


def _read_path(path: str) -> tuple[int, str] | None:
    match = _PATH.fullmatch(path)
    return (int(match[2]), CAMERAS[match[1]][0]) if match else None


_LAYOUT = ListLayout("the RegDB root (Visible, Thermal, idx)", tuple(CAMERAS), _read_path)


def _lists(trial: int) -> list[ImageList]:
    return [
        ImageList(f"idx/{split}_{folder.lower()}_{trial}.txt", split, folder, modality)
        for split in ("train", "test")
        for folder, (_, modality) in CAMERAS.items()
    ]


def _note_other_trials(root: Path, trial: int, known: set[str], notes: Notes) -> None:
    """Whatever would be an error in another trial, noted as a warning: the trial at hand does not need it."""
    for other in TRIALS:
        if other == trial:
            continue
        aside = Notes(strict=False)
        persons: dict[str, set[int]] = {"train": set(), "test": set()}
        for image_list, lines in read_lists(root, _LAYOUT, _lists(other), aside).items():
            note_missing(root, image_list, lines, known, aside)
            places = (_read_path(line.path) for line in lines)
            persons[image_list.split] |= {place[0] for place in places if place}
        note_shared_persons(root, persons, aside)
        for finding in aside.findings:
            notes.warning(Path(finding.path), f"{finding.sentence} Trial {other} cannot be read as it is.")
