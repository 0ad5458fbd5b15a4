"""Triplets that are drawn already, by squared Euclidean distances, and the nearest other person to draw."""

from __future__ import annotations

import torch
from torch import Tensor

from tapetum.errors import InternalError
from tapetum.losses.top_ranking import same_person
from tapetum.losses.triplet import hinge, pairwise_distance


def squared_triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 0.3) -> Tensor:
    """L = mean_i max(0, margin + |a_i - p_i|^2 - |a_i - n_i|^2) for triplets that are drawn already.

    anchor, positive, negative: (N, D); row i of all three is one triplet. Returns a scalar >= 0; zero when every
    negative's squared distance exceeds its positive's by the margin, the margin when all rows are equal. Half precision
    is widened to float32. Raises InternalError for shapes that differ. Source: METHODS 3.1, L_triplet.
    """
    shapes = {tuple(rows.shape) for rows in (anchor, positive, negative)}
    if len(shapes) > 1 or anchor.ndim != 2 or len(anchor) == 0:
        raise InternalError(f"squared_triplet: got shapes {sorted(shapes)}. Expected three (N, D), N at least 1.")
    wide = torch.promote_types(anchor.dtype, torch.float32)
    near, far = ((anchor.to(wide) - other.to(wide)).square().sum(dim=1) for other in (positive, negative))
    return hinge(near - far, margin).mean()


def nearest_other_person(anchor: Tensor, other: Tensor, person: Tensor) -> Tensor:
    """For each anchor the place of the nearest row of another person in the other light: (N,) int64.

    anchor, other: (N, D), of one light and of the other; person: (N,) labels of both, rows in any order. The first of
    equally near ones. No gradient. Raises InternalError for shapes that do not fit, RecipeError for one person.
    Source: METHODS 3.2, sampler, in-batch hard negatives.
    """
    same = same_person("nearest_other_person", anchor, other, person, None)
    with torch.no_grad():
        return pairwise_distance(anchor, other).masked_fill(same, torch.inf).argmin(dim=1)
