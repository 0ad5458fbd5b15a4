"""BDTR's top-ranking losses: both directions across the light, and apart within each light."""

from __future__ import annotations

import torch
from torch import Tensor

from tapetum.errors import InternalError
from tapetum.losses.checks import check_every_row_has, check_rows
from tapetum.losses.triplet import PERSONS_REMEDY, hinge, pairwise_distance


def cross_modality_ranking(
    rgb: Tensor, ir: Tensor, person: Tensor, margin: float = 0.5, person_ir: Tensor | None = None
) -> Tensor:
    """Each row against its farthest same-person and its nearest other-person row of the other light, both directions.

    L = mean_i [m + max_p d(v_i, t_p) - min_n d(v_i, t_n)]+  +  mean_j [m + max_p d(t_j, v_p) - min_n d(t_j, v_n)]+

    v: `rgb` (N, D); t: `ir` (M, D); p runs over the rows of the same person, n over those of other persons. With one
    row of each person and light, as published, the maximum is over a single row. person: (N,) labels of `rgb`, and of
    `ir` too unless `person_ir` (M,) gives those; rows in any order. The published margin, 0.5, is for unit length.
    Returns a scalar >= 0; zero when every row is nearer to its own person than to any other by the margin; 2 m when all
    rows are equal. Raises InternalError for shapes that do not fit and for persons seen in one light only, RecipeError
    for a batch of one person. Source: METHODS 2.2, L_cross (Ye et al., IJCAI 2018).
    """
    same = same_person("cross_modality_ranking", rgb, ir, person, person_ir)
    total = rgb.new_zeros((), dtype=torch.promote_types(rgb.dtype, torch.float32))
    for anchors, others, mask in ((rgb, ir, same), (ir, rgb, same.T)):
        farthest, nearest = _hardest(pairwise_distance(anchors, others), mask)
        total = total + hinge(farthest.values - nearest.values, margin).mean()
    return total


def intra_modality_ranking(
    rgb: Tensor, ir: Tensor, person: Tensor, margin: float = 0.1, person_ir: Tensor | None = None
) -> Tensor:
    """The two rows that `cross_modality_ranking` compares an anchor with must also stay apart from each other.

    L = mean_i [m - d(t_p(i), t_n(i))]+  +  mean_j [m - d(v_p(j), v_n(j))]+

    p(i): the row of the other light that shows anchor i's person and is farthest from it; n(i): the nearest row of the
    other light that shows another person. Which rows these are has no gradient. Arguments and errors as for
    `cross_modality_ranking`. Returns a scalar in [0, 2 m]; zero when all these pairs are at least the margin apart, 2 m
    when all rows are equal. Source: METHODS 2.2, L_intra (Ye et al., IJCAI 2018).
    """
    same = same_person("intra_modality_ranking", rgb, ir, person, person_ir)
    total = rgb.new_zeros((), dtype=torch.promote_types(rgb.dtype, torch.float32))
    for anchors, others, mask in ((rgb, ir, same), (ir, rgb, same.T)):
        with torch.no_grad():
            farthest, nearest = _hardest(pairwise_distance(anchors, others), mask)
        within = pairwise_distance(others, others)  # (M, M)
        total = total + hinge(-within[farthest.indices, nearest.indices], margin).mean()
    return total


def same_person(loss: str, rgb: Tensor, ir: Tensor, person: Tensor, person_ir: Tensor | None) -> Tensor:
    """Which RGB row (N) and infrared row (M) show the same person: boolean (N, M), once every row has both kinds.

    Raises InternalError for shapes that do not fit and for a person seen in one light only, RecipeError for one person.
    """
    person_ir = person if person_ir is None else person_ir
    check_rows(loss, rgb, person)
    check_rows(loss, ir, person_ir)
    same = person[:, None] == person_ir[None, :]
    if not (same.any(dim=1).all() and same.any(dim=0).all()):
        shown, shown_ir = torch.unique(person).tolist(), torch.unique(person_ir).tolist()
        raise InternalError(
            f"{loss}: RGB rows show persons {shown}, infrared rows {shown_ir}."
            " Expected the same persons in both modalities."
        )
    check_every_row_has(loss, ~same, "crop of another person", PERSONS_REMEDY)
    return same


def _hardest(distance: Tensor, same: Tensor) -> tuple[torch.return_types.max, torch.return_types.min]:
    """For each anchor, value and place of its farthest positive and of its nearest negative: each (N,)."""
    farthest = distance.masked_fill(~same, -torch.inf).max(dim=1)
    nearest = distance.masked_fill(same, torch.inf).min(dim=1)
    return farthest, nearest
