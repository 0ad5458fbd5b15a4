"""k-reciprocal re-ranking read out loud: sets and loops, everything dense, nothing shared."""

from __future__ import annotations

import math

import numpy as np


def squared_distance(one: np.ndarray, other: np.ndarray) -> float:
    return sum((a - b) ** 2 for a, b in zip(one.tolist(), other.tolist(), strict=True))


def slow_reranking(vectors, query, gallery, k1=20, k2=6, weight=0.3) -> np.ndarray:
    """(Q, G): d* of every query from every gallery image; `query` and `gallery` are rows of `vectors`."""
    images = list(dict.fromkeys([*query, *gallery]))
    everyone = range(len(images))
    squared = [[squared_distance(vectors[p], vectors[g]) for g in images] for p in images]
    d = [[value / max(row) if max(row) else 0.0 for value in row] for row in squared]
    order = [sorted(everyone, key=lambda g, p=p: (g != p, squared[p][g], g)) for p in everyone]

    def nearest(p, k):  # N(p, k), p itself before its k neighbours
        return order[p][: k + 1]

    def reciprocal(p, k):  # R(p, k)
        return {g for g in nearest(p, k) if p in nearest(g, k)}

    half = round(k1 / 2)  # to the even number
    V = np.zeros((len(images), len(images)))
    for p in everyone:
        mine = reciprocal(p, k1)
        expanded = set(mine)
        for q in mine:
            theirs = reciprocal(q, half)
            if 3 * len(mine & theirs) > 2 * len(theirs):
                expanded |= theirs
        for g in expanded:
            V[p, g] = math.exp(-d[p][g])
        V[p] /= V[p].sum()
    if k2 > 1:
        V = np.array([np.mean([V[g] for g in order[p][:k2]], axis=0) for p in everyone])
    found = np.empty((len(query), len(gallery)))
    for i, p in enumerate(images.index(row) for row in query):
        for j, g in enumerate(images.index(row) for row in gallery):
            jaccard = 1 - np.minimum(V[p], V[g]).sum() / np.maximum(V[p], V[g]).sum()
            found[i, j] = (1 - weight) * jaccard + weight * d[p][g]
    return found
