"""What a table says of each row of features: path, and, where it says so, person, camera, modality, time and split.

A table comes as a file (.csv, .tsv, .parquet) or as columns that stand beside the vectors in one file. Other columns
are not read.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from tapetum.core import Modality
from tapetum.data.crop_table import MODALITIES
from tapetum.errors import EmbeddingError, did_you_mean

COLUMNS = ("path", "person", "camera", "modality", "time", "split")
SUFFIXES = (".csv", ".tsv", ".parquet")

Columns = Mapping[str, Sequence[object]]
T = TypeVar("T")


class CropRow(NamedTuple):
    """One row of a table. None: the table does not say, or, of a person, nobody knows.

    split: in lower case, whatever it is; only own data whose images are not at hand ask for it.
    """

    path: str
    person: int | None
    camera: str | None
    modality: Modality | None
    time: datetime | None
    split: str | None = None


def read_crop_rows(table: Path) -> list[CropRow]:
    """The rows of a .csv, .tsv or .parquet file. Raises EmbeddingError naming the file and the row (from 1)."""
    if not table.is_file():
        raise EmbeddingError(f"{table} does not exist. Give the table that says which image each row of features is.")
    if table.suffix.lower() not in SUFFIXES:
        raise EmbeddingError(f"{table} is no table. Expected {', '.join(SUFFIXES)}.")
    columns = _parquet_columns(table) if table.suffix.lower() == ".parquet" else _text_columns(table)
    return crop_rows(columns, table)


def crop_rows(columns: Columns, source: Path) -> list[CropRow]:
    """Rows from columns of equal length. Raises EmbeddingError naming `source` and the row for a value of no use."""
    if "path" not in columns:
        named = ", ".join(columns) or "none of them"
        raise EmbeddingError(
            f"{source} has no column 'path'. Expected {', '.join(COLUMNS)}; found {named}. Name the image of each row."
        )
    lengths = {name: len(columns[name]) for name in COLUMNS if name in columns}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise EmbeddingError(f"{source}: columns have different lengths ({listed}). Give each row all of them.")
    nothing: list[object] = [None] * lengths["path"]
    kinds = zip(COLUMNS, (_path, _person, _camera, _modality, _time, _split), strict=True)
    parsed = [_parsed(columns.get(name, nothing), kind, name, source) for name, kind in kinds]
    return [CropRow(*values) for values in zip(*parsed, strict=True)]


def _parsed(values: Sequence[object], kind: Callable[[Any], T], name: str, source: Path) -> list[T]:
    known: dict[object, T] = {}  # a column holds few different values, but for paths and times
    found: list[T] = []
    for number, value in enumerate(values, start=1):
        try:
            if value not in known:
                known[value] = kind(_plain(value))
            found.append(known[value])
        except (ValueError, TypeError) as error:
            raise EmbeddingError(f"{source}: row {number}: {name} is {value!r}. {error} Correct the table.") from error
    return found


def _plain(value: object) -> object:
    """Text without spaces around it; None for what stands for nothing: an empty cell, a missing number (NaN)."""
    if isinstance(value, str):
        return value.strip() or None
    if value != value:  # NaN
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _path(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("Expected the image's path.")
    if "\\" in value:
        return PureWindowsPath(value).as_posix()
    return PurePosixPath(value).as_posix() if "./" in value or "//" in value else value


def _person(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("Expected a whole number from 0, or nothing where nobody knows.")


def _camera(value: object) -> str | None:
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        return None if value is None else str(value)
    raise ValueError("Expected the camera's name or number.")


def _modality(value: object) -> Modality | None:
    if value is None:
        return None
    word = str(value).lower()
    if word not in MODALITIES:
        raise ValueError(did_you_mean(word, MODALITIES))
    return MODALITIES[word]


def _time(value: object) -> datetime | None:
    """A time with a zone is told in UTC, as in tables of own crops."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        time = value
    if time is not None and not isinstance(time, datetime):
        raise ValueError("Expected ISO 8601, such as 2024-05-01T18:30:00.")
    return time.astimezone(UTC).replace(tzinfo=None) if time is not None and time.tzinfo else time


def _split(value: object) -> str | None:
    return None if value is None else str(value).lower()


def _text_columns(table: Path) -> Columns:
    delimiter = "\t" if table.suffix.lower() == ".tsv" else ","
    try:
        with table.open(encoding="utf-8-sig", newline="") as opened:
            header, *lines = [line for line in csv.reader(opened, delimiter=delimiter, strict=True) if any(line)] or [
                []
            ]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise EmbeddingError(f"{table} cannot be read as a table ({error}). Save it as UTF-8 text.") from error
    names = [name.strip().lower() for name in header]
    if len(set(names)) < len(names):
        raise EmbeddingError(f"{table} has a column twice ({', '.join(names)[:120]}). Correct the table.")
    for number, line in enumerate(lines, start=1):
        if len(line) != len(names):
            raise EmbeddingError(
                f"{table}: row {number} has {len(line)} cells for {len(names)} columns. Correct the table."
            )
    return {name: [line[place] for line in lines] for place, name in enumerate(names) if name in COLUMNS}


def _parquet_columns(table: Path) -> Columns:
    try:
        names = pq.read_schema(table).names
        read = pq.read_table(table, columns=[name for name in COLUMNS if name in names])
        return {name: read[name].to_pylist() for name in read.column_names}
    except (pa.ArrowException, OSError) as error:
        raise EmbeddingError(f"{table} is not a readable Parquet file ({error}). Write it again.") from error
