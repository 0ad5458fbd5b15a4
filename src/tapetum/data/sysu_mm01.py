"""SYSU-MM01: 491 persons, four RGB and two near-infrared cameras (`cam1 ... cam6/<id>/<n>.jpg`, lists in `exp`)."""

from __future__ import annotations

from pathlib import Path

from tapetum.core import Crop, Dataset, Modality
from tapetum.data.findings import Notes, enumerate_some
from tapetum.data.listing import image_names, list_folder, person_folders, require_folder
from tapetum.data.lists import read_id_mat, read_id_text
from tapetum.data.persons import note_shared_persons, note_single_modality
from tapetum.data.survey import CameraCount, Cell, Count, Survey, published

CAMERA_MODALITY = {
    "1": Modality.RGB,
    "2": Modality.RGB,
    "3": Modality.IR,
    "4": Modality.RGB,
    "5": Modality.RGB,
    "6": Modality.IR,
}
LOCATIONS = {"1": "1", "2": "2", "3": "2", "4": "4", "5": "5", "6": "6"}
"""camera -> place: cameras 2 and 3 stand in the same room."""

_EXPECTED = "the SYSU-MM01 root (cam1 ... cam6, exp)"
_SPLITS = ("train", "val", "test")
# split -> (persons, images per camera 1 ... 6, persons per camera 1 ... 6)
_TABLE = {
    "train": (296, (4721, 5753, 5929, 4821, 4989, 4000), (194, 195, 293, 283, 294, 200)),
    "val": (99, (0, 0, 1980, 990, 984, 0), (0, 0, 99, 99, 96, 0)),
    "trainval": (395, (4721, 5753, 7909, 5811, 5973, 4000), (194, 195, 392, 382, 390, 200)),
    "test": (96, (1374, 1565, 1883, 1918, 1918, 1920), (56, 56, 93, 94, 95, 96)),
}


def _official() -> dict[Cell, Count]:
    found: dict[Cell, Count] = {}
    for split, (persons, images, present) in _TABLE.items():
        rows = zip(CAMERA_MODALITY.items(), images, present, strict=True)
        found.update(published(split, persons, [CameraCount(*camera, n, p) for camera, n, p in rows if n]))
    return found


OFFICIAL_COUNTS = _official()
"""Images and persons of the real dataset, per split, camera and modality."""


def read(root: Path) -> Dataset:
    """Read SYSU-MM01, or anything in its layout: splits train, val, trainval and test; crops by camera, id, number.

    Raises DataError for a missing folder or list, an extra camera, a file name that is no number, a shared person.
    """
    return survey(root, Notes(strict=True)).dataset()


def looks_like(root: Path) -> bool:
    """Whether `root` shows SYSU-MM01's layout: `cam1`, or its lists in `exp`."""
    return (root / "cam1").is_dir() or any(_list_path(root, split).is_file() for split in _SPLITS)


def read_ids(root: Path, split: str, notes: Notes | None = None) -> list[int]:
    """The identities of `exp/<split>_id.txt` (of the .mat file when the .txt is missing), in the file's order.

    split: train, val, test or available. The root needs no images.
    Raises DataError for a missing or malformed list; with `notes` that are not strict, notes it and gives what is left.
    """
    notes = notes or Notes(strict=True)
    text = _list_path(root, split)
    if text.is_file():
        # A synthetic dataset may do without validation persons.
        return read_id_text(text, notes, may_be_empty=split == "val")
    if text.with_suffix(".mat").is_file():
        return read_id_mat(text.with_suffix(".mat"), notes)
    notes.error(
        root, f"has no {text.relative_to(root).as_posix()}. Expected {_EXPECTED}. Give the path of that folder."
    )
    return []


def survey(root: Path, notes: Notes) -> Survey:
    """Walk the tree and note what is wrong with it."""
    if not require_folder(root, _EXPECTED, notes):
        return Survey("sysu_mm01", root, [], {})
    ids = {split: read_ids(root, split, notes) for split in _SPLITS}
    note_shared_persons(root / "exp", ids, notes)
    ids["trainval"] = [*ids["train"], *ids["val"]]
    _note_unknown_cameras(root, notes)
    crops = [crop for camera in CAMERA_MODALITY for crop in _crops_of_camera(root, camera, notes)]
    members = {split: set(persons) for split, persons in ids.items()}
    splits = {
        split: [row for row, crop in enumerate(crops) if crop.person in members[split]]
        for split in ("train", "val", "trainval", "test")
    }
    _note_lists_against_folders(root, ids, crops, notes)
    note_single_modality(root, crops, splits, notes)
    return Survey("sysu_mm01", root, crops, splits, OFFICIAL_COUNTS, LOCATIONS)


def _list_path(root: Path, split: str) -> Path:
    return root / "exp" / f"{split}_id.txt"


def _note_unknown_cameras(root: Path, notes: Notes) -> None:
    for name in list_folder(root, notes).folders:
        number = name.removeprefix("cam")
        if name.startswith("cam") and number.isdecimal() and number not in CAMERA_MODALITY:
            notes.error(root / name, "is a camera that SYSU-MM01 does not have (cam1 ... cam6). Move it away.")


def _crops_of_camera(root: Path, camera: str, notes: Notes) -> list[Crop]:
    folder = root / f"cam{camera}"
    if not folder.is_dir():
        notes.error(root, f"has no cam{camera}. Expected {_EXPECTED}. Give the path of that folder.")
        return []
    crops: list[Crop] = []
    for person, name in person_folders(folder, notes):
        if name != f"{person:04d}":
            notes.error(folder / name, f"is not named by four digits. Rename it to {person:04d}.")
            continue
        images = _numbered_images(folder / name, notes)
        _note_gaps(folder / name, list(images), notes)
        paths = (f"cam{camera}/{name}/{image}" for image in images.values())
        crops.extend(Crop(path, person, camera, CAMERA_MODALITY[camera]) for path in paths)
    return crops


def _numbered_images(folder: Path, notes: Notes) -> dict[int, str]:
    """number -> file name, by number."""
    found: dict[int, str] = {}
    for name in image_names(folder, notes):
        stem = name.rpartition(".")[0]
        if not (stem.isascii() and stem.isdecimal()):
            notes.error(folder / name, "is not named by its number. Expected a name such as 0001.jpg.")
        elif int(stem) in found:
            notes.error(folder / name, f"has the number of {found[int(stem)]}. Remove one of them.")
        else:
            found[int(stem)] = name
    return dict(sorted(found.items()))


def _note_gaps(folder: Path, numbers: list[int], notes: Notes) -> None:
    wrong = [(place, number) for place, number in enumerate(numbers, start=1) if place != number]
    if wrong:
        place, number = wrong[0]
        notes.warning(
            folder,
            f"has image {number} where {place} was expected."
            " The official trials name images by number, counted 1, 2, 3 without gaps.",
        )


def _note_lists_against_folders(root: Path, ids: dict[str, list[int]], crops: list[Crop], notes: Notes) -> None:
    seen = {crop.person for crop in crops if crop.person is not None}
    for split in _SPLITS:
        absent = [person for person in ids[split] if person not in seen]
        if absent:
            path = _list_path(root, split)
            notes.warning(path, f"names persons without an image: {enumerate_some(absent)}.")
    unlisted = sorted(seen - {person for split in _SPLITS for person in ids[split]})
    if unlisted:
        notes.warning(root, f"has persons whom no list in exp names: {enumerate_some(unlisted)}.")
