"""Triplet losses over a mixed batch: same person nearer than other persons, whatever light made the picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tapetum.errors import InternalError
from tapetum.losses.checks import check_every_row_has, check_rows

PERSONS_REMEDY = "Draw at least 2 persons per batch."
CROPS_REMEDY = "Draw at least 2 crops of each person per batch (one RGB and one infrared will do)."


def pairwise_distance(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance of every row of `a` from every row of `b`: d_ij = |a_i - b_j|_2.

    a: (N, D); b: (M, D). Returns (N, M), >= 0, zero where two rows are equal; the gradient there is zero, not NaN.
    Differences are taken before squaring, so that near rows far from the origin keep their distance, and half
    precision is widened to float32 first. Raises InternalError unless both are tables of the same width.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise InternalError(
            f"pairwise_distance: got shapes {tuple(a.shape)} and {tuple(b.shape)}. Expected (N, D) and (M, D)."
        )
    wide = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    return torch.cdist(a.to(wide), b.to(wide), compute_mode="donot_use_mm_for_euclid_dist")


def batch_hard_triplet(features: Tensor, person: Tensor, margin: float | None = 0.3) -> Tensor:
    """Each row against its farthest same-person row and its nearest other-person row.

    L = mean_a h(max_p d_ap - min_n d_an),  h(x) = max(0, margin + x),  or log(1 + e^x) when `margin` is None

    features: (N, D) of both modalities together, rows in any order; person: (N,) labels. A row is not its own
    positive. Returns a scalar >= 0; zero when every row is nearer to its farthest positive than to its nearest
    negative by the margin (never, for the soft margin); `margin` when all rows are equal.
    Raises InternalError for shapes that do not fit, RecipeError when a row has no positive or no negative.
    Source: METHODS 12, batch-hard triplet (Hermans et al., 2017, with their soft margin).
    """
    distance, positive, negative = _pairs("batch_hard_triplet", features, person)
    farthest = distance.masked_fill(~positive, -torch.inf).amax(dim=1)  # (N,)
    nearest = distance.masked_fill(~negative, torch.inf).amin(dim=1)  # (N,)
    return hinge(farthest - nearest, margin).mean()


def weighted_triplet(features: Tensor, person: Tensor) -> Tensor:
    """WRT: all positives and all negatives of a row, the hard ones weighing most; no margin.

    L = mean_a log(1 + exp(sum_p w_p d_ap - sum_n w_n d_an)),
    w_p = softmax over a's positives of +d_ap,  w_n = softmax over a's negatives of -d_an

    features: (N, D) of both modalities together, rows in any order; person: (N,) labels. A row is not its own
    positive. Gradients also run through the weights. Returns a scalar > 0: log 2 when all rows are equal, towards 0
    as the negatives move away. Both weightings are true masked soft-maxes, hence sum to 1 at any scale of distance
    (the negatives' weights of AGW's released code vanish beyond distances of about 14).
    Raises InternalError for shapes that do not fit, RecipeError when a row has no positive or no negative.
    Source: METHODS 12, WRT, and 0, item 11 (Ye et al., TPAMI 2021).
    """
    return F.softplus(_weighted_excess("weighted_triplet", features, person)).mean()


def enhanced_triplet(features: Tensor, person: Tensor, cap: float | None = 88.0) -> Tensor:
    """CAJ's enhanced squared triplet: `weighted_triplet` whose difference is squared and keeps its sign.

    L = mean_a log(1 + exp(-y_a q_a)),  q_a = min((D_p - D_n)^2, cap),  y_a = 1 if D_n >= D_p else -1,
    D_p = sum_p w_p d_ap,  D_n = sum_n w_n d_an,  weights as in `weighted_triplet`

    features: (N, D) of both modalities together, rows in any order; person: (N,) labels; cap: > 0, None for no cap.
    Returns a scalar > 0: log 2 when all rows are equal (where the gradient is zero too), towards 0 as the negatives
    move away, at most about `cap`. The released cap keeps exp from overflowing, which this form does without; a row
    whose D_p is larger than D_n by more than sqrt(cap) = 9.4 has no gradient under it.
    Raises InternalError for shapes that do not fit, RecipeError when a row has no positive or no negative.
    Source: METHODS 12, ADP (Ye et al., ICCV 2021; cap 10 in SGIEL).
    """
    excess = _weighted_excess("enhanced_triplet", features, person)
    squared = excess.square() if cap is None else excess.square().clamp(max=cap)
    return F.softplus(torch.sign(excess) * squared).mean()


def hinge(excess: Tensor, margin: float | None) -> Tensor:
    """max(0, margin + excess), elementwise; the soft margin log(1 + exp(excess)) when `margin` is None."""
    return F.softplus(excess) if margin is None else F.relu(margin + excess)


def _weighted_excess(loss: str, features: Tensor, person: Tensor) -> Tensor:
    """Each row's weighted distance to its positives less that to its negatives: (N,). Weights sum to 1."""
    distance, positive, negative = _pairs(loss, features, person)
    toward = torch.softmax(distance.masked_fill(~positive, -torch.inf), dim=1)  # (N, N), rows sum to 1
    away = torch.softmax((-distance).masked_fill(~negative, -torch.inf), dim=1)
    return (toward * distance).sum(dim=1) - (away * distance).sum(dim=1)


def _pairs(loss: str, features: Tensor, person: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Distances (N, N), and which pairs are positives and which negatives, once every row is known to have both."""
    check_rows(loss, features, person)
    same = person[:, None] == person[None, :]
    positive = same & ~torch.eye(len(person), dtype=torch.bool, device=person.device)
    check_every_row_has(loss, positive, "other crop of the same person", CROPS_REMEDY)
    check_every_row_has(loss, ~same, "crop of another person", PERSONS_REMEDY)
    return pairwise_distance(features, features), positive, ~same
