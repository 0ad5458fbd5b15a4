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
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import gammaln, roots_legendre

from tapetum.core import FloatArray, IntArray, Trial
from tapetum.evaluation.metrics import CmcRule

RANKS = (1, 5, 10, 20)

_Counts = tuple[tuple[int, int], ...]
"""The other persons of a gallery: (images, how many persons have so many), ascending."""


def chance(trials: Sequence[Trial], persons: IntArray, cmc: CmcRule) -> dict[str, float]:
    """{"r1", "r5", "r10", "r20", "mAP", "mINP"} of guessing, averaged as the figures are: over queries, then trials."""
    each = [joint_chance([trial], persons, cmc) for trial in trials]
    return {name: float(np.mean([values[name] for values in each])) for name in each[0]}


def joint_chance(parts: Sequence[Trial], persons: IntArray, cmc: CmcRule) -> dict[str, float]:
    """The same for one trial whose queries are divided among several parts."""
    kinds: Counter[tuple[int, _Counts]] = Counter()
    for part in parts:
        kinds.update(_kinds(part, persons, cmc))
    total = kinds.total()
    sums: dict[str, float] = {}
    for (own, others), count in sorted(kinds.items()):  # sorted, so that the order of the queries changes nothing
        for name, value in _expected(own, others, cmc).items():
            sums[name] = sums.get(name, 0.0) + value * count / total
    return sums


def _kinds(trial: Trial, persons: IntArray, cmc: CmcRule) -> Counter[tuple[int, _Counts]]:
    """(own matches, the other persons) -> how many queries see this; queries without a match are left out."""
    images = Counter(persons[trial.gallery].tolist())
    persons_with = Counter(images.values())
    hidden = _by_group(trial.gallery_group, persons[trial.gallery]) if trial.gallery_group is not None else {}
    kinds: Counter[tuple[int, _Counts]] = Counter()
    for group, asked in _by_group(trial.query_group, persons[trial.query]).items():
        unseen = hidden.get(group, Counter())
        size = len(trial.gallery) - unseen.total()
        sizes = persons_with.copy()
        for person, number in unseen.items():
            sizes[images[person]] -= 1
            sizes[images[person] - number] += 1
        for person, count in asked.items():
            own = images[person] - unseen[person]
            if own:
                others = ((1, size - own),) if cmc == "images" else _others(sizes, own)
                kinds[own, others] += count
    return kinds


def _by_group(groups: IntArray | None, persons: IntArray) -> dict[int, Counter[int]]:
    """group -> person -> how many rows; without groups all rows are of group 0."""
    found: dict[int, Counter[int]] = {}
    named = np.zeros_like(persons) if groups is None else groups
    for (group, person), number in Counter(zip(named.tolist(), persons.tolist(), strict=True)).items():
        found.setdefault(group, Counter())[person] = number
    return found


def _others(sizes: Mapping[int, int], own: int) -> _Counts:
    """Images -> how many persons have so many, less one person with `own` images and those whom nobody sees."""
    left = ((images, how_many - (images == own)) for images, how_many in sorted(sizes.items()) if images)
    return tuple((images, how_many) for images, how_many in left if how_many)


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
    nodes, weights = roots_legendre(512)
    return (nodes + 1) / 2, weights / 2
