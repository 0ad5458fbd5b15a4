"""Losses on expanded embeddings: new versions of a picture's vector near the other modality, and unlike each other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tapetum.errors import InternalError
from tapetum.losses.checks import check_every_row_has
from tapetum.losses.hetero_centre import person_centres
from tapetum.losses.triplet import PERSONS_REMEDY, hinge, pairwise_distance


def centre_pair_mining(
    rgb: Tensor, ir: Tensor, new_rgb: Tensor, new_ir: Tensor, person: Tensor, margin: float = 0.2
) -> Tensor:
    """CPM of DEEN: the centre of a person's new RGB rows belongs to the infrared centre, and the other way round.

    L = 1/2 [l(t, v, v') + l(v, t, t')],  v, t, v', t' (P, D): centres of rgb, ir, new_rgb, new_ir, one row a person
    l(o, x, x') = mean_i h(d(o_i, x'_i) - sg d(x_i, x'_i))
                + 1/2 mean_i h(d(o_i, x'_i) - min_{j != i} d(x'_i, x'_j))
                + 1/2 mean_i h(d(o_i, x'_i) - min_{j != i} d(x_i, x_j)),   h(x) = max(0, margin + x)

    d is the Euclidean distance and sg stops the gradient. rgb, ir, new_rgb, new_ir: (N, D), row i of each showing
    person[i]; person: (N,) labels, rows in any order. Returns a scalar >= 0: zero when each new centre is nearer to
    the other modality than to its own and than centres of different persons are to each other, all by the margin;
    2 margin when all rows are equal. Raises InternalError for shapes that do not fit, RecipeError for one person.
    Source: METHODS 12, CPM (Zhang and Wang, CVPR 2023), whose words leave the pairs of the last two terms to us.
    """
    v, t, new_v, new_t = (person_centres(rows, person)[0] for rows in (rgb, ir, new_rgb, new_ir))
    foreign = ~torch.eye(len(v), dtype=torch.bool, device=v.device)
    check_every_row_has("centre_pair_mining", foreign, "crop of another person", PERSONS_REMEDY)
    return 0.5 * (_drawn(t, v, new_v, margin) + _drawn(v, t, new_t, margin))


def orthogonality(a: Tensor, b: Tensor) -> Tensor:
    """Two expansions of a picture should say different things: mean over pictures of their inner product.

    L = mean_i <a_i, b_i>

    a, b: (N, D), values >= 0 (pooled after a ReLU), row i of both the same picture: no labels are needed. Returns a
    scalar >= 0, zero when no dimension is active in both. Raises InternalError for shapes that do not fit or are empty.
    Source: METHODS 12, Orth (Zhang and Wang, CVPR 2023).
    """
    if a.ndim != 2 or a.shape != b.shape or len(a) == 0:
        raise InternalError(
            f"orthogonality: got shapes {tuple(a.shape)} and {tuple(b.shape)}. Expected (N, D) twice with N at least 1."
        )
    wide = torch.promote_types(a.dtype, torch.float32)
    return (a.to(wide) * b.to(wide)).sum(dim=1).mean()


def _drawn(other: Tensor, own: Tensor, new: Tensor, margin: float) -> Tensor:
    """One side of the loss: `new` drawn from its `own` centres to the `other` modality's."""
    across = F.pairwise_distance(other, new, eps=0.0)  # (P,)
    back = F.pairwise_distance(own, new, eps=0.0).detach()
    apart = hinge(across - back, margin) + 0.5 * (
        hinge(across - _nearest_foreign(new), margin) + hinge(across - _nearest_foreign(own), margin)
    )
    return apart.mean()


def _nearest_foreign(centres: Tensor) -> Tensor:
    """Each centre's distance to the nearest other one: (P, D) -> (P,)."""
    itself = torch.eye(len(centres), dtype=torch.bool, device=centres.device)
    return pairwise_distance(centres, centres).masked_fill(itself, torch.inf).amin(dim=1)
