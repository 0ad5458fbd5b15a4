"""One segment of a gallery on disk: vectors, rows and their checksums; written once, read through memory maps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tapetum.core import IntArray, Modality, VectorArray
from tapetum.errors import GalleryError
from tapetum.gallery.store import Filter, GalleryRow
from tapetum.outputs import atomic_file, write_json

_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("path", pa.string()),
        ("person", pa.int64()),
        ("camera", pa.string()),
        ("site", pa.string()),
        ("modality", pa.string()),
        ("time", pa.timestamp("us")),
        ("content", pa.string()),
        ("thumbnail", pa.large_binary()),  # a plain one holds at most 2 GB
    ]
)
AT_ONCE = 8_192
"""Rows that are read at a time."""
_SUFFIXES = (".json", ".vectors", ".rows")  # the record goes first: without it the others are nothing

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class _Facet:
    """One column as codes: `codes` (N,) into `names`; -1 where nothing is known."""

    names: tuple[Any, ...]
    codes: NDArray[np.int32]

    def allowed(self, wanted: Iterable[Any] | None) -> BoolArray | None:
        """(N,): whose value is wanted; None when every value is."""
        if wanted is None:
            return None
        chosen = set(wanted)
        table = np.array([*(name in chosen for name in self.names), None in chosen], dtype=bool)
        return np.asarray(table[self.codes])  # code -1 reads the last place


@dataclass(frozen=True)
class Segment:
    """A segment in memory: (N, D) vectors and the rows, both mapped from disk, and which rows live.

    by_id: (N,) places in the order of ids.   live: (N,).   times: (N,) datetime64[us], NaT where unknown.
    """

    name: str
    vectors: VectorArray
    table: pa.Table
    ids: IntArray
    by_id: IntArray
    live: BoolArray
    times: NDArray[np.datetime64]
    cameras: _Facet
    sites: _Facet
    modalities: _Facet
    persons: _Facet

    def rows(self, places: IntArray) -> list[GalleryRow]:
        """What is known about some rows."""
        known = self.table.drop_columns("thumbnail").take(pa.array(places)).to_pylist()
        return [GalleryRow(**{**row, "modality": Modality(row["modality"])}) for row in known]

    def places(self, ids: IntArray) -> IntArray:
        """(n,): where the living rows of these ids stand, in the order of ids; unknown ids are passed over."""
        wanted = np.unique(ids)
        at = np.searchsorted(self.ids, wanted, sorter=self.by_id)
        inside = at < len(self.ids)
        places = self.by_id[at[inside]]
        living: IntArray = places[(self.ids[places] == wanted[inside]) & self.live[places]]
        return living

    def thumbnail(self, place: int) -> bytes | None:
        """The small JPEG of one row, if it has one."""
        found: bytes | None = self.table["thumbnail"][place].as_py()
        return found

    def admitted(self, among: Filter) -> BoolArray:
        """(N,): which live rows a filter admits."""
        admitted = self.live.copy()
        for facet, wanted in (
            (self.cameras, among.cameras),
            (self.sites, among.sites),
            (self.modalities, None if among.modalities is None else {m.value for m in among.modalities}),
            (self.persons, among.persons),
        ):
            allowed = facet.allowed(wanted)
            if allowed is not None:
                admitted &= allowed
        if among.since is not None:
            admitted &= self.times >= np.datetime64(among.since)  # NaT is neither before nor after
        if among.until is not None:
            admitted &= self.times < np.datetime64(among.until)
        if among.without:
            admitted[self.places(np.fromiter(among.without, dtype=np.int64))] = False
        return admitted

    def without(self, deleted: Sequence[int]) -> Segment:
        """The same segment with these places, and no others, deleted. Raises IndexError for a place that is not."""
        live = np.ones(len(self.ids), dtype=bool)
        live[list(deleted)] = False
        return replace(self, live=live)


def table_of(rows: Sequence[GalleryRow], thumbnails: Sequence[bytes | None]) -> pa.Table:
    """Rows as a segment keeps them."""
    columns = {
        column: pa.array([getattr(row, column) for row in rows], _SCHEMA.field(column).type)
        for column in _SCHEMA.names[:-1]
    }
    return pa.table({**columns, "thumbnail": pa.array(thumbnails, pa.large_binary())}, schema=_SCHEMA)


def write_segment(folder: Path, name: str, table: pa.Table, vectors: Iterable[VectorArray]) -> None:
    """Write one segment; `vectors` come in parts, (n, D) each. Nothing refers to it before the manifest does."""
    digest = hashlib.sha256()
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / f"{name}.vectors") as temporary, temporary.open("wb") as file:
        for part in vectors:
            plain = np.ascontiguousarray(part, dtype="<f4").data
            digest.update(plain)
            file.write(plain)
    with atomic_file(folder / f"{name}.rows") as temporary:
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
            writer.write_table(table.combine_chunks())  # one batch, so that a row is read from the map by its place
        checksums = {"vectors": digest.hexdigest(), "rows": sha256(temporary)}
    write_json(folder / f"{name}.json", {"rows": len(table), "sha256": checksums})


def living_rows(segments: Sequence[Segment]) -> tuple[pa.Table, Iterator[VectorArray]]:
    """The living rows of some segments as one: rows of one view together, the vectors some thousands at a time."""
    kept = [np.flatnonzero(segment.live) for segment in segments]
    source = np.repeat(np.arange(len(segments)), [len(places) for places in kept])
    places = np.concatenate(kept)
    table = pa.concat_tables([segment.table.take(pa.array(part)) for segment, part in zip(segments, kept, strict=True)])
    keys = [("modality", "ascending"), ("camera", "ascending")]
    order = pc.sort_indices(table.select(["modality", "camera"]), sort_keys=keys).to_numpy()

    def vectors() -> Iterator[VectorArray]:
        for start in range(0, len(order), AT_ONCE):
            part = order[start : start + AT_ONCE]
            block = np.empty((len(part), segments[0].vectors.shape[1]), dtype=np.float32)
            for number in np.unique(source[part]).tolist():
                here = source[part] == number
                block[here] = segments[number].vectors[places[part[here]]]
            yield block

    return table.take(pa.array(order)), vectors()


def load_segment(folder: Path, name: str, dimension: int, deleted: Sequence[int]) -> Segment:
    """Map one segment. Raises GalleryError for a file that is missing, of another length, or not readable."""
    record = read_record(folder, name)
    count = record["rows"]
    vectors_path, rows_path = folder / f"{name}.vectors", folder / f"{name}.rows"
    try:
        size = vectors_path.stat().st_size
        if size != 4 * dimension * count:
            raise GalleryError(
                f"{vectors_path} has {size} bytes, and {count} vectors of {dimension} values need"
                f" {4 * dimension * count}. Restore the file from a backup, or index the pictures again."
            )
        mapped = np.memmap(vectors_path, dtype="<f4", mode="r", shape=(count, dimension))
        table = pa.ipc.open_file(pa.memory_map(str(rows_path))).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise GalleryError(f"{rows_path} cannot be read ({error}). Restore it from a backup.") from error
    if table.schema != _SCHEMA or len(table) != count:
        raise GalleryError(f"{rows_path} does not hold the {count} rows of a segment. Restore it from a backup.")
    ids = table["id"].to_numpy()
    segment = Segment(
        name=name,
        vectors=np.asarray(mapped),
        table=table,
        ids=ids,
        by_id=np.argsort(ids, kind="stable"),
        live=np.ones(count, dtype=bool),
        times=table["time"].to_numpy().astype("datetime64[us]"),
        cameras=_facet(table["camera"]),
        sites=_facet(table["site"]),
        modalities=_facet(table["modality"]),
        persons=_facet(table["person"]),
    )
    try:
        return segment.without(deleted) if deleted else segment
    except IndexError as error:
        raise GalleryError(f"{rows_path} lacks rows that were deleted from it ({error}). Restore a backup.") from error


def read_record(folder: Path, name: str) -> dict[str, Any]:
    """The segment's own JSON: {"rows": N, "sha256": {"vectors": ..., "rows": ...}}. Raises GalleryError."""
    path = folder / f"{name}.json"
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record["rows"], int) or set(record["sha256"]) != {"vectors", "rows"}:
            raise ValueError("it has other entries than a segment's record")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GalleryError(f"{path} cannot be read ({error}). Restore it from a backup.") from error
    return record


def damaged_files(folder: Path, name: str) -> list[Path]:
    """The files of a segment whose bytes are not those that were written."""
    record = read_record(folder, name)
    paths = {kind: folder / f"{name}.{kind}" for kind in ("vectors", "rows")}
    return [path for kind, path in paths.items() if not path.is_file() or sha256(path) != record["sha256"][kind]]


def remove_segment(folder: Path, name: str) -> None:
    """Remove the files of a segment that no manifest names."""
    for suffix in _SUFFIXES:
        (folder / f"{name}{suffix}").unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The checksum of a file, read in parts."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facet(column: pa.ChunkedArray) -> _Facet:
    coded = column.combine_chunks().dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return _Facet(tuple(coded.dictionary.to_pylist()), codes)
