"""A table of own crops (.csv, .tsv or .parquet): path, person, camera, modality and, if known, time and split."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from tapetum.core import Crop, Modality
from tapetum.data.findings import Notes
from tapetum.errors import did_you_mean

SUFFIXES = (".csv", ".tsv", ".parquet")
SPLITS = ("train", "val", "test", "query", "gallery")
MODALITIES = {
    "rgb": Modality.RGB,
    "visible": Modality.RGB,
    "vis": Modality.RGB,
    "color": Modality.RGB,
    "colour": Modality.RGB,
    "ir": Modality.IR,
    "infrared": Modality.IR,
    "nir": Modality.IR,
    "near-infrared": Modality.IR,
    "thermal": Modality.IR,
    "lwir": Modality.IR,
}
"""Every word for a modality that a table may use; case does not matter."""

_BANDS = {"nir": "near-infrared", "near-infrared": "near-infrared", "thermal": "thermal", "lwir": "thermal"}
_REMEDY = "Correct the table."


@dataclass(frozen=True)
class TableForm:
    """Which columns a table must have, which it may have, and what a column that it lacks is taken to say."""

    needed: tuple[str, ...] = ("path", "person", "camera", "modality")
    optional: tuple[str, ...] = ("time", "split")
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read."""
        return (*self.needed, *self.optional)


_DATASET = TableForm()


class PlacedCrop(NamedTuple):
    """A crop, its split ("" when none was declared), and the infrared band that it was said to be of ("" for RGB).

    site: the place of its camera, "" where the table does not tell it.
    """

    crop: Crop
    split: str
    band: str
    site: str = ""


class _BadValueError(ValueError):
    """A cell that cannot be used; the text says which column, the value, and what was expected."""


def read_crop_table(table: Path, notes: Notes, form: TableForm = _DATASET) -> list[PlacedCrop]:
    """The crops of a table, row by row; every row that cannot be used is noted as an error with its line."""
    read = _parquet_rows if table.suffix.lower() == ".parquet" else _text_rows
    rows = read(table, notes, form)
    found: list[PlacedCrop] = []
    first: dict[tuple[str, Modality], int] = {}
    for line, row in rows:
        try:
            placed = _placed({**form.given, **row})
        except _BadValueError as error:
            notes.error(table, f"line {line}: {error} {_REMEDY}")
            continue
        key = (placed.crop.path, placed.crop.modality)
        if key in first:
            notes.error(table, f"line {line} names {key[0]} again (first in line {first[key]}). Remove one of them.")
        elif not (table.parent / placed.crop.path).is_file():
            notes.error(table, f"line {line} names {placed.crop.path}, which does not exist. {_REMEDY}")
        else:
            found.append(placed)
        first.setdefault(key, line)
    if not first:
        notes.error(table, f"has no row of crops. Expected the columns {', '.join(form.needed)} and a row per crop.")
    return found


def _text_rows(table: Path, notes: Notes, form: TableForm) -> Iterator[tuple[int, Mapping[str, str]]]:
    """(line in the file, counted from 1 for the header, column -> text) for each row that is not blank."""
    delimiter = "\t" if table.suffix.lower() == ".tsv" else ","
    try:
        with table.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened, delimiter=delimiter, strict=True)
            columns = [name.strip().lower() for name in next(reader, [])]
            if not _usable_columns(table, columns, notes, form):
                return
            for cells in reader:
                if len(cells) == len(columns):
                    yield reader.line_num, dict(zip(columns, (cell.strip() for cell in cells), strict=True))
                elif any(cell.strip() for cell in cells):
                    given = f"line {reader.line_num} has {len(cells)} cells for {len(columns)} columns."
                    notes.error(table, f"{given} {_REMEDY}")
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        notes.error(table, f"cannot be read as a table ({error}). Save it as UTF-8 text or as Parquet.")


def _parquet_rows(table: Path, notes: Notes, form: TableForm) -> Iterator[tuple[int, Mapping[str, str]]]:
    """(row counted from 1, column -> text) for each row, a batch at a time."""
    # Imported here: a table of text does not need it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(table)
        columns = list(opened.schema_arrow.names)
        if not _usable_columns(table, columns, notes, form):
            return
        line = 0
        wanted = [name for name in columns if name in form.columns]
        for batch in opened.iter_batches(columns=wanted):
            for row in batch.to_pylist():
                line += 1
                yield line, {column: _as_text(value) for column, value in row.items()}
    except (pa.ArrowException, OSError) as error:
        notes.error(table, f"cannot be read as Parquet ({error}). Write it again.")


def _as_text(value: object) -> str:
    if value is None or value != value:  # pandas writes a missing number as NaN
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value)


def _usable_columns(table: Path, columns: list[str], notes: Notes, form: TableForm) -> bool:
    missing = [name for name in form.needed if name not in columns]
    if missing:
        given = ", ".join(columns)[:120] or "nothing"
        notes.error(table, f"line 1: the columns {', '.join(missing)} are missing (given: {given}). {_REMEDY}")
        return False
    if len(set(columns)) < len(columns):
        notes.error(table, f"line 1: a column stands there twice ({', '.join(columns)[:120]}). {_REMEDY}")
        return False
    for name in columns:
        if name not in form.columns:
            near = difflib.get_close_matches(name, [option for option in form.optional if option not in columns], n=1)
            if near:
                notes.error(table, f"line 1: no column is called '{name}'. Did you mean '{near[0]}'? {_REMEDY}")
            else:
                notes.warning(table, f"has a column '{name}', which is not used.")
    return True


def _placed(row: Mapping[str, str]) -> PlacedCrop:
    word, split = row["modality"].lower(), row.get("split", "").lower()
    if not row["path"]:
        raise _BadValueError("path is empty.")
    if not row["camera"]:
        raise _BadValueError("camera is empty.")
    if word not in MODALITIES:
        raise _BadValueError(f"modality is '{row['modality']}'. {did_you_mean(word, MODALITIES)}")
    if split and split not in SPLITS:
        raise _BadValueError(f"split is '{row['split']}'. {did_you_mean(split, SPLITS)}")
    person = _person(row.get("person", ""))
    if person is None and split in ("train", "val"):
        raise _BadValueError(f"person is empty in split '{split}'.")
    path = PureWindowsPath(row["path"]).as_posix() if "\\" in row["path"] else row["path"]
    crop = Crop(path, person, row["camera"], MODALITIES[word], _time(row.get("time", "")))
    band = "" if crop.modality is Modality.RGB else _BANDS.get(word, "infrared")
    return PlacedCrop(crop, split, band, row.get("site", ""))


def _person(text: str) -> int | None:
    if text and not (text.isascii() and text.isdecimal()):
        raise _BadValueError(f"person is '{text}'. Expected a whole number from 0, or nothing where nobody knows.")
    return int(text) if text else None


def _time(text: str) -> datetime | None:
    """A time without a zone stays as it is; one with a zone is told in UTC, so that all times can be compared."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise _BadValueError(f"time is '{text}'. Expected ISO 8601, such as 2024-05-01T18:30:00.") from error
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
