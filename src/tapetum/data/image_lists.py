"""Datasets whose splits are lists of image paths (RegDB, LLCM): from lists and folders to crops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tapetum.core import Crop, Modality
from tapetum.data.findings import Notes, enumerate_some
from tapetum.data.listing import image_names, person_folders
from tapetum.data.lists import ListedImage, read_image_list
from tapetum.data.persons import note_shared_persons, note_single_modality, persons_of

ReadPath = Callable[[str], tuple[int, str] | None]
"""(person, camera) of an image's path under the root; None for a path that the dataset does not have."""


@dataclass(frozen=True)
class ImageList:
    """One list: its path under the root, the split it makes, and the folder and modality of its images."""

    path: str
    split: str
    folder: str
    modality: Modality


@dataclass(frozen=True)
class ListLayout:
    """A dataset's form: what its root looks like, in words, its folders of images, and how their paths are read."""

    expected: str
    folders: tuple[str, ...]
    read_path: ReadPath


@dataclass(frozen=True)
class ListedCrops:
    """Crops in the order of the lists, the rows of each split, and every path that is on disk or in a list."""

    crops: list[Crop]
    splits: dict[str, list[int]]
    paths: set[str]


def crops_of_lists(root: Path, layout: ListLayout, lists: Sequence[ImageList], notes: Notes) -> ListedCrops:
    """Read the lists and the folders, hold them against each other, and note every difference.

    Images that are listed and not there are noted as errors and left out.
    """
    present = _images_on_disk(root, layout, notes)
    lines = read_lists(root, layout, lists, notes)
    crops: list[Crop] = []
    splits: dict[str, list[int]] = {image_list.split: [] for image_list in lists}
    for image_list, listed in lines.items():
        if image_list.folder not in present:
            continue
        note_missing(root, image_list, listed, present[image_list.folder], notes)
        there = [line for line in listed if line.path in present[image_list.folder]]
        added = _crops_of_list(root, image_list, there, layout.read_path, notes)
        splits[image_list.split].extend(range(len(crops), len(crops) + len(added)))
        crops.extend(added)
    on_disk = set().union(*present.values())
    named = {line.path for listed in lines.values() for line in listed}
    _note_unlisted(root, on_disk - named, notes)
    note_shared_persons(root, {split: persons_of(crops, rows) for split, rows in splits.items()}, notes)
    note_single_modality(root, crops, splits, notes)
    return ListedCrops(crops, splits, on_disk | named)


def read_lists(
    root: Path, layout: ListLayout, lists: Sequence[ImageList], notes: Notes
) -> dict[ImageList, list[ListedImage]]:
    """The lines of every list that is there; a missing list is noted as an error."""
    found: dict[ImageList, list[ListedImage]] = {}
    for image_list in lists:
        if (root / image_list.path).is_file():
            found[image_list] = read_image_list(root / image_list.path, notes)
        else:
            notes.error(root, f"has no {image_list.path}. Expected {layout.expected}. Give the path of that folder.")
    return found


def note_missing(
    root: Path, image_list: ImageList, lines: Sequence[ListedImage], present: set[str], notes: Notes
) -> None:
    """Note an error for every line that names an image which is not `present`."""
    for line in lines:
        if line.path not in present:
            notes.error(
                root / image_list.path,
                f"line {line.line} names {line.path}, which {image_list.folder} does not hold."
                " Restore the image, or the list that came with these images.",
            )


def _images_on_disk(root: Path, layout: ListLayout, notes: Notes) -> dict[str, set[str]]:
    """folder -> paths under the root of all `<folder>/<person>/<image>`; a missing folder is noted and left out."""
    found: dict[str, set[str]] = {}
    for folder in layout.folders:
        if not (root / folder).is_dir():
            notes.error(root, f"has no {folder}. Expected {layout.expected}. Give the path of that folder.")
            continue
        found[folder] = {
            f"{folder}/{name}/{image}"
            for _, name in person_folders(root / folder, notes)
            for image in image_names(root / folder / name, notes)
        }
    return found


def _crops_of_list(
    root: Path, image_list: ImageList, lines: Sequence[ListedImage], read_path: ReadPath, notes: Notes
) -> list[Crop]:
    crops: list[Crop] = []
    for line in lines:
        known = read_path(line.path)
        if known is None:
            notes.error(root / line.path, "has a name or a camera that this dataset does not have. Move it away.")
        else:
            crops.append(Crop(line.path, known[0], known[1], image_list.modality))
    _note_labels(root / image_list.path, crops, lines, notes)
    return crops


def _note_unlisted(root: Path, unlisted: Iterable[str], notes: Notes) -> None:
    folders: dict[str, list[str]] = defaultdict(list)
    for path in sorted(unlisted):
        folder, _, name = path.rpartition("/")
        folders[folder].append(name)
    for folder, names in folders.items():
        notes.warning(root / folder, f"holds images that no list names: {enumerate_some(names)}.")


def _note_labels(path: Path, crops: Sequence[Crop], lines: Sequence[ListedImage], notes: Notes) -> None:
    # Persons are told by their folders; the lists' own labels, counted from 0 in each split, are only compared.
    label = {line.path: line.label for line in lines}
    given: dict[int | None, set[int]] = defaultdict(set)
    for crop in crops:
        given[crop.person].add(label[crop.path])
    several = sorted(person for person, labels in given.items() if person is not None and len(labels) > 1)
    if several:
        notes.warning(path, f"gives several labels to one person: {enumerate_some(several)}. The folders are believed.")
    if len(given) > len(set().union(*given.values())):
        notes.warning(path, "gives one label to several persons. The folders are believed.")
