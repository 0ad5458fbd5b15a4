"""A triplet loss on cosine similarities that also says where similarities should end: 1 and -1."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tapetum.losses.checks import check_every_row_has, check_rows
from tapetum.losses.triplet import CROPS_REMEDY, PERSONS_REMEDY, pairwise_distance


def cosine_triplet(features: Tensor, person: Tensor, margin: float = 0.5) -> Tensor:
    """Each row against its least similar same-person row and its most similar other-person row.

    L = mean_a max(0, margin + s_an - s_ap) + (1 + s_an)^2 + (1 - s_ap)^2,
    s_ap = min over a's positives of cos(a, p),  s_an = max over a's negatives of cos(a, n)

    features: (N, D) of both modalities together, rows in any order; person: (N,) labels. A row is not its own
    positive. Half precision is widened to float32. Returns a scalar in [0, 10 + margin]; zero when every person's rows
    point one way and all others' the opposite way (two persons at most); 4 + margin when all rows are equal.
    Raises InternalError for shapes that do not fit, RecipeError when a row has no positive or no negative.
    Source: METHODS 7, HFL.
    """
    check_rows("cosine_triplet", features, person)
    same = person[:, None] == person[None, :]
    positive = same & ~torch.eye(len(person), dtype=torch.bool, device=person.device)
    check_every_row_has("cosine_triplet", positive, "other crop of the same person", CROPS_REMEDY)
    check_every_row_has("cosine_triplet", ~same, "crop of another person", PERSONS_REMEDY)
    unit = F.normalize(features.to(torch.promote_types(features.dtype, torch.float32)))
    similarity = 1 - pairwise_distance(unit, unit).square() / 2  # (N, N): a matrix product would be in half precision
    s_ap = similarity.masked_fill(~positive, torch.inf).amin(dim=1)  # (N,)
    s_an = similarity.masked_fill(same, -torch.inf).amax(dim=1)
    return (F.relu(margin + s_an - s_ap) + (1 + s_an).square() + (1 - s_ap).square()).mean()
