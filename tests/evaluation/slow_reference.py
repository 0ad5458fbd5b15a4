"""The rule of PROTOCOLS section 1, read out loud: one query after the other, nothing shared, nothing clever."""

from __future__ import annotations

import math

import numpy as np

from tapetum.core import FloatArray, IntArray, Trial


def distance(one: FloatArray, other: FloatArray) -> float:
    """Left to right; Python's own sum() compensates for rounding since 3.12, and x ** 0.5 is not always the root."""
    total = 0.0
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        total += (a - b) * (a - b)
    return math.sqrt(total)


def slow_trial(vectors: FloatArray, persons: IntArray, trial: Trial, cmc: str = "identities") -> dict[str, object]:
    asked, average, penalty, hits = [], [], [], []
    for i, query in enumerate(trial.query):
        distances = [distance(vectors[query], vectors[j]) for j in trial.gallery]
        order = sorted(range(len(trial.gallery)), key=lambda j: distances[j])  # sorted() is stable
        order = [j for j in order if trial.query_group is None or trial.gallery_group[j] != trial.query_group[i]]
        seen = [persons[trial.gallery[j]] for j in order]
        ranks = [rank for rank, person in enumerate(seen, start=1) if person == persons[query]]
        if ranks:
            asked.append(query)
            average.append(np.mean([number / rank for number, rank in enumerate(ranks, start=1)]))
            penalty.append(len(ranks) / ranks[-1])
            hits.append((list(dict.fromkeys(seen)) if cmc == "identities" else seen).index(persons[query]) + 1)
    length = len(set(persons[trial.gallery])) if cmc == "identities" else len(trial.gallery)
    curve = [np.mean([hit <= place for hit in hits]) for place in range(1, length + 1)] if hits else []
    figures = {"cmc": curve, "mAP": np.mean(average or [0]), "mINP": np.mean(penalty or [0]), "valid": len(hits)}
    return {**figures, "query": asked, "ap": average, "inp": penalty, "hit": hits}
