"""What an index of a gallery's vectors promises: a first look at which rows are near a query.

An index is never the truth. Its figures say which rows to score from the segments, it can be removed at any time, and
what it cannot answer the segments answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tapetum.core import FloatArray, IntArray, VectorArray
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import Filter, GalleryRow


class IndexUnusableError(Exception):
    """The index cannot be read, written or reached; the segments answer in its place."""


class VectorIndex(Protocol):
    """Vectors by id, found by likeness. Every method raises IndexUnusableError where the engine fails.

    error: the most by which a figure of `nearest` may differ from the cosine, where it compares every row.
    """

    error: float

    def clear(self) -> None:
        """Begin anew with no row."""

    def load(self) -> None:
        """Open what stands there."""

    def put(self, rows: Sequence[GalleryRow], vectors: VectorArray) -> None:
        """Keep these rows; one whose id is there already takes its place."""

    def drop(self, ids: IntArray) -> None:
        """Remove these rows; unknown ids are passed over."""

    def ids(self) -> IntArray:
        """Every id that is there, ascending."""

    def __len__(self) -> int:
        """How many rows are there."""

    def handles(self, among: Filter) -> bool:
        """Whether `nearest` can keep to this filter (`without` apart)."""

    def approximates(self) -> bool:
        """Whether a look at part of the vectors, or at shortened ones, is there to be asked."""

    def nearest(
        self, unit: FloatArray, limit: int, among: Filter, *, approximate: bool
    ) -> tuple[IntArray, VectorArray]:
        """Ids and rough scores of the `limit` nearest rows, best first; `without` is not looked at."""

    def settle(self) -> None:
        """Put what was added into its quickest form; takes time."""

    def flush(self) -> None:
        """Have everything on disk."""

    def close(self) -> None:
        """Let go of files and connections."""


def catch_up(index: VectorIndex, segments: Segments, since: int) -> None:
    """Bring an index that knows the segments up to generation `since` to the present one.

    Raises IndexUnusableError where rows are missing all the same.
    """
    for rows, vectors in segments.parts(since):
        index.put(rows, vectors)
    here, living = index.ids(), segments.live_ids()
    index.drop(np.setdiff1d(here, living))
    if len(np.setdiff1d(living, here)):
        raise IndexUnusableError("the index lacks rows of the segments")
