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
    rgb_centres, persons = person_centres(rgb, person)
    ir_centres, persons_ir = person_centres(ir, person if person_ir is None else person_ir)
    if not torch.equal(persons, persons_ir):
        raise InternalError(
            f"hetero_centre_triplet: RGB rows show persons {persons.tolist()}, infrared rows {persons_ir.tolist()}."
            " Expected the same persons in both modalities."
        )
    centres = torch.cat([rgb_centres, ir_centres])  # (2P, D)
    labels = torch.cat([persons, persons])
    foreign = labels[:, None] != labels[None, :]
    check_every_row_has("hetero_centre_triplet", foreign, "crop of another person", PERSONS_REMEDY)
    distance = pairwise_distance(centres, centres)
    # Of the two centres of its own person a centre is at distance zero from itself: the farther one is the other light.
    counterpart = distance.masked_fill(foreign, -torch.inf).amax(dim=1)  # (2P,)
    nearest = distance.masked_fill(~foreign, torch.inf).amin(dim=1)  # (2P,)
    return hinge(counterpart - nearest, margin).mean()
