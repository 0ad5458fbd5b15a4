"""The store for more crops than one machine holds: a Qdrant cluster takes the first look, the segments score.

Vectors, ids and what filters ask for (camera, site, modality, person, time) go to one collection, with a payload index
for each; pictures, thumbnails and paths stay in the gallery's folder. The cluster compares float32 vectors, so
|figure - cosine| <= (D + 4) 2^-23 + 2e-5. Its approximate look is its own graph (HNSW).

The address is read from TAPETUM_QDRANT_URL, a key from TAPETUM_QDRANT_API_KEY; neither is written into the gallery.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np

from tapetum.core import FloatArray, IntArray, VectorArray
from tapetum.errors import GalleryError
from tapetum.gallery.indexed_store import EXACT_UP_TO, IndexedStore
from tapetum.gallery.segments import UNIT_WITHIN, Segments
from tapetum.gallery.store import Filter, GalleryRow
from tapetum.gallery.vector_index import IndexUnusableError
from tapetum.outputs import atomic_file

try:
    from qdrant_client import QdrantClient, models
except ImportError as missing:
    raise GalleryError(
        "the engine 'cluster' needs the package qdrant-client. Install it with `pip install 'tapetum[cluster]'`."
    ) from missing

URL, KEY = "TAPETUM_QDRANT_URL", "TAPETUM_QDRANT_API_KEY"
_AT_ONCE = 1_000
_SCROLLED_AT_ONCE = 10_000
_BEGINNING = datetime(1970, 1, 1)
_FIELDS = {
    "camera": models.PayloadSchemaType.KEYWORD,
    "site": models.PayloadSchemaType.KEYWORD,
    "modality": models.PayloadSchemaType.KEYWORD,
    "person": models.PayloadSchemaType.INTEGER,
    "time": models.PayloadSchemaType.INTEGER,
}


def open_cluster_store(
    segments: Segments, folder: Path, client: QdrantClient | None = None, *, exact_up_to: int = EXACT_UP_TO
) -> IndexedStore:
    """The store of a gallery whose collection's name lies in `folder`; without a client, that of the environment.

    Raises GalleryError where no address is given.
    """
    if client is None:
        url = os.environ.get(URL)
        if not url:
            raise GalleryError(
                f"the engine 'cluster' needs the cluster's address. Set {URL}, such as http://host:6333."
            )
        client = QdrantClient(url=url, api_key=os.environ.get(KEY))
    index = ClusterIndex(client, _collection(folder / "collection"), segments.dimension)
    return IndexedStore(segments, index, folder / "cluster.json", exact_up_to=exact_up_to)


class ClusterIndex:
    """A VectorIndex in one collection of a Qdrant cluster."""

    def __init__(self, client: QdrantClient, collection: str, dimension: int) -> None:
        self._client = client
        self._collection = collection
        self._dimension = dimension
        self._remote = client.init_options.get("location") != ":memory:"
        self.error = (dimension + 4) * 2.0**-23 + 2 * UNIT_WITHIN

    def clear(self) -> None:
        """Remove the collection and begin another of its name."""
        with _told():
            self._client.delete_collection(self._collection)
            self._client.create_collection(
                self._collection, models.VectorParams(size=self._dimension, distance=models.Distance.DOT)
            )
            if self._remote:  # a client that holds everything itself has no indexes
                for field, schema in _FIELDS.items():
                    self._client.create_payload_index(self._collection, field, schema, wait=True)

    def load(self) -> None:
        """See that the collection is there."""
        with _told():
            if not self._client.collection_exists(self._collection):
                raise IndexUnusableError(f"the cluster has no collection {self._collection}")

    def put(self, rows: Sequence[GalleryRow], vectors: VectorArray) -> None:
        """Keep ids, vectors and what filters ask for."""
        with _told():
            for start in range(0, len(rows), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                points = [
                    models.PointStruct(id=row.id, vector=vector, payload=_payload(row))
                    for row, vector in zip(rows[part], vectors[part].tolist(), strict=True)
                ]
                self._client.upsert(self._collection, points, wait=True)

    def drop(self, ids: IntArray) -> None:
        """Delete the points."""
        with _told():
            self._client.delete(self._collection, models.PointIdsList(points=ids.tolist()), wait=True)

    def ids(self) -> IntArray:
        """Read through the collection."""
        found: list[int] = []
        offset = None
        with _told():
            while True:
                records, offset = self._client.scroll(
                    self._collection, limit=_SCROLLED_AT_ONCE, offset=offset, with_payload=False, with_vectors=False
                )
                found += [int(record.id) for record in records]
                if offset is None:
                    return np.sort(np.array(found, dtype=np.int64))

    def __len__(self) -> int:
        with _told():
            return self._client.count(self._collection, exact=True).count

    def handles(self, among: Filter) -> bool:
        """Every filter."""
        return True

    def approximates(self) -> bool:
        """Whether the cluster has made its graph."""
        with _told():
            return bool(self._client.get_collection(self._collection).indexed_vectors_count)

    def nearest(
        self, unit: FloatArray, limit: int, among: Filter, *, approximate: bool
    ) -> tuple[IntArray, VectorArray]:
        """Ask the cluster."""
        with _told():
            found = self._client.query_points(
                self._collection,
                query=unit.tolist(),
                query_filter=_condition(among),
                limit=limit,
                search_params=models.SearchParams(exact=not approximate) if self._remote else None,
                with_payload=False,
            ).points
        ids = np.array([int(point.id) for point in found], dtype=np.int64)
        return ids, np.array([point.score for point in found], dtype=np.float32)

    def settle(self) -> None:
        """The cluster makes its graph by itself."""

    def flush(self) -> None:
        """Every change was waited for."""

    def close(self) -> None:
        """Close the connection; a client in this process keeps what it holds for the next opening."""
        if self._remote:
            with _told():
                self._client.close()


def _collection(path: Path) -> str:
    """The collection's name, chosen once: no two galleries of a cluster share one."""
    if not path.is_file():
        with atomic_file(path) as temporary:
            temporary.write_text(f"tapetum-{uuid.uuid4().hex}\n", encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


def _payload(row: GalleryRow) -> dict[str, str | int]:
    known = {
        "camera": row.camera,
        "site": row.site,
        "modality": row.modality.value,
        "person": row.person,
        "time": None if row.time is None else _microseconds(row.time),
    }
    return {name: value for name, value in known.items() if value is not None}


def _microseconds(time: datetime) -> int:
    passed = time - _BEGINNING
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def _condition(among: Filter) -> models.Filter | None:
    """The filter in the cluster's words; `without` is left to the segments."""
    chosen: dict[str, frozenset[str] | frozenset[int] | None] = {
        "camera": among.cameras,
        "site": among.sites,
        "modality": None if among.modalities is None else frozenset(light.value for light in among.modalities),
        "person": among.persons,
    }
    must: list[models.Condition] = [
        models.FieldCondition(key=field, match=models.MatchAny(any=sorted(values)))
        for field, values in chosen.items()
        if values is not None
    ]
    if among.since is not None or among.until is not None:
        since, until = (None if time is None else _microseconds(time) for time in (among.since, among.until))
        must.append(models.FieldCondition(key="time", range=models.Range(gte=since, lt=until)))
    return models.Filter(must=must) if must else None


@contextmanager
def _told() -> Iterator[None]:
    """Any failure of the client or the cluster as IndexUnusableError."""
    try:
        yield
    except IndexUnusableError:
        raise
    except Exception as error:  # the client passes on whatever its transports raise
        raise IndexUnusableError(f"{type(error).__name__}: {error}") from error
