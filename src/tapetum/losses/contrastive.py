"""The contrastive loss of TONE: same-person pairs across the light together, all others a margin apart."""

from __future__ import annotations

from torch import Tensor

from tapetum.losses.top_ranking import same_person
from tapetum.losses.triplet import hinge, pairwise_distance


def contrastive_loss(
    rgb: Tensor, ir: Tensor, person: Tensor, margin: float = 0.5, person_ir: Tensor | None = None
) -> Tensor:
    """Pairs of one RGB and one infrared row, with positives and negatives weighing one half each.

    L = 1/2 (1/2 mean_{same} d^2 + 1/2 mean_{others} max(0, m - d)^2)

    This is the mean over all pairs of the batch of what TONE samples half positive and half negative. rgb: (N, D);
    ir: (M, D); person: (N,) labels of `rgb`, and of `ir` too unless `person_ir` (M,) gives those; rows in any order.
    The published margin 0.5 is for rows of unit length (d in [0, 2]); the length is each row's own.
    Returns a scalar >= 0; zero when rows of a person coincide and persons are the margin apart; m^2 / 4 when all rows
    are equal. Raises InternalError for shapes that do not fit and for persons seen in one light only, RecipeError for a
    batch of one person. Source: METHODS 2.3, TONE (Ye et al., AAAI 2018).
    """
    same = same_person("contrastive_loss", rgb, ir, person, person_ir)
    distance = pairwise_distance(rgb, ir)  # (N, M)
    together = distance[same].square().mean()
    apart = hinge(-distance[~same], margin).square().mean()
    return (together + apart) / 4
