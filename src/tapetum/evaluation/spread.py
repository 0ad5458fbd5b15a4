"""How far vectors lie apart: what tells a model that has collapsed, to which everybody looks alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import pdist

from tapetum.core import IntArray, Modality, VectorArray

COLLAPSED = 0.1
"""Below this spread, vectors of unit length stand within some six degrees of each other: nearly one point."""
_LOOKED_AT = 1000


def spread(vectors: VectorArray, modality: Sequence[Modality]) -> float:
    """The mean Euclidean distance between two different vectors of one light: the smaller of the two lights' means.

    vectors: (N, D); modality: of each row. Of more than 1000 rows of a light, 1000 at even steps are looked at; a light
    with fewer than two rows is left out, and without any the answer is infinity. For rows of unit length in [0, 2]: 0
    where all of one light are equal (the other light's may be another point), about 1.41 for rows of no order at all.
    Source: METHODS 4.5 (ii).
    """
    light = np.array(modality)
    found = [np.flatnonzero(light == one) for one in Modality]
    means = [pdist(vectors[_thinned(rows)].astype(np.float64)).mean() for rows in found if len(rows) > 1]
    return float(min(means, default=np.inf))


def _thinned(rows: IntArray) -> IntArray:
    return rows[np.unique(np.linspace(0, len(rows) - 1, _LOOKED_AT).astype(np.int64))]
