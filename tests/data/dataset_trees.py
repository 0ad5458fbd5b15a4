"""Small trees in the layouts of the public datasets, whole enough to read; tests break them one piece at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

SYSU_IDS = {"train": (1, 2, 3), "val": (4,), "test": (6, 10)}
REGDB_TRAIN = (1, 2, 3)
REGDB_TEST = (4, 5, 6)


def draw(path: Path, colour: bool, mode: str = "RGB") -> Path:
    """A picture of 16 x 32: grey steps, or orange ones."""
    steps = (
        np.arange(0, 256, 8)[:, None, None] * np.ones((32, 16, 3)) * ((1.0, 0.6, 0.2) if colour else (1.0, 1.0, 1.0))
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(steps.astype(np.uint8)).convert(mode).save(path)
    return path


def plant(root: Path, paths: Iterable[str], picture: Path) -> None:
    """The same picture at many places, as hard links: 45,000 of them take a second or two."""
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        if folder not in folders:
            (root / folder).mkdir(parents=True, exist_ok=True)
            folders.add(folder)
        os.link(picture, f"{root}/{path}")


def write_ids(root: Path, ids: dict[str, Iterable[int]]) -> None:
    (root / "exp").mkdir(parents=True, exist_ok=True)
    for split, persons in ids.items():
        (root / "exp" / f"{split}_id.txt").write_text(",".join(map(str, persons)) + "\n")


def sysu_tree(root: Path) -> Path:
    """Six persons, two pictures in each of the six cameras."""
    write_ids(root, SYSU_IDS)
    for persons in SYSU_IDS.values():
        for person in persons:
            for camera in "123456":
                for number in (1, 2):
                    draw(root / f"cam{camera}" / f"{person:04d}" / f"{number:04d}.jpg", colour=camera not in "36")
    return root


def regdb_line(folder: str, person: int, number: int, label: int) -> str:
    return f"{folder}/{person}/man_{folder[0].lower()}_{number:05d}_{person}.bmp {label}\n"


def regdb_tree(root: Path) -> Path:
    """Six persons, two pictures of each kind; all ten trials are the same."""
    (root / "idx").mkdir(parents=True)
    for split, persons in (("train", REGDB_TRAIN), ("test", REGDB_TEST)):
        for folder in ("Visible", "Thermal"):
            lines = [regdb_line(folder, person, n, label) for label, person in enumerate(persons) for n in (1, 2)]
            for line in lines:
                draw(root / line.split()[0], colour=folder == "Visible", mode="RGB" if folder == "Visible" else "L")
            for trial in range(1, 11):
                (root / "idx" / f"{split}_{folder.lower()}_{trial}.txt").write_text("".join(lines))
    return root


def llcm_tree(root: Path) -> Path:
    """Persons 250 and 7 to train on, 891 to test; visible in cameras 3 and 5, near-infrared in 5 and 6."""
    (root / "idx").mkdir(parents=True)
    for split, persons in (("train", (250, 7)), ("test", (891,))):
        for folder, cameras in (("vis", (3, 5)), ("nir", (5, 6))):
            lines = [
                f"{folder}/{person:04d}/{person:04d}_c{camera:02d}_s183650_f{camera}_{folder}.jpg {label}\n"
                for label, person in enumerate(persons)
                for camera in cameras
            ]
            for line in lines:
                draw(root / line.split()[0], colour=folder == "vis")
            (root / "idx" / f"{split}_{folder}.txt").write_text("".join(lines))
    return root


def replace_in(path: Path, old: str, new: str) -> None:
    """Change a list on disk; the text must be there."""
    text = path.read_text()
    if old not in text:
        raise ValueError(f"{path} does not hold {old!r}")
    path.write_text(text.replace(old, new))
