"""How good a method is on validation persons: what training selects by."""

from __future__ import annotations

import math

import numpy as np

from tapetum.core import Dataset
from tapetum.embedding import embed_crops
from tapetum.errors import DataError
from tapetum.evaluation.metrics import score_trials
from tapetum.evaluation.protocols import validation
from tapetum.methods.method import Method
from tapetum.recipe import ImageSettings


def validation_scores(
    method: Method, dataset: Dataset, image: ImageSettings, trials: int, seed: int
) -> dict[str, float]:
    """r1, mAP and mINP (fractions) of infrared against RGB crops of the validation persons, mean over gallery draws.

    Raises DataError for a broken picture and for validation persons who have only one modality.
    """
    crops = [dataset.crops[row] for row in dataset.rows("val")]
    found = embed_crops(method, crops, dataset.root, (image.height, image.width), workers=0)
    if found.broken:
        raise DataError(found.broken[0][1])
    protocol = validation(crops, dataset.locations, seed=seed, trials=trials)
    persons = np.array([crop.person for crop in crops])
    results = score_trials(found.vectors, persons, protocol.settings["validation"])
    return {
        "r1": math.fsum(float(result.cmc[0]) for result in results) / trials,
        "mAP": math.fsum(result.mAP for result in results) / trials,
        "mINP": math.fsum(result.mINP for result in results) / trials,
    }
