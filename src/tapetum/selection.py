"""How good a method is on validation persons: what training selects by."""

from __future__ import annotations

import math

import numpy as np

from tapetum.core import Dataset, VectorArray
from tapetum.evaluation.metrics import score_trials
from tapetum.evaluation.protocols import validation
from tapetum.evaluation.spread import spread


def validation_scores(vectors: VectorArray, dataset: Dataset, trials: int, seed: int) -> dict[str, float]:
    """r1, mAP and mINP (fractions) of infrared against RGB crops of the validation persons, mean over gallery draws.

    vectors: (V, D) of unit length, those of the crops of split `val`, in its order. "spread" is how far they
    lie apart (`evaluation/spread.py`). Raises DataError for validation persons who have only one modality.
    """
    crops = [dataset.crops[row] for row in dataset.rows("val")]
    protocol = validation(crops, dataset.locations, seed=seed, trials=trials)
    persons = np.array([crop.person for crop in crops])
    results = score_trials(vectors, persons, protocol.settings["validation"])
    return {
        "r1": math.fsum(float(result.cmc[0]) for result in results) / trials,
        "mAP": math.fsum(result.mAP for result in results) / trials,
        "mINP": math.fsum(result.mINP for result in results) / trials,
        "spread": spread(vectors, [crop.modality for crop in crops]),
    }
