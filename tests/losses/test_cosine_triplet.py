"""The cosine triplet: value by hand, a slow twin, grouping by label, zero case, bounds, gradients, errors."""

from __future__ import annotations

import math

import pytest
import torch

from tapetum.errors import InternalError, RecipeError
from tapetum.losses.cosine_triplet import cosine_triplet


def random_batch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(8, 5, generator=generator, dtype=torch.float64)
    return features, torch.tensor([4, 4, 7, 7, 7, 1, 1, 4])[torch.randperm(8, generator=generator)]


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    x, y = a.tolist(), b.tolist()
    return sum(p * q for p, q in zip(x, y, strict=True)) / math.hypot(*x) / math.hypot(*y)


def test_value_by_hand():
    # Directions 0, 60, 180, 90 degrees, lengths 1 2 3 4; persons 0 0 1 1. Cosines: 01 1/2, 02 -1, 03 0, 12 -1/2,
    # 13 sqrt(3)/2 = r, 23 0. Rows (positive, hardest negative): 0 (1/2, 0), 1 (1/2, r), 2 (0, -1/2), 3 (0, r).
    turn = torch.deg2rad(torch.tensor([0.0, 60.0, 180.0, 90.0], dtype=torch.float64))
    features = torch.stack([turn.cos(), turn.sin()], dim=1) * torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    person, r = torch.tensor([0, 0, 1, 1]), math.sqrt(3) / 2
    rows = [0 + 1 + 1 / 4, r + (1 + r) ** 2 + 1 / 4, 0 + 1 / 4 + 1, 0.5 + r + (1 + r) ** 2 + 1]
    assert cosine_triplet(features, person, 0.5).item() == pytest.approx(sum(rows) / 4, rel=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_slow_twin_and_row_order(seed):
    features, person = random_batch(seed)
    total = 0.0
    for i, y in enumerate(person):
        near = min(cosine(features[i], features[j]) for j in range(8) if person[j] == y and j != i)
        far = max(cosine(features[i], features[j]) for j in range(8) if person[j] != y)
        total += max(0.0, 0.3 + far - near) + (1 + far) ** 2 + (1 - near) ** 2
    assert cosine_triplet(features, person, 0.3).item() == pytest.approx(total / 8, rel=1e-9)
    order = torch.tensor([5, 2, 7, 0, 1, 6, 3, 4])
    assert cosine_triplet(features[order], person[order], 0.3).item() == pytest.approx(total / 8, rel=1e-9)


def test_zero_for_two_opposite_persons_and_what_equal_rows_cost():
    features = torch.tensor([[1.0, 0.0], [3.0, 0.0], [-2.0, 0.0], [-1.0, 0.0]])
    assert cosine_triplet(features, torch.tensor([0, 0, 1, 1])).item() == pytest.approx(0, abs=1e-6)
    assert cosine_triplet(torch.ones(4, 3), torch.tensor([0, 0, 1, 1]), 0.5).item() == pytest.approx(4.5, rel=1e-5)
    # The worst: every person's rows opposite, and one of another person's like each.
    worst = cosine_triplet(features, torch.tensor([0, 1, 0, 1]), 0.5).item()
    assert worst == pytest.approx(10.5, rel=1e-5)


def test_gradients():
    features, person = random_batch(3)
    assert torch.autograd.gradcheck(lambda f: cosine_triplet(f, person), features.requires_grad_())


def test_half_precision_is_taken_in_float32():
    features, person = random_batch(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert cosine_triplet(features.bfloat16(), person).dtype == torch.float32


def test_errors():
    with pytest.raises(InternalError, match="cosine_triplet: got features of shape"):
        cosine_triplet(torch.zeros(3), torch.zeros(3))
    with pytest.raises(RecipeError, match="row 2 of the batch has no other crop of the same person"):
        cosine_triplet(torch.randn(3, 2), torch.tensor([0, 0, 1]))
    with pytest.raises(RecipeError, match="no crop of another person .* at least 2 persons"):
        cosine_triplet(torch.randn(2, 2), torch.tensor([5, 5]))
