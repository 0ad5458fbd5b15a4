"""What a system that guesses gets: the exact expectation of each figure over all orders of the gallery.

For a query with N visible gallery images, n of them matches (H_N = 1 + 1/2 + ... + 1/N):
    E[AP]    = (H_N + (n - 1) / (N - 1) (N - H_N)) / N
    E[INP]   = n sum_{r = n}^{N} P(last match at r) / r,    P(last at r) = (r - 1 choose n - 1) / (N choose n)
    E[CMC_k] = 1 - (N - n choose k) / (N choose k)                                            rule "images"
    E[CMC_k] = integral_0^1 n u^(n-1) P(fewer than k other persons before u) du               rule "identities"
In the last line every image arrives at an independent time u in (1, 0); another person with m images is there before u
with probability 1 - u^m. METHODS section 0 item 3 has the same figures from drawn scores.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln

from tapetum.core import FloatArray, IntArray, Trial
from tapetum.evaluation.metrics import CmcRule

RANKS = (1, 5, 10, 20)

_Counts = tuple[tuple[int, int], ...]
"""The other persons of a gallery: (images, how many persons have so many), ascending."""


def chance(trials: Sequence[Trial], persons: IntArray, cmc: CmcRule) -> dict[str, float]:
    """{"r1", "r5", "r10", "r20", "mAP", "mINP"} of guessing, averaged as the figures are: over queries, then trials."""
    each = [_trial_chance(trial, persons, cmc) for trial in trials]
    return {name: float(np.mean([values[name] for values in each])) for name in each[0]}


def _trial_chance(trial: Trial, persons: IntArray, cmc: CmcRule) -> dict[str, float]:
    kinds: dict[tuple[int, _Counts], int] = {}
    asked = persons[trial.query]
    groups = np.zeros_like(asked) if trial.query_group is None else trial.query_group
    pairs, counts = np.unique(np.stack([asked, groups], axis=1), axis=0, return_counts=True)
    visible = functools.cache(functools.partial(_visible, trial, persons))
    for (person, group), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        images = visible(group)
        own = images.get(person, 0)
        if own:
            others = np.array([number for name, number in images.items() if name != person], dtype=np.int64)
            values, how_many = np.unique(others, return_counts=True)
            kind = own, tuple(zip(values.tolist(), how_many.tolist(), strict=True))
            kinds[kind] = kinds.get(kind, 0) + count
    total = sum(kinds.values())
    sums: dict[str, float] = {}
    for (own, other), count in kinds.items():
        for name, value in _expected(own, other, cmc).items():
            sums[name] = sums.get(name, 0.0) + value * count / total
    return sums


def _visible(trial: Trial, persons: IntArray, group: int) -> dict[int, int]:
    """person -> gallery images that a query of this group sees."""
    seen = trial.gallery if trial.gallery_group is None else trial.gallery[trial.gallery_group != group]
    names, counts = np.unique(persons[seen], return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


@functools.lru_cache(maxsize=4096)
def _expected(own: int, others: _Counts, cmc: CmcRule) -> dict[str, float]:
    """All figures for a query with `own` matches among these others."""
    size = own + sum(images * how_many for images, how_many in others)
    curve = _image_curve(own, size) if cmc == "images" else _identity_curve(own, others)
    figures = {f"r{rank}": float(value) for rank, value in zip(RANKS, curve, strict=True)}
    return {**figures, "mAP": average_precision(own, size), "mINP": inverse_penalty(own, size)}


def average_precision(matches: int, size: int) -> float:
    """E[AP] for `matches` right images among `size`."""
    harmonic = float(np.sum(1.0 / np.arange(1, size + 1)))
    share = (matches - 1) / (size - 1) if size > 1 else 0.0
    return (harmonic + share * (size - harmonic)) / size


def inverse_penalty(matches: int, size: int) -> float:
    """E[INP] for `matches` right images among `size`."""
    last = np.arange(matches, size + 1)
    logarithm = _log_choose(last - 1, matches - 1) - _log_choose(np.array(size), matches)
    return float(matches * np.sum(np.exp(logarithm) / last))


def _log_choose(n: IntArray | np.ndarray, k: int) -> FloatArray:
    chosen: FloatArray = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return chosen


def _image_curve(own: int, size: int) -> list[float]:
    missed = [
        np.prod((size - own - np.arange(rank)) / (size - np.arange(rank))) if rank <= size - own else 0.0
        for rank in RANKS
    ]
    return [1.0 - float(value) for value in missed]


def _identity_curve(own: int, others: _Counts) -> FloatArray:
    """E[CMC_k] at the printed ranks, by Gauss-Legendre quadrature over the time of the first match."""
    u, weights = _quadrature()
    before = np.zeros((max(RANKS), len(u)))  # row j: the probability that j other persons came before
    before[0] = 1.0
    for images, how_many in others:
        present = -np.expm1(images * np.log(u))
        for _ in range(how_many):
            before[1:] = before[1:] * (1 - present) + before[:-1] * present
            before[0] *= 1 - present
    at_most = np.cumsum(before @ (weights * own * u ** (own - 1)))
    curve: FloatArray = at_most[np.array(RANKS) - 1]
    return curve


@functools.cache
def _quadrature() -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(512)
    return (nodes + 1) / 2, weights / 2
