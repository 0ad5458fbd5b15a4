"""A metric loss by name: the triplet losses that read vectors of both lights, RGB rows first."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from tapetum.errors import RecipeError
from tapetum.losses.hetero_centre import hetero_centre_triplet
from tapetum.losses.triplet import batch_hard_triplet, weighted_triplet

Metric = Literal["none", "batch_hard", "weighted", "hetero_centre"]


def metric_loss(name: Metric, rgb: Tensor, ir: Tensor, person: Tensor, margin: float | None = 0.3) -> Tensor:
    """The named loss on RGB rows (N, D) and infrared rows (N, D) of the same persons (N,).

    batch_hard, weighted: `losses.triplet` over all 2N rows; hetero_centre: `losses.hetero_centre`; margin: of the first
    and the last, None for the soft margin. Returns a scalar >= 0. Raises RecipeError for another name, and what these
    raise.
    """
    if name == "hetero_centre":
        return hetero_centre_triplet(rgb, ir, person, margin)
    vectors, persons = torch.cat([rgb, ir]), torch.cat([person, person])
    if name == "batch_hard":
        return batch_hard_triplet(vectors, persons, margin)
    if name == "weighted":
        return weighted_triplet(vectors, persons)
    raise RecipeError(f"no metric loss is called '{name}'. Known: batch_hard, hetero_centre, weighted.")
