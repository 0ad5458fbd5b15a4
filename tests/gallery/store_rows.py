"""Rows and vectors for the tests of the gallery's stores, and the answer that a loop over a dict gives."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from tapetum.core import Modality, VectorArray
from tapetum.gallery.store import Filter, GalleryRow

START = datetime(2024, 2, 29, 23, 59, 59, 999_999)
Kept = Mapping[int, tuple[GalleryRow, VectorArray]]


def unit_vectors(count: int, dimension: int, seed: int = 0) -> VectorArray:
    """(count, dimension) random directions."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def row(number: int, camera: int = 1, person: int | None = None, minutes: int | None = None) -> GalleryRow:
    """A crop of camera 1, 2, ...: odd ones see colours, even ones infrared; cameras 1 and 2 share a site."""
    return GalleryRow(
        id=number,
        path=f"cam{camera}/{number:06d}.jpg",
        person=person,
        camera=str(camera),
        site=None if camera > 4 else "hall" if camera < 3 else "yard",
        modality=Modality.RGB if camera % 2 else Modality.IR,
        time=None if minutes is None else START + timedelta(minutes=minutes),
        content=hashlib.blake2b(b"%d" % number, digest_size=16).hexdigest(),
    )


def rows(count: int, first: int = 1) -> list[GalleryRow]:
    """Crops of six cameras in turn, of persons in threes, a minute apart."""
    return [row(first + at, 1 + at % 6, at // 3, at) for at in range(count)]


def cosine_by_hand(query: Sequence[float], vector: Sequence[float]) -> float:
    """The cosine, each sum rounded once."""
    product = math.fsum(float(a) * float(b) for a, b in zip(query, vector, strict=True))
    lengths = [math.fsum(float(a) ** 2 for a in side) for side in (query, vector)]
    return product / math.sqrt(lengths[0] * lengths[1])


def ranked_by_hand(kept: Kept, query: VectorArray, k: int, among: Filter) -> list[tuple[int, float]]:
    """(id, cosine) of the k nearest admitted rows, equal ones by ascending id."""
    scored = [
        (number, cosine_by_hand(query.tolist(), vector.tolist()))
        for number, (row, vector) in kept.items()
        if among.admits(row)
    ]
    return sorted(scored, key=lambda found: (-found[1], found[0]))[:k]
