"""What a gallery's store promises: rows with vectors are kept until they are deleted, and found by likeness and filter.

Three stores keep the promise, held to one suite of tests: `exact_store` (NumPy over the segments), `edge_store` (Qdrant
Edge in this process) and `cluster_store` (a Qdrant cluster).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from tapetum.core import FloatArray, IntArray, Modality, VectorArray
from tapetum.errors import RecipeError

How = Literal["exact", "approximate"]


@dataclass(frozen=True, slots=True)
class GalleryRow:
    """What is known about one crop of a gallery.

    id: > 0, given once and never again.   path: where the picture lay when it came in.
    person: the identity, where somebody has told it.   site: the place of the camera, if told.
    time: without a time zone: all times of a gallery are read off one clock.
    content: BLAKE2b-128 of the picture's bytes in hex; "" where only a vector came in.
    """

    id: int
    path: str
    person: int | None
    camera: str
    site: str | None
    modality: Modality
    time: datetime | None
    content: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows may answer; None means every value, an empty set means no row.

    since, until: since <= time < until, without a time zone; a row without a time passes neither.
    without: ids that must not answer.
    Raises RecipeError for a time with a time zone.
    """

    cameras: frozenset[str] | None = None
    sites: frozenset[str] | None = None
    modalities: frozenset[Modality] | None = None
    persons: frozenset[int] | None = None
    since: datetime | None = None
    until: datetime | None = None
    without: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        for time in (self.since, self.until):
            if time is not None and time.tzinfo is not None:
                raise RecipeError(f"the time {time.isoformat()} has a time zone. Give it by the gallery's own clock.")

    def admits(self, row: GalleryRow) -> bool:
        """Whether this row may answer."""
        chosen = (
            (self.cameras, row.camera),
            (self.sites, row.site),
            (self.modalities, row.modality),
            (self.persons, row.person),
        )
        return (
            all(allowed is None or value in allowed for allowed, value in chosen)
            and (self.since is None or (row.time is not None and self.since <= row.time))
            and (self.until is None or (row.time is not None and row.time < self.until))
            and row.id not in self.without
        )

    @property
    def everything(self) -> bool:
        """Whether no row is kept out but those named in `without`."""
        return all(
            value is None for value in (self.cameras, self.sites, self.modalities, self.persons, self.since, self.until)
        )


@dataclass(frozen=True)
class Answer:
    """The rows nearest to one query, best first, equal scores by ascending id.

    ids: (n,), n <= k.   scores: (n,) cosine in [-1, 1].   how: "exact" when every admitted row was compared.
    """

    ids: IntArray
    scores: FloatArray
    how: How


class GalleryStore(Protocol):
    """Rows kept and searched. Every store writes the segments first: they are the truth, and its index follows them."""

    def add(self, rows: Sequence[GalleryRow], vectors: VectorArray, thumbnails: Sequence[bytes | None]) -> None:
        """Keep rows with their vectors (N, D) of unit length; a row whose id lives already takes its place.

        On disk when it returns. Raises EmbeddingError for vectors that do not fit, and keeps none of them then.
        """

    def delete(self, ids: Sequence[int]) -> int:
        """These rows answer no more; ids that do not live are passed over. Returns how many lived.

        Their bytes stay on disk until `compact`.
        """

    def forget(self, ids: Sequence[int]) -> int:
        """Delete these rows and every byte of them, in the segments and in the index. Returns how many lived.

        Where the process is killed in between, the next opening completes it. Bytes of rows that were deleted before
        go as well.
        """

    def compact(self) -> int:
        """Remove the bytes of deleted rows, in the segments and in the index; returns how many rows that were."""

    def rebuild(self) -> None:
        """Make the index anew from the segments; rows answer meanwhile."""

    def search(self, queries: VectorArray, k: int, among: Filter, *, approximate: bool = False) -> list[Answer]:
        """The k nearest admitted rows for each query (Q, D). `approximate` allows an index that may miss some.

        Raises EmbeddingError for queries that do not fit, RecipeError for a k below 1.
        """

    def count(self, among: Filter) -> int:
        """How many rows are admitted."""

    def close(self) -> None:
        """Let go of files and connections; nothing acknowledged is lost without it."""
