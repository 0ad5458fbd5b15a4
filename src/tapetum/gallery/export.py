"""A gallery as a file: its rows with vectors (Parquet, as `tapetum embed` writes it) or without (CSV)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tapetum.core import VectorArray
from tapetum.errors import OutputError
from tapetum.gallery.gallery import Gallery
from tapetum.gallery.store import GalleryRow
from tapetum.outputs import atomic_file, check_place, made_by

_COLUMNS = ("id", "path", "person", "camera", "site", "modality", "time", "content")
_TYPES = {"id": pa.int64(), "person": pa.int64(), "time": pa.timestamp("us")}


def export(gallery: Gallery, output: Path) -> int:
    """Write every living row to `output`, .parquet or .csv, some thousands at a time; returns how many."""
    check_place(output)
    if output.suffix.lower() not in (".parquet", ".csv"):
        raise OutputError(f"{output} ends in neither .parquet (with vectors) nor .csv (without). Name it so.")
    with atomic_file(output) as temporary:
        return _parquet(gallery, temporary) if output.suffix.lower() == ".parquet" else _csv(gallery, temporary)


def _parquet(gallery: Gallery, path: Path) -> int:
    dimension = gallery.facts.dimension
    size = gallery.facts.size or (None, None)
    record = made_by(
        fingerprint=gallery.facts.fingerprint,
        dataset="gallery",
        title=f"gallery {gallery.folder.name}",
        height=size[0],
        width=size[1],
        root="",
        split="all",
        options={},
    )
    fields = [(name, _TYPES.get(name, pa.string())) for name in _COLUMNS]
    schema = pa.schema([*fields, ("vector", pa.list_(pa.float32(), dimension))], {b"tapetum": json.dumps(record)})
    count = 0
    with pq.ParquetWriter(path, schema) as writer:
        for rows, vectors in gallery.segments.parts():
            writer.write_table(_table(rows, vectors, schema))
            count += len(rows)
    return count


def _table(rows: list[GalleryRow], vectors: VectorArray, schema: pa.Schema) -> pa.Table:
    columns = [pa.array([getattr(row, name) for row in rows], schema.field(name).type) for name in _COLUMNS]
    flat = pa.array(vectors.reshape(-1))
    return pa.table([*columns, pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])], schema=schema)


def _csv(gallery: Gallery, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(_COLUMNS)
        for rows, _ in gallery.segments.parts():
            for row in rows:
                time = row.time.isoformat() if row.time else None
                facts = {"modality": row.modality.value, "time": time}
                writer.writerow([facts.get(name, getattr(row, name)) for name in _COLUMNS])
            count += len(rows)
    return count
