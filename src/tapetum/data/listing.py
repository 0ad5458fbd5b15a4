"""Folders on disk: what is in them, always in sorted order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from tapetum.data.findings import Notes

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
# Files that file managers leave behind; hidden files (a leading dot) are passed over as well.
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


class Listing(NamedTuple):
    """The names in one folder, each group sorted: folders, images (by suffix), and other files."""

    folders: list[str]
    images: list[str]
    others: list[str]


def is_image_name(name: str) -> bool:
    """Whether a file's name ends as an image's does."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def list_folder(folder: Path, notes: Notes) -> Listing:
    """The names in a folder; hidden files are left out. A folder that cannot be listed is noted as an error."""
    found = Listing([], [], [])
    try:
        # One pass of scandir asks the disk once per folder, where Path.iterdir and is_dir ask once per file.
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith(".") or entry.name.lower() in _LITTER:
                    continue
                kind = found.folders if entry.is_dir() else found.images if is_image_name(entry.name) else found.others
                kind.append(entry.name)
    except OSError as error:
        notes.error(folder, f"cannot be listed: {error.strerror}. Give read access to it.")
    return found


def image_names(folder: Path, notes: Notes) -> list[str]:
    """The images of one person's folder; anything else in it is noted as left out."""
    listing = list_folder(folder, notes)
    for name in [*listing.folders, *listing.others]:
        notes.warning(folder / name, "is not an image and is left out.")
    return listing.images


def person_folders(folder: Path, notes: Notes) -> list[tuple[int, str]]:
    """(person, folder name) of the subfolders that are named by a number, by name; others are noted as left out."""
    listing = list_folder(folder, notes)
    for name in [*listing.images, *listing.others]:
        notes.warning(folder / name, "lies outside the persons' folders and is left out.")
    persons = []
    for name in listing.folders:
        if name.isascii() and name.isdecimal():
            persons.append((int(name), name))
        else:
            notes.error(folder / name, "is no person's folder. Name each person's folder by a number.")
    return persons


def require_folder(root: Path, expected: str, notes: Notes) -> bool:
    """Whether `root` is a folder; noted as an error, with the layout that was expected, when it is not."""
    if root.is_dir():
        return True
    state = "is not a folder" if root.exists() else "does not exist"
    notes.error(root, f"{state}. Expected {expected}. Give the path of that folder.")
    return False
