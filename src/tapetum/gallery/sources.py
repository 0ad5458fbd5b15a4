"""What `tapetum index` is given, read: folders of pictures, datasets, tables, single pictures, ready vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tapetum.core import Modality
from tapetum.data.catalogue import guess_dataset, read_dataset
from tapetum.data.crop_table import SUFFIXES, TableForm, read_crop_table
from tapetum.data.findings import Notes, Severity
from tapetum.data.listing import is_image_name, list_folder
from tapetum.embedding_table import EmbeddingTable, read_embeddings
from tapetum.errors import DataError
from tapetum.gallery.pictures import Arrival


@dataclass(frozen=True)
class Given:
    """What the command line says of pictures that say nothing themselves; in a table, of columns that it lacks."""

    modality: Modality | None = None
    camera: str | None = None
    site: str | None = None


@dataclass
class Sources:
    """Everything that came in. broken: a sentence for each row of a table that cannot be used."""

    arrivals: list[Arrival] = field(default_factory=list)
    tables: list[EmbeddingTable] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def read_sources(paths: Sequence[Path], given: Given) -> Sources:
    """Read what was given. Raises DataError for what is none of the kinds, or holds nothing."""
    found = Sources()
    for path in paths:
        if path.is_dir():
            found.arrivals += _folder(path, given)
        elif is_image_name(path.name):
            found.arrivals.append(_plain(path, given))
        elif path.suffix.lower() == ".parquet" and _has_vectors(path):
            found.tables.append(read_embeddings(path))
        elif path.suffix.lower() in SUFFIXES and path.is_file():
            _read_table(path, given, found)
        else:
            state = "is no picture, table or embeddings file" if path.exists() else "does not exist"
            raise DataError(f"{path} {state}. Give folders, pictures, tables (.csv, .tsv, .parquet) or embeddings.")
    return found


def _folder(folder: Path, given: Given) -> list[Arrival]:
    """All pictures under a folder, by name, as the command line describes them; without that, those of a dataset."""
    if given.modality is not None:
        return [_plain(path, given) for path in _pictures_under(folder)]
    try:
        name = guess_dataset(folder)
    except DataError as error:
        raise DataError(f"{folder}: what light made its pictures? Pass --modality rgb or --modality ir.") from error
    dataset = read_dataset(name, folder)
    return [
        Arrival(
            str((dataset.root / crop.path).resolve()),
            given.camera or crop.camera,
            crop.modality,
            crop.person,
            given.site or dataset.locations.get(crop.camera),
            crop.time,
        )
        for crop in dataset.crops
    ]


def _pictures_under(folder: Path) -> list[Path]:
    notes, found, waiting = Notes(strict=True), list[Path](), [folder]
    while waiting:
        here = waiting.pop()
        listing = list_folder(here, notes)
        found += [here / name for name in listing.images]
        waiting += [here / name for name in reversed(listing.folders)]
    if not found:
        raise DataError(f"{folder} holds no image. Expected files such as .jpg, .png or .bmp in it or below.")
    return found


def _plain(path: Path, given: Given) -> Arrival:
    if given.modality is None:
        raise DataError(f"{path}: what light made it? Pass --modality rgb or --modality ir.")
    return Arrival(str(path.resolve()), given.camera or "1", given.modality, None, given.site)


def _read_table(table: Path, given: Given, found: Sources) -> None:
    known = {name: value for name, value in vars(given).items() if value is not None}
    needed = tuple(name for name in ("path", "camera", "modality") if name not in known)
    optional = ("person", "site", "time", "split", *(name for name in ("camera", "modality") if name in known))
    notes = Notes(strict=False)
    for placed in read_crop_table(table, notes, TableForm(needed, optional, known)):
        crop = placed.crop
        path = str((table.parent / crop.path).resolve())
        found.arrivals.append(Arrival(path, crop.camera, crop.modality, crop.person, placed.site or None, crop.time))
    errors = [str(note) for note in notes.findings if note.severity is Severity.ERROR]
    if not found.arrivals and errors:
        raise DataError(errors[0])
    found.broken += errors


def _has_vectors(path: Path) -> bool:
    try:
        return "vector" in pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return False
