"""LLCM: 1,064 persons, nine cameras that see in visible and near-infrared light by turns (`vis`, `nir`, `idx`)."""

from __future__ import annotations

import re
from pathlib import Path

from tapetum.core import Dataset, Modality
from tapetum.data.findings import Notes
from tapetum.data.image_lists import ImageList, ListLayout, crops_of_lists
from tapetum.data.listing import require_folder
from tapetum.data.persons import carve_validation
from tapetum.data.survey import Survey, comparable, published_totals

CAMERAS = tuple(str(number) for number in range(1, 10))
FOLDERS = {"vis": Modality.RGB, "nir": Modality.IR}

_PATH = re.compile(r"(?:vis|nir)/(\d+)/\d+_c0*([1-9]\d*)_[^/]+")
_TRAIN = {Modality.RGB: 16946, Modality.IR: 13975}
_OFFICIAL = {
    "train": published_totals("train", 713, _TRAIN),
    "trainval": published_totals("trainval", 713, _TRAIN),
    "test": published_totals("test", 351, {Modality.RGB: 8680, Modality.IR: 7166}),
}


def read(root: Path, val_persons: int = 0) -> Dataset:
    """Read LLCM: splits train, trainval and test, and val when asked for; crops in the lists' order.

    A person is told by the folder, a camera by `_c06_` in the file's name ("6").
    The names give a time of day without a date, so crops have no time.
    val_persons: how many of the training persons to set aside for validation.
    Raises DataError for a missing folder, list or image, or a camera beyond 9; RecipeError for an impossible option.
    """
    return survey(root, Notes(strict=True), val_persons).dataset()


def looks_like(root: Path) -> bool:
    """Whether `root` shows LLCM's layout: `vis`, `nir` and the lists in `idx`."""
    return all((root / folder).is_dir() for folder in (*FOLDERS, "idx"))


def survey(root: Path, notes: Notes, val_persons: int = 0) -> Survey:
    """Walk lists and folders and note what is wrong with them."""
    options = {"val_persons": val_persons}
    if not require_folder(root, _LAYOUT.expected, notes):
        return Survey("llcm", root, [], {}, options=options)
    listed = crops_of_lists(root, _LAYOUT, _LISTS, notes)
    splits = {**carve_validation(listed.crops, listed.splits["train"], val_persons), "test": listed.splits["test"]}
    return Survey("llcm", root, listed.crops, splits, comparable(_OFFICIAL, val_persons), options=options)


def _read_path(path: str) -> tuple[int, str] | None:
    match = _PATH.fullmatch(path)
    return (int(match[1]), match[2]) if match and match[2] in CAMERAS else None


_LAYOUT = ListLayout("the LLCM root (vis, nir, idx)", tuple(FOLDERS), _read_path)
_LISTS = [
    ImageList(f"idx/{split}_{folder}.txt", split, folder, modality)
    for split in ("train", "test")
    for folder, modality in FOLDERS.items()
]
