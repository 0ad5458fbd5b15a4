"""Hetero-centre losses: each person's RGB centre and infrared centre belong together."""

from __future__ import annotations

import torch
from torch import Tensor

from tapetum.errors import InternalError
from tapetum.losses.checks import check_every_row_has, check_rows
from tapetum.losses.triplet import PERSONS_REMEDY, hinge, pairwise_distance


def person_centres(features: Tensor, person: Tensor) -> tuple[Tensor, Tensor]:
    """The mean feature of each person: centres (P, D), and the persons' labels (P,), ascending.

    features: (N, D), rows in any order; person: (N,) labels; persons may have different numbers of rows.
    Raises InternalError for shapes that do not fit.
    """
    check_rows("person_centres", features, person)
    labels, row, count = torch.unique(person, return_inverse=True, return_counts=True)
    total = features.new_zeros(len(labels), features.shape[1]).index_add(0, row, features)
    return total / count[:, None], labels


def hetero_centre_triplet(
    rgb: Tensor, ir: Tensor, person: Tensor, margin: float | None = 0.3, person_ir: Tensor | None = None
) -> Tensor:
    """HC-Tri: each of the 2P centres against its person's centre in the other light and the nearest foreign centre.

    L = mean_c h(d(c, c') - min_{n of another person} d(c, n)),  h(x) = max(0, margin + x), or log(1 + e^x) for None

    where c runs over the RGB and infrared centres, c' is the same person's centre in the other modality and n runs
    over the centres of both modalities. rgb: (N, D); ir: (M, D); person: (N,) labels of `rgb`, and of `ir` too unless
    `person_ir` (M,) gives those; rows in any order, grouped by label. Returns a scalar >= 0, zero when every centre is
    nearer to its counterpart than to all foreign centres by the margin; `margin` when all rows are equal.
    Raises InternalError for shapes that do not fit or persons seen in one modality only, RecipeError for one person.
    Source: METHODS 12, HC-Tri (Liu et al., TMM 2021).
    """
    rgb_centres, ir_centres, persons = _centres_of_both("hetero_centre_triplet", rgb, ir, person, person_ir)
    centres = torch.cat([rgb_centres, ir_centres])  # (2P, D)
    labels = torch.cat([persons, persons])
    foreign = labels[:, None] != labels[None, :]
    check_every_row_has("hetero_centre_triplet", foreign, "crop of another person", PERSONS_REMEDY)
    distance = pairwise_distance(centres, centres)
    # Of the two centres of its own person a centre is at distance zero from itself: the farther one is the other light.
    counterpart = distance.masked_fill(foreign, -torch.inf).amax(dim=1)  # (2P,)
    nearest = distance.masked_fill(~foreign, torch.inf).amin(dim=1)  # (2P,)
    return hinge(counterpart - nearest, margin).mean()


def hetero_centre_distance(
    rgb: Tensor, ir: Tensor, person: Tensor, margin: float = 0.0, person_ir: Tensor | None = None
) -> Tensor:
    """HC: each person's RGB centre and infrared centre at one place.

    L = sum_i max(0, |c_i^rgb - c_i^ir|^2 - margin)    (a sum over the persons, as published)

    rgb: (N, D); ir: (M, D); person: (N,) labels of `rgb`, and of `ir` too unless `person_ir` (M,) gives those; rows in
    any order, grouped by label. margin: >= 0, a squared distance (the released code: 0 in its script, 0.1 in its
    class). Returns a scalar >= 0, zero when the two centres of every person lie within the margin.
    Raises InternalError for shapes that do not fit or persons seen in one modality only.
    Source: METHODS 12, HC loss (Zhu et al., 2020).
    """
    rgb_centres, ir_centres, _ = _centres_of_both("hetero_centre_distance", rgb, ir, person, person_ir)
    wide = torch.promote_types(rgb_centres.dtype, torch.float32)
    squared = (rgb_centres.to(wide) - ir_centres.to(wide)).square().sum(dim=1)  # (P,)
    return hinge(squared, -margin).sum()


def _centres_of_both(
    loss: str, rgb: Tensor, ir: Tensor, person: Tensor, person_ir: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """RGB and infrared centres (P, D) of the same persons in the same order, and their labels (P,)."""
    rgb_centres, persons = person_centres(rgb, person)
    ir_centres, persons_ir = person_centres(ir, person if person_ir is None else person_ir)
    if not torch.equal(persons, persons_ir):
        raise InternalError(
            f"{loss}: RGB rows show persons {persons.tolist()}, infrared rows {persons_ir.tolist()}."
            " Expected the same persons in both modalities."
        )
    return rgb_centres, ir_centres, persons
