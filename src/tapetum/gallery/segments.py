"""The source of truth of a gallery: append-only segments with checksums, and one manifest that says which rows live.

    segments/000001.vectors   (N, D) float32, row by row, memory-mapped
    segments/000001.rows      an Arrow file, memory-mapped: what is known about each row, and its thumbnail
    segments/000001.json      number of rows, and the SHA-256 of both files
    manifest.json             the live segments with the places of their deleted rows, the next id, the generation

Every file is written under another name, flushed to disk and renamed; replacing the manifest is the one moment at which
a change happens. A segment that no manifest names is what a killed process left, and is removed at the next opening.
Deleted rows are hidden from that moment on; `compact` then removes their bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tapetum.core import IntArray, VectorArray
from tapetum.errors import EmbeddingError, GalleryError, OutputError
from tapetum.gallery.manifest import MANIFEST, Entry, Manifest, read_manifest, write_manifest
from tapetum.gallery.segment_files import (
    AT_ONCE,
    Segment,
    damaged_files,
    living_rows,
    load_segment,
    remove_segment,
    table_of,
    write_segment,
)
from tapetum.gallery.store import Filter, GalleryRow

ROWS_AT_MOST = 65_536
"""A segment is never longer, so that a rewrite stays small beside a gallery."""
_BYTES_AT_MOST = 1 << 28
"""Rows and thumbnails of one merge, which stand in memory together."""
_MANY_SEGMENTS, _WORTH_A_MERGE = 8, 4
UNIT_WITHIN = 1e-5
"""How far from 1 a vector's length may be: what rounding in float32 leaves."""


class Segments:
    """The rows of a gallery on disk, for one process that writes and its threads that read.

    A reader takes `view` once and works on it: a change puts a new tuple in its place and leaves the old one whole.
    Changes hold `changing`; a store holds it around a change of the segments and of its index.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._files = folder / "segments"
        self.changing = threading.RLock()
        self.manifest = manifest
        self._remove_strangers()
        self.view: tuple[Segment, ...] = tuple(
            load_segment(self._files, entry.name, manifest.dimension, entry.deleted) for entry in manifest.entries
        )

    @classmethod
    def create(cls, folder: Path, dimension: int) -> Segments:
        """Begin with no rows. Raises GalleryError where segments are already."""
        if (folder / MANIFEST).exists():
            raise GalleryError(f"{folder} holds a gallery already. Give another folder.")
        manifest = Manifest(dimension)
        write_manifest(folder, manifest)
        return cls(folder, manifest)

    @classmethod
    def open(cls, folder: Path) -> Segments:
        """Open what `create` began. Raises GalleryError for a manifest or a segment that is missing or damaged."""
        return cls(folder, read_manifest(folder))

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.manifest.dimension

    def __len__(self) -> int:
        return sum(int(np.count_nonzero(segment.live)) for segment in self.view)

    def add(self, rows: Sequence[GalleryRow], vectors: VectorArray, thumbnails: Sequence[bytes | None]) -> None:
        """Append rows; a row whose id lives already takes its place. On disk when it returns, all or none.

        Raises EmbeddingError for vectors of other dimensions, not finite or not of unit length, and GalleryError for
        ids that are repeated or below 1, times with a time zone, and where the disk takes no more.
        """
        if not rows:
            return
        self._check(rows, vectors, len(thumbnails))
        # Rows of one view stand together, so that a filter's rows are read from the disk's map in long runs.
        order = sorted(range(len(rows)), key=lambda row: (rows[row].modality, rows[row].camera))
        with self._changing():
            entries = self._without([row.id for row in rows])
            number, generation = self.manifest.next_segment, self.manifest.generation + 1
            for start in range(0, len(rows), ROWS_AT_MOST):
                part = order[start : start + ROWS_AT_MOST]
                table = table_of([rows[row] for row in part], [thumbnails[row] for row in part])
                write_segment(self._files, f"{number:06d}", table, [vectors[part]])
                entries.append(Entry(f"{number:06d}", (), generation))
                number += 1
            next_id = max(self.manifest.next_id, max(row.id for row in rows) + 1)
            self._commit(entries, next_id=next_id, next_segment=number)
            with suppress(GalleryError), self._changing():  # the rows are on disk, merged or not
                self._merge_small()

    def delete(self, ids: Sequence[int], *, forgetting: bool = False) -> int:
        """Hide these rows for good; returns how many lived. Their bytes stay until `compact`.

        forgetting: note that `compact` has to follow, after a crash too; whoever opens the gallery sees to it.
        """
        with self._changing():
            before = len(self)
            entries = self._without(ids)
            if entries != list(self.manifest.entries) or forgetting:
                self._commit(entries, forgetting=forgetting or self.manifest.forgetting)
            return before - len(self)

    def compact(self) -> int:
        """Rewrite the segments that hold deleted rows without them; returns how many rows left the disk."""
        with self._changing():
            dead = sum(len(entry.deleted) for entry in self.manifest.entries)
            if dead or self.manifest.forgetting:
                holed = [place for place, entry in enumerate(self.manifest.entries) if entry.deleted]
                self._rewrite([[place] for place in holed], forgetting=False)
                self._remove_strangers()
            return dead

    def places(self, ids: Sequence[int] | IntArray) -> dict[int, tuple[Segment, int]]:
        """id -> its segment and place there, for the ids that live."""
        wanted = np.unique(np.asarray(ids, dtype=np.int64))
        return {
            int(segment.ids[place]): (segment, place)
            for segment in self.view
            for place in segment.places(wanted).tolist()
        }

    def vectors(self, ids: Sequence[int]) -> VectorArray:
        """(N, D): the vectors of these rows, in this order. Raises GalleryError for an id that does not live."""
        places = self.places(ids)
        missing = [number for number in ids if number not in places]
        if missing:
            raise GalleryError(f"no crop of the gallery has the id {missing[0]}. Search again: it may be deleted.")
        found = np.empty((len(ids), self.dimension), dtype=np.float32)
        for row, number in enumerate(ids):
            segment, place = places[number]
            found[row] = segment.vectors[place]
        return found

    def ids_of(self, column: Literal["content", "path"], values: Sequence[str]) -> dict[str, int]:
        """value -> id of a living row that has it, for the values that some row has."""
        wanted = pa.array(values, pa.string())
        found: dict[str, int] = {}
        for segment in self.view:
            known = segment.table[column]
            at = np.flatnonzero(pc.is_in(known, value_set=wanted).to_numpy() & segment.live)
            found.update(zip(known.take(pa.array(at)).to_pylist(), segment.ids[at].tolist(), strict=True))
        return found

    def count(self, among: Filter) -> int:
        """How many live rows a filter admits."""
        return sum(int(np.count_nonzero(segment.admitted(among))) for segment in self.view)

    def live_ids(self) -> IntArray:
        """Every living id, ascending."""
        return np.sort(np.concatenate([np.empty(0, np.int64), *(segment.ids[segment.live] for segment in self.view)]))

    def parts(self, since: int = 0) -> Iterator[tuple[list[GalleryRow], VectorArray]]:
        """The living rows and their vectors, some thousands at a time; only segments newer than generation `since`."""
        with self.changing:
            segments = list(zip(self.manifest.entries, self.view, strict=True))
        for entry, segment in segments:
            if entry.generation <= since:
                continue
            places = np.flatnonzero(segment.live)
            for start in range(0, len(places), AT_ONCE):
                part = places[start : start + AT_ONCE]
                yield segment.rows(part), np.asarray(segment.vectors[part])

    def damaged(self) -> list[Path]:
        """Files whose bytes are not those that were written: every file is read."""
        return [path for entry in self.manifest.entries for path in damaged_files(self._files, entry.name)]

    def _check(self, rows: Sequence[GalleryRow], vectors: VectorArray, thumbnails: int) -> None:
        if vectors.shape != (len(rows), self.dimension) or thumbnails != len(rows):
            raise EmbeddingError(
                f"{len(rows)} rows came with vectors of shape {vectors.shape} and {thumbnails} thumbnails, and the"
                f" gallery holds vectors of {self.dimension} values. Embed them with the gallery's own model."
            )
        ids = [row.id for row in rows]
        if len(set(ids)) != len(ids) or min(ids) < 1:
            raise GalleryError(f"the ids of {len(ids)} rows are repeated or below 1. Give each row an id of its own.")
        zoned = [row for row in rows if row.time is not None and row.time.tzinfo is not None]
        if zoned:
            raise GalleryError(f"the time of {zoned[0].path} has a time zone. Give times by one clock, without a zone.")
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
        wrong = np.flatnonzero(~(np.abs(lengths - 1) <= UNIT_WITHIN))
        if len(wrong):
            first = int(wrong[0])
            raise EmbeddingError(
                f"the vector of {rows[first].path} has length {lengths[first]:.4g}, and a gallery takes unit vectors."
                " Embed it again."
            )

    def _without(self, ids: Sequence[int]) -> list[Entry]:
        """The entries with the rows of these ids deleted."""
        gone = np.unique(np.asarray(ids, dtype=np.int64))
        kept = []
        for entry, segment in zip(self.manifest.entries, self.view, strict=True):
            places = segment.places(gone).tolist()
            kept.append(replace(entry, deleted=tuple(sorted({*entry.deleted, *places}))) if places else entry)
        return kept

    def _merge_small(self) -> None:
        """Make one segment of many of like length, so that there are few and each row is rewritten a few times."""
        tiers: dict[int, list[int]] = {}
        for place, segment in enumerate(self.view):
            tiers.setdefault(len(segment.ids).bit_length() // 3, []).append(place)
        for _, tier in sorted(tiers.items()):
            if len(tier) < _MANY_SEGMENTS:
                continue
            rows = np.cumsum([len(self.view[place].ids) for place in tier])
            size = np.cumsum([self.view[place].table.nbytes for place in tier])
            fitting = int(np.count_nonzero((rows <= ROWS_AT_MOST) & (size <= _BYTES_AT_MOST)))
            if fitting >= _WORTH_A_MERGE:
                self._rewrite([tier[:fitting]])
                return

    def _rewrite(self, groups: Sequence[Sequence[int]], **changes: bool) -> None:
        """Write the living rows of each group of segments anew, as one segment."""
        number, generation = self.manifest.next_segment, self.manifest.generation + 1
        gone = {place for group in groups for place in group}
        entries = [entry for place, entry in enumerate(self.manifest.entries) if place not in gone]
        for group in groups:
            segments = [self.view[place] for place in group if self.view[place].live.any()]
            if segments:
                table, vectors = living_rows(segments)
                write_segment(self._files, f"{number:06d}", table, vectors)
                entries.append(Entry(f"{number:06d}", (), generation))
                number += 1
        self._commit(entries, next_segment=number, **changes)

    def _commit(self, entries: Sequence[Entry], **changes: Any) -> None:
        """Replace the manifest, load what is new, and remove the segments that it names no more."""
        manifest = replace(self.manifest, generation=self.manifest.generation + 1, entries=tuple(entries), **changes)
        known = dict(zip(self.manifest.entries, self.view, strict=True))
        names = {entry.name: segment for entry, segment in known.items()}
        view = []
        for entry in manifest.entries:
            segment = known.get(entry)
            if segment is None and entry.name in names:
                segment = names[entry.name].without(entry.deleted)
            view.append(segment or load_segment(self._files, entry.name, self.dimension, entry.deleted))
        write_manifest(self._folder, manifest)
        self.manifest, self.view = manifest, tuple(view)
        with suppress(OSError):  # the change has happened; what stands is removed with the next one
            self._remove_strangers()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One change at a time; what one had begun that the disk refuses is removed, and the gallery is as before."""
        with self.changing:
            try:
                yield
            except OutputError as error:
                with suppress(OSError):
                    self._remove_strangers()
                raise GalleryError(f"{error} The gallery is as it was.") from error

    def _remove_strangers(self) -> None:
        """Remove segments that no manifest names, and files that were never finished."""
        named = {entry.name for entry in self.manifest.entries}
        strangers = sorted(path for path in self._files.glob("*") if path.stem not in named)
        for name in sorted({path.stem for path in strangers if not path.name.startswith(".")}):
            remove_segment(self._files, name)
        for path in strangers:
            path.unlink(missing_ok=True)
