"""Features of any system: vectors, and what is known of the image that each of them stands for.

    .parquet   what `tapetum embed` writes, or any writer's column `vector` of lists of numbers, with the columns of
               `crop_rows.py` beside it
    .npy       (N, D), and a table of the same stem beside it, or one that is named
    .npz       one (N, D) member, and the columns as members of their names, or a table as for .npy
    a folder   the official Matlab form of SYSU-MM01 (`matlab.py`)

Vectors are used as precisely as they are given: float64 stays float64, and whole numbers become float64. Pickled
objects are never loaded.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tapetum.errors import EmbeddingError
from tapetum.evaluation.crop_rows import COLUMNS, SUFFIXES, CropRow, crop_rows, read_crop_rows
from tapetum.evaluation.matlab import read_matlab_features

VectorRows = NDArray[np.floating]

_ROWS_AT_ONCE = 2**14
_TOO_LARGE = 1e145  # squares of larger numbers do not add up to a finite one
_BROKEN_FILE = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)  # NumPy on a damaged file


@dataclass(frozen=True)
class Features:
    """vectors: (N, D), finite; rows: what is said of each; record: what `tapetum embed` says, {} for other systems.

    source: the file or folder, for messages.
    """

    vectors: VectorRows
    rows: Sequence[CropRow]
    source: Path
    record: Mapping[str, Any] = field(default_factory=dict)


def read_features(source: Path, table: Path | None = None) -> Features:
    """Read vectors and their rows; table: what says whose they are, where it does not stand beside them.

    Raises EmbeddingError naming the file and the row: a value that is not finite, rows and vectors that differ in
    number, vectors of different lengths, an image twice, numbers of another kind.
    """
    if not source.exists():
        raise EmbeddingError(f"{source} does not exist. Give a file that `tapetum embed` has written, or .npy, .npz.")
    suffix = source.suffix.lower()
    if source.is_dir():
        found = _from_matlab(source)
    elif suffix == ".parquet":
        found = _from_parquet(source)
    elif suffix in (".npy", ".npz"):
        found = _from_numpy(source, table)
    else:
        raise EmbeddingError(f"{source} holds no features. Expected .parquet (`tapetum embed`), .npy or .npz.")
    if table is not None and suffix not in (".npy", ".npz"):
        raise EmbeddingError(f"{source} says itself whose its vectors are. Leave the table {table} out.")
    _check(found)
    return found


def _check(features: Features) -> None:
    vectors, rows, source = features.vectors, features.rows, features.source
    if len(rows) != len(vectors):
        raise EmbeddingError(
            f"{source} has {len(vectors)} vectors, and its table {len(rows)} rows. Give as many of each."
        )
    if len(rows) == 0 or vectors.shape[1] == 0:
        raise EmbeddingError(f"{source} holds vectors of the shape {vectors.shape}. Expected at least one number each.")
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = vectors[start : start + _ROWS_AT_ONCE]
        usable = np.isfinite(part) if part.dtype.itemsize < 8 else np.abs(part) < _TOO_LARGE
        broken = np.flatnonzero(~usable.all(axis=1))
        if len(broken):
            row = start + int(broken[0])
            raise EmbeddingError(
                f"{source}: the vector of row {row + 1} ({rows[row].path}) has a value that is not finite or is too"
                " large. Compute it again."
            )
    first: dict[tuple[str, object], int] = {}
    for number, named in enumerate(rows, start=1):
        if first.setdefault((named.path, named.modality), number) != number:
            raise EmbeddingError(
                f"{source}: rows {first[named.path, named.modality]} and {number} are both of {named.path}. Give one"
                " vector per image."
            )


def _from_matlab(folder: Path) -> Features:
    if not any(folder.glob("*.mat")):
        raise EmbeddingError(
            f"{folder} is a folder without *_cam1.mat ... *_cam6.mat. Give the file that `tapetum embed` has written."
        )
    vectors, crops = read_matlab_features(folder)
    return Features(vectors, [CropRow(c.path, c.person, c.camera, c.modality, c.time) for c in crops], folder)


def _from_numpy(source: Path, table: Path | None) -> Features:
    try:
        loaded = np.load(source, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return Features(_numbers(loaded, source), read_crop_rows(_beside(source, table)), source)
        members = {name: loaded[name] for name in loaded.files}
    except _BROKEN_FILE as error:
        # NumPy takes whatever it does not know for a pickle, and says how to load it.
        reason = "no NumPy file, or pickled objects" if "allow_pickle" in str(error) else error
        raise EmbeddingError(
            f"{source} cannot be read as numbers ({reason}). Save it with numpy.save or numpy.savez; pickled objects"
            " are never loaded."
        ) from error
    several = [name for name, value in members.items() if value.ndim == 2]
    if len(several) != 1:
        raise EmbeddingError(
            f"{source} has {len(several)} members of shape (number, dimensions) among {', '.join(members) or 'none'}."
            " Expected one."
        )
    vectors = _numbers(members[several[0]], source)
    columns = {name: members[name] for name in COLUMNS if name in members}
    if not columns:
        return Features(vectors, read_crop_rows(_beside(source, table)), source)
    if table is not None:
        raise EmbeddingError(f"{source} holds {', '.join(columns)} itself. Leave the table {table} out.")
    flat = [name for name, values in columns.items() if values.ndim != 1]
    if flat:
        raise EmbeddingError(f"{source}: the member '{flat[0]}' is no column. Expected one value per vector.")
    return Features(vectors, crop_rows({name: column.tolist() for name, column in columns.items()}, source), source)


def _beside(source: Path, table: Path | None) -> Path:
    found = [path for path in (source.with_suffix(suffix) for suffix in SUFFIXES) if path.is_file()]
    if table is None and len(found) != 1:
        listed = " or ".join(source.with_suffix(suffix).name for suffix in SUFFIXES)
        several = f"{len(found)} tables beside it" if found else "no table beside it"
        raise EmbeddingError(
            f"{source} has {several} to say whose its vectors are. Put {listed} there (columns {', '.join(COLUMNS)}),"
            " or name one with --table."
        )
    return table or found[0]


def _numbers(values: NDArray[Any], source: Path) -> VectorRows:
    if values.dtype.kind not in "fiu" or values.dtype.itemsize > 8 or values.ndim != 2:
        raise EmbeddingError(
            f"{source} holds {values.dtype} of shape {values.shape}. Expected (number, dimensions) of float16, float32,"
            " float64 or whole numbers."
        )
    if values.dtype.kind == "f" and values.dtype.itemsize > 2:
        return values
    return values.astype(np.float32 if values.dtype.kind == "f" else np.float64)


def _from_parquet(source: Path) -> Features:
    try:
        opened = pq.ParquetFile(source)
    except (pa.ArrowException, OSError) as error:
        raise EmbeddingError(f"{source} is not a readable Parquet file. Make it again with `tapetum embed`.") from error
    with opened:
        schema = opened.schema_arrow
        if "vector" not in schema.names:
            raise EmbeddingError(
                f"{source} has no column 'vector'. Expected lists of numbers there; found {', '.join(schema.names)}."
            )
        wanted = [name for name in COLUMNS if name in schema.names]
        try:
            read = opened.read(columns=wanted)
            rows = crop_rows({name: read[name].to_pylist() for name in wanted}, source)
            record = json.loads((schema.metadata or {}).get(b"tapetum", b"{}"))
            vectors = _stacked(opened, rows, source)
        except (pa.ArrowException, OSError, json.JSONDecodeError) as error:
            raise EmbeddingError(f"{source} is damaged ({error}). Make it again with `tapetum embed`.") from error
    if not isinstance(record, dict):
        raise EmbeddingError(f"{source}: its record holds no names. Make it again with `tapetum embed`.")
    return Features(vectors, rows, source, record)


def _stacked(opened: pq.ParquetFile, rows: Sequence[CropRow], source: Path) -> VectorRows:
    """The column `vector` as one array, filled a batch at a time."""
    vectors: VectorRows = np.empty((0, 0))
    start = 0
    for batch in opened.iter_batches(_ROWS_AT_ONCE, columns=["vector"]):
        lists = batch.column(0)
        lengths = _lengths(lists)
        dimension = vectors.shape[1] if start else int(lengths.max(initial=0))
        flat = lists.flatten()
        wrong = np.flatnonzero(lengths != dimension)
        if not len(wrong) and flat.null_count:
            wrong = np.array([flat.is_null().index(True).as_py() // dimension])
        if len(wrong):
            row = start + int(wrong[0])
            raise EmbeddingError(
                f"{source}: the vector of row {row + 1} ({rows[row].path}) has not {dimension} numbers, as others have."
            )
        part = _numbers(flat.to_numpy(zero_copy_only=False).reshape(len(lists), dimension), source)
        if not start:
            vectors = np.empty((len(rows), dimension), dtype=part.dtype)
        vectors[start : start + len(part)] = part
        start += len(part)
    return vectors


def _lengths(lists: pa.Array) -> NDArray[np.int64]:
    """How many numbers each list holds; -1 where there is no list."""
    kind = lists.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise pa.ArrowTypeError(f"the column 'vector' holds {kind}, and lists of numbers are expected")
    lengths: NDArray[np.int64] = pc.fill_null(pc.list_value_length(lists), -1).to_numpy().astype(np.int64)
    return lengths
