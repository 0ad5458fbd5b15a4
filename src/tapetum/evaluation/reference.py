"""Which dataset features are of, and what of it is at hand: its images on disk, its lists alone, or only its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tapetum.core import Dataset
from tapetum.data.catalogue import find_dataset, guess_dataset, read_dataset
from tapetum.data.sysu_mm01 import CAMERA_MODALITY
from tapetum.errors import EmbeddingError, InputError


@dataclass(frozen=True)
class Place:
    """What the user says of the dataset; what is left out comes from the features' own record.

    name: as `tapetum data check` has it.   root: where it lies now.   options: what its reader takes (trial=3).
    dataset: as it was read already; then the others say nothing.
    """

    name: str | None = None
    root: Path | None = None
    options: Mapping[str, int | str] = field(default_factory=dict)
    dataset: Dataset | None = None


@dataclass(frozen=True)
class Reference:
    """What is known of the dataset.

    root: where its lists are; None where nobody said.   dataset: None where its images are not at hand; `unchecked`
    says why.   options: how it was, or would be, read.
    """

    name: str
    title: str
    root: Path | None
    dataset: Dataset | None
    options: Mapping[str, int | str]
    unchecked: str = ""


def find_reference(record: Mapping[str, Any], place: Place, source: Path) -> Reference:
    """The dataset of the features in `source`, by their record ({} for other systems) and by what the user says.

    A root that the user gives must be readable; one that is only recorded may be gone.
    Raises EmbeddingError where nothing names the dataset or two names differ, and whatever reading it raises.
    """
    name = dataset_name(record, place, source)
    if place.dataset is not None:
        return _at_hand(place.dataset)
    title = str(record.get("title", name))
    options = {**record.get("options", {}), **place.options}
    recorded = record.get("root")
    root = place.root or (Path(recorded) if recorded else None)
    if root is None:
        return Reference(name, title, None, None, options, "no --root says where its images are")
    if not place.root and not root.exists():
        return Reference(name, title, root, None, options, f"{root} is no longer there")
    if name == "sysu_mm01" and not any((root / f"cam{camera}").is_dir() for camera in CAMERA_MODALITY):
        return Reference(name, title, root, None, options, f"{root} holds no images")
    try:
        dataset = read_dataset(name, root, **options)
    except InputError as error:
        if place.root:
            raise
        return Reference(name, title, root, None, options, str(error).rstrip("."))
    return _at_hand(dataset)


def _at_hand(dataset: Dataset) -> Reference:
    return Reference(dataset.name, dataset.title, dataset.root, dataset, dataset.options)


def dataset_name(record: Mapping[str, Any], place: Place, source: Path) -> str:
    """Which dataset it is: as the user or the record says it, or as the root's layout shows it. Raises as above."""
    recorded = record.get("dataset")
    said = place.dataset.name if place.dataset else place.name
    if place.name:
        find_dataset(place.name)
    if said and recorded and said != recorded:
        raise EmbeddingError(f"{source} is of {recorded}, and --dataset says {said}. Leave --dataset out.")
    if said or recorded:
        return str(said or recorded)
    if place.root is None:
        raise EmbeddingError(
            f"{source} does not say which dataset it is of. Pass --root, or --dataset where the images are not at hand."
        )
    return guess_dataset(place.root)
