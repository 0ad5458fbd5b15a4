"""The default store: Qdrant Edge in this process takes the first look, the segments score and have the last word.

    exact look        every vector in half precision, half the bytes of float32:
                      |q^ . g^ - q . g| <= 2^-9 + (D + 4) 2^-23 for unit q, g, each value of both rounded within 2^-10
    approximate look  every vector in four bits a value (TurboQuant), an eighth of the bytes of float32; ten times as
                      many rows as are asked for are then scored from the segments

The approximate look has no graph (HNSW): its recall does not depend on how the vectors lie, and it is made in seconds
where a graph takes minutes. The index holds ids and vectors alone. A filtered search is answered by the segments, which
read the admitted rows alone: payload filters in the index were no faster, and filling them slowed ingest fivefold.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import qdrant_edge as edge

from tapetum.core import FloatArray, IntArray, VectorArray
from tapetum.gallery.indexed_store import EXACT_UP_TO, IndexedStore
from tapetum.gallery.segments import UNIT_WITHIN, Segments
from tapetum.gallery.store import Filter, GalleryRow
from tapetum.gallery.vector_index import IndexUnusableError

_AT_ONCE = 2_000
_SETTLED_FROM = 50_000
"""Rows that are worth the time of `settle`, and a quarter of all rows at least."""
_ROOM = 64 << 20
_SCROLLED_AT_ONCE = 10_000


def open_edge_store(segments: Segments, folder: Path, *, exact_up_to: int = EXACT_UP_TO) -> IndexedStore:
    """The store of a gallery whose index lies in `folder`."""
    return IndexedStore(
        segments, EdgeIndex(folder / "edge", segments.dimension), folder / "edge.json", exact_up_to=exact_up_to
    )


class EdgeIndex:
    """A VectorIndex in one Qdrant Edge shard, which belongs to this process."""

    def __init__(self, folder: Path, dimension: int) -> None:
        self._folder = folder
        self._dimension = dimension
        self._shard: edge.EdgeShard | None = None
        self.error = 2.0**-9 + (dimension + 4) * 2.0**-23 + 2 * UNIT_WITHIN

    def clear(self) -> None:
        """Remove the shard and begin another."""
        self.close()
        with _told():
            if self._folder.exists():
                shutil.rmtree(self._folder)
            self._folder.mkdir(parents=True)
            self._shard = edge.EdgeShard.create(str(self._folder), _config(self._dimension))

    def load(self) -> None:
        """Open the shard that is there."""
        with _told():
            self._shard = edge.EdgeShard.load(str(self._folder))

    def put(self, rows: Sequence[GalleryRow], vectors: VectorArray) -> None:
        """Keep ids and vectors."""
        self._check_room(len(rows))
        with _told():
            for start in range(0, len(rows), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                points = [
                    edge.Point(row.id, vector) for row, vector in zip(rows[part], vectors[part].tolist(), strict=True)
                ]
                self._open.update(edge.UpdateOperation.upsert_points(points))

    def drop(self, ids: IntArray) -> None:
        """Mark the rows as deleted; their bytes stay until `clear`."""
        with _told():
            self._open.update(edge.UpdateOperation.delete_points(ids.tolist()))

    def ids(self) -> IntArray:
        """Read through the shard."""
        found: list[edge.PointId] = []
        offset = None
        with _told():
            while True:
                request = edge.ScrollRequest(offset, _SCROLLED_AT_ONCE, with_payload=False, with_vector=False)
                records, offset = self._open.scroll(request)
                found += [record.id for record in records]
                if offset is None:
                    return np.sort(np.array(found, dtype=np.int64))

    def __len__(self) -> int:
        with _told():
            return self._open.count(edge.CountRequest(exact=True))

    def handles(self, among: Filter) -> bool:
        """Only unfiltered searches."""
        return among.everything

    def approximates(self) -> bool:
        """Whether vectors in four bits are there."""
        with _told():
            return self._open.info().indexed_vectors_count > 0

    def nearest(
        self, unit: FloatArray, limit: int, among: Filter, *, approximate: bool
    ) -> tuple[IntArray, VectorArray]:
        """Compare every vector, in half precision or in four bits."""
        params = edge.SearchParams(
            exact=not approximate, quantization=edge.QuantizationSearchParams(ignore=not approximate, rescore=False)
        )
        request = edge.QueryRequest(limit, query=edge.Query.Nearest(unit.tolist()), params=params)
        with _told():
            found = self._open.query(request)
        ids = np.array([point.id for point in found], dtype=np.int64)
        return ids, np.array([point.score for point in found], dtype=np.float32)

    def settle(self) -> None:
        """Make the vectors in four bits, where enough rows lack them and the disk has room for a copy."""
        with _told():
            info = self._open.info()
            plain = info.points_count - info.indexed_vectors_count
            copy = 3 * info.points_count * self._dimension
            if plain >= max(_SETTLED_FROM, info.points_count // 4) and self._free() > copy + _ROOM:
                self._open.optimize()

    def flush(self) -> None:
        """Wait for the disk."""
        with _told():
            self._open.flush()

    def close(self) -> None:
        """Close the shard, if it is open."""
        shard, self._shard = self._shard, None
        if shard is not None:
            with _told():
                shard.close()

    @property
    def _open(self) -> edge.EdgeShard:
        if self._shard is None:
            raise IndexUnusableError("the shard is not open")
        return self._shard

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _check_room(self, rows: int) -> None:
        """The shard grows through memory maps: on a full disk the system would end the process without a word."""
        if self._free() < 4 * rows * self._dimension + _ROOM:
            raise IndexUnusableError(f"{self._folder} has no room for {rows} more rows")


def _config(dimension: int) -> edge.EdgeConfig:
    return edge.EdgeConfig(
        vectors=edge.EdgeVectorParams(dimension, edge.Distance.Dot, datatype=edge.VectorStorageDatatype.Float16),
        hnsw_config=edge.HnswIndexConfig(m=0, ef_construct=16, full_scan_threshold=1),
        quantization_config=edge.TurboQuantQuantizationConfig(bits=edge.TurboQuantBitSize.Bits4),
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=2),
        wal_enabled=False,
    )


@contextmanager
def _told() -> Iterator[None]:
    """Any failure of the engine, a panic of its code included, as IndexUnusableError."""
    try:
        yield
    except (IndexUnusableError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic is no Exception
        raise IndexUnusableError(f"{type(error).__name__}: {error}") from error
