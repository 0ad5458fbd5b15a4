"""Own crops: a table of them, or a folder `[<split>/]rgb|ir/<person>/<image>`; and folders without any labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tapetum.core import Crop, Dataset, Modality
from tapetum.data.crop_table import SPLITS, SUFFIXES, PlacedCrop, read_crop_table
from tapetum.data.findings import Notes, enumerate_some
from tapetum.data.listing import image_names, list_folder, person_folders
from tapetum.data.persons import carve_validation, note_shared_persons, note_single_modality, persons_of
from tapetum.data.survey import Survey
from tapetum.errors import DataError, RecipeError

_CAMERA = re.compile(r"(?:^|_)c0*(\d+)(?=s\d|[_.])")
_DEFAULT_CAMERA = {Modality.RGB: "1", Modality.IR: "2"}
_EXPECTED = (
    f"rgb/<person>/<image> and ir/<person>/<image>, the same under {', '.join(SPLITS)},"
    " or a table (.csv, .tsv, .parquet)"
)


def read(root: Path, table: str = "", val_persons: int = 0) -> Dataset:
    """Read own crops from a folder, from a table file, or from the table file called `table` in a folder.

    A folder tells split, modality and person by its subfolders, and the camera by a part such as `_c3_` of the image's
    name; without one, RGB images are camera 1's and infrared ones camera 2's.
    Splits: `all`, and those that are declared. `query` and `gallery` together are `test`; train and val together are
    `trainval`. When no split is declared, every crop of a known person is `train`.
    val_persons: how many persons to set aside from train when no `val` is declared.
    Raises DataError at the first file or row that cannot be used; RecipeError for an impossible option.
    """
    return survey(root, Notes(strict=True), table, val_persons).dataset()


def read_unlabelled(root: Path, modality: Modality, camera: str) -> Dataset:
    """All images of one flat folder, by name, as crops of unknown persons in the split `all`.

    Raises DataError for a missing folder or one without images.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder. Give the folder that holds the pictures.")
    names = list_folder(root, Notes(strict=True)).images
    if not names:
        raise DataError(f"{root} holds no image. Expected files such as .jpg, .png or .bmp in this folder itself.")
    crops = tuple(Crop(name, None, camera, modality) for name in names)
    return Dataset("folder", root, crops, {"all": tuple(range(len(crops)))}, band="infrared")


def looks_like(root: Path) -> bool:
    """Whether `root` is a table, or shows `rgb` or `ir`, alone or under a split's folder."""
    if root.is_file():
        return root.suffix.lower() in SUFFIXES
    return any((root / split / modality).is_dir() for split in ("", *SPLITS) for modality in Modality)


def survey(root: Path, notes: Notes, table: str = "", val_persons: int = 0) -> Survey:
    """Read table or folders and note what is wrong with them."""
    source = root / table if table else root
    placed = _placed_crops(source, notes)
    home = source if source.is_dir() else source.parent
    crops = [place.crop for place in placed]
    splits = _splits(placed, crops, val_persons)
    note_shared_persons(source, {split: persons_of(crops, rows) for split, rows in splits.items()}, notes)
    note_single_modality(source, crops, splits, notes)
    _note_queries_alone(source, crops, splits, notes)
    bands = {place.band for place in placed if place.band}
    options: dict[str, int | str] = {"val_persons": val_persons}
    if source.is_file():
        options["table"] = source.name
    band = bands.pop() if len(bands) == 1 else "infrared"
    return Survey("folder", home, crops, splits, band=band, options=options)


def _placed_crops(source: Path, notes: Notes) -> list[PlacedCrop]:
    if source.is_file() and source.suffix.lower() in SUFFIXES:
        return read_crop_table(source, notes)
    if source.is_dir():
        return _tree(source, notes)
    state = "is neither a folder nor a table" if source.exists() else "does not exist"
    notes.error(source, f"{state}. Expected {_EXPECTED}. Give the path of that folder.")
    return []


def _splits(placed: Sequence[PlacedCrop], crops: Sequence[Crop], val_persons: int) -> dict[str, list[int]]:
    rows = {split: [row for row, place in enumerate(placed) if place.split == split] for split in ("", *SPLITS)}
    declared = {split: found for split, found in rows.items() if split and found}
    if not declared:
        declared = {"train": [row for row, crop in enumerate(crops) if crop.person is not None]}
    if val_persons and ("val" in declared or "train" not in declared):
        state = "a split val already" if "val" in declared else "no split train to take them from"
        raise RecipeError(f"val_persons is {val_persons}, and these crops have {state}. Leave val_persons out.")
    if "train" in declared and "val" not in declared:
        declared |= carve_validation(crops, declared["train"], val_persons)
    elif "train" in declared:
        declared["trainval"] = sorted([*declared["train"], *declared["val"]])
    parts = [declared.get(split, []) for split in ("test", "query", "gallery")]
    if any(parts):
        declared["test"] = sorted(row for part in parts for row in part)
    return {**declared, "all": list(range(len(crops)))}


def _note_queries_alone(root: Path, crops: Sequence[Crop], splits: dict[str, list[int]], notes: Notes) -> None:
    if "query" in splits or "gallery" in splits:
        asked = set(persons_of(crops, splits.get("query", [])))
        alone = sorted(asked - set(persons_of(crops, splits.get("gallery", []))))
        if alone:
            notes.warning(root, f"has query persons who are not in the gallery: {enumerate_some(alone)}.")
        if not asked:
            notes.warning(root, "declares a gallery and no query of a known person. Nothing can be evaluated.")


def _tree(root: Path, notes: Notes) -> list[PlacedCrop]:
    found: list[PlacedCrop] = []
    declared = [name for name in list_folder(root, notes).folders if name in SPLITS]
    for split in ("", *declared):
        for name in list_folder(root / split, notes).folders:
            if name in list(Modality):
                found.extend(_crops_of_modality(root, split, Modality(name), notes))
            elif split or name not in SPLITS:
                notes.error(root / split / name, f"has no place here. Expected {_EXPECTED}.")
    if not found:
        notes.error(root, f"holds no crop. Expected {_EXPECTED}. Give the path of that folder.")
    return found


def _crops_of_modality(root: Path, split: str, modality: Modality, notes: Notes) -> list[PlacedCrop]:
    base = root / split / modality
    band = "" if modality is Modality.RGB else "infrared"
    found: list[PlacedCrop] = []
    for person, folder in person_folders(base, notes):
        names = image_names(base / folder, notes)
        if not names:
            notes.warning(base / folder, "holds no image.")
        for name in names:
            match = _CAMERA.search(name)
            camera = match[1] if match else _DEFAULT_CAMERA[modality]
            path = (base / folder / name).relative_to(root).as_posix()
            found.append(PlacedCrop(Crop(path, person, camera, modality), split, band))
    return found
