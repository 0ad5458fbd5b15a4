"""Maximum mean discrepancy of each person's RGB and infrared features: two clouds of one person should be one cloud."""

from __future__ import annotations

import torch
from torch import Tensor

from tapetum.errors import InternalError
from tapetum.losses.checks import check_rows
from tapetum.losses.triplet import pairwise_distance

KERNELS = 5


def person_discrepancies(rgb: Tensor, ir: Tensor, person: Tensor, person_ir: Tensor | None = None) -> Tensor:
    """Each person's squared maximum mean discrepancy between the RGB and the infrared rows, persons ascending.

    MMD^2 = mean k(s, s') + mean k(t, t') - 2 mean k(s, t),  s: the person's RGB rows, t: its infrared rows,
    k(x, y) = sum_{j=0..4} exp(-|x - y|^2 / (2^j b)),  b = mean of |x - y|^2 over the ordered pairs of s and t / 4

    rgb: (N, D); ir: (M, D); person: (N,) labels of `rgb`, and of `ir` too unless `person_ir` (M,) gives those; rows in
    any order, and a person may have more rows on one side. No gradient runs through b, which makes the value the same
    at any scale of the features. Returns (P,), in [0, 10): zero when both clouds are equal, 10 - 2 sum_j
    exp(-4 (2K - 1) / (2^j K)) for two single points of K rows each (K = 4: 7.4652).
    Raises InternalError for shapes that do not fit or persons seen in one modality only.
    Source: METHODS 12, MMD-ID (Jambigi et al., BMVC 2021).
    """
    person_ir = person if person_ir is None else person_ir
    for side, labels in ((rgb, person), (ir, person_ir)):
        check_rows("person_discrepancies", side, labels)
    persons, place = torch.unique(torch.cat([person, person_ir]), return_inverse=True)
    count_rgb, count_ir = (
        torch.bincount(part, minlength=len(persons)) for part in (place[: len(rgb)], place[len(rgb) :])
    )
    if not bool((count_rgb * count_ir).all()):
        raise InternalError(
            f"person_discrepancies: RGB rows show persons {torch.unique(person).tolist()}, infrared rows"
            f" {torch.unique(person_ir).tolist()}. Expected the same persons in both modalities."
        )
    x = torch.cat([rgb, ir])
    squared = pairwise_distance(x, x).square()  # (N + M, N + M)
    same = (place[:, None] == place[None, :]).to(squared.dtype)
    kernel = _kernel(squared, same, place, count_rgb + count_ir)
    # +1/n_s for an RGB row and -1/n_t for an infrared one: the sum over all pairs is the three means at once.
    own = torch.cat([count_rgb[place[: len(rgb)]], -count_ir[place[len(rgb) :]]])
    sign = own.to(squared.dtype).reciprocal()  # (N + M,)
    rows = (kernel * same * sign[:, None] * sign[None, :]).sum(dim=1)  # (N + M,)
    return squared.new_zeros(len(persons)).index_add(0, place, rows)


def margin_discrepancy(
    rgb: Tensor, ir: Tensor, person: Tensor, gate: float = 1.4, person_ir: Tensor | None = None
) -> Tensor:
    """Margin MMD-ID: the mean over persons of MMD^2 where it is above the gate, and of 0 where it is not.

    L = 1/P sum_i MMD_i^2 [MMD_i^2 > gate],  MMD_i^2 as in `person_discrepancies`, whose arguments these are

    gate: >= 0 (published: 1.40). Above it the whole value counts, not what exceeds it: the loss jumps there. Returns
    a scalar in {0} or (gate / P, 10). Raises what `person_discrepancies` raises. Source: METHODS 12, MMD-ID.
    """
    found = person_discrepancies(rgb, ir, person, person_ir)
    return (found * (found > gate)).mean()


def _kernel(squared: Tensor, same: Tensor, place: Tensor, count: Tensor) -> Tensor:
    """Sum of the five Gaussians of the squared distances, each row with its person's bandwidth: (R, R)."""
    with torch.no_grad():
        total = squared.new_zeros(len(count)).index_add(0, place, (squared * same).sum(dim=1))
        bandwidth = total / (count * (count - 1)) / 4  # (P,); a row is at distance 0 from itself
        # All rows of a person equal: any bandwidth gives kernels of 1, hence a discrepancy of 0.
        bandwidth = bandwidth.clamp(min=torch.finfo(squared.dtype).tiny)
    exponent = squared / bandwidth[place][:, None]
    return torch.stack([torch.exp(-exponent / 2**j) for j in range(KERNELS)]).sum(dim=0)
