"""Triplets across the light by sums of absolute differences: one light's row against two of the other's."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from tapetum.errors import InternalError, RecipeError
from tapetum.losses.checks import check_every_row_has
from tapetum.losses.top_ranking import same_person
from tapetum.losses.triplet import PERSONS_REMEDY, hinge

Norm = Literal["unit", "raw"]


def random_other_person(person: Tensor) -> Tensor:
    """For each row the place of a row of another person, each such row as likely as the next: (N,) int64.

    person: (N,) labels. Drawn from torch's generator, which the training loop seeds at every step.
    Raises RecipeError when all rows show one person.
    """
    other = person[:, None] != person[None, :]
    check_every_row_has("random_other_person", other, "crop of another person", PERSONS_REMEDY)
    return torch.multinomial(other.float(), 1)[:, 0]


def manhattan_codes(codes: Tensor, norm: Norm) -> Tensor:
    """Codes whose sums of absolute differences are the distance that is meant; (N, D) -> (N, D), at least float32.

    unit: each row scaled to Euclidean length 1, so that the distance is |s_i / |s_i| - s_j / |s_j||_1, at most
    2 sqrt(D). raw: each row divided by D, so that it is the mean absolute difference. Source: METHODS 4.2, item 7.
    """
    if norm not in ("unit", "raw"):
        raise RecipeError(f"manhattan_codes: norm is '{norm}'. Give unit or raw.")
    wide = codes.to(torch.promote_types(codes.dtype, torch.float32))
    return F.normalize(wide) if norm == "unit" else wide / codes.shape[1]


def triplet_given_rows(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 0.3) -> Tensor:
    """L = mean_i max(0, margin + |a_i - p_i|_1 - |a_i - n_i|_1) for triplets that are drawn already.

    anchor, positive, negative: (N, D); row i of all three is one triplet. Returns a scalar >= 0; zero when every
    negative is farther than its positive by the margin, the margin when all rows are equal.
    Raises InternalError for shapes that differ. Source: METHODS 4.1, L_triplet.
    """
    shapes = {tuple(rows.shape) for rows in (anchor, positive, negative)}
    if len(shapes) > 1 or anchor.ndim != 2 or len(anchor) == 0:
        raise InternalError(f"triplet_given_rows: got shapes {sorted(shapes)}. Expected three (N, D), N at least 1.")
    near, far = ((anchor - other).abs().sum(dim=1) for other in (positive, negative))
    return hinge(near - far, margin).mean()


def cross_batch_hard_triplet(anchor: Tensor, other: Tensor, person: Tensor, margin: float = 0.3) -> Tensor:
    """Each anchor against its farthest same-person row and its nearest other-person row of the other light.

    L = mean_i max(0, margin + max_p |a_i - o_p|_1 - min_n |a_i - o_n|_1)

    anchor, other: (N, D), of one light and of the other; person: (N,) labels of both, rows in any order. Returns a
    scalar >= 0; zero when every anchor is nearer to all of its own person's rows than to any other's by the margin,
    the margin when all rows are equal: where this loss collapses, it stays there.
    Raises InternalError for shapes that do not fit, RecipeError for one person. Source: METHODS 4.2, item 8.
    """
    same = same_person("cross_batch_hard_triplet", anchor, other, person, None)
    distance = torch.cdist(anchor, other, p=1)  # (N, N)
    farthest = distance.masked_fill(~same, -torch.inf).amax(dim=1)  # (N,)
    nearest = distance.masked_fill(same, torch.inf).amin(dim=1)  # (N,)
    return hinge(farthest - nearest, margin).mean()
