"""Drawn triplets by squared distances: values by hand, slow twins, zero case, gradients, errors."""

from __future__ import annotations

import pytest
import torch

from tapetum.errors import InternalError, RecipeError
from tapetum.losses.squared_triplet import nearest_other_person, squared_triplet

A = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
P = torch.tensor([[1.0, 2.0], [1.0, 1.0]])
N = torch.tensor([[2.0, 0.0], [1.0, 3.0]])


def test_by_hand():
    # Row 0: 5 - 4 + 0.5 = 1.5. Row 1: 0 - 4 + 0.5 < 0. Mean 0.75.
    assert squared_triplet(A, P, N, 0.5).item() == 0.75


def test_zero_case_and_all_equal():
    assert squared_triplet(A, A, N, 0.3).item() == 0
    assert squared_triplet(A, A, A, 0.3).item() == pytest.approx(0.3)
    assert squared_triplet(A.half(), P.half(), N.half(), 0.5).dtype == torch.float32


def test_slow_twin_and_row_order():
    rows = torch.randn(3, 7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    total = 0.0
    for a, p, n in zip(*rows.tolist(), strict=True):
        near, far = (sum((x - y) ** 2 for x, y in zip(a, other, strict=True)) for other in (p, n))
        total += max(0.0, 0.3 + near - far)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    for given in (rows, rows[:, order]):
        assert squared_triplet(*given).item() == pytest.approx(total / 7, rel=1e-12)


def test_gradients():
    rows = [torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    assert torch.autograd.gradcheck(lambda *given: squared_triplet(*given, margin=50.0), rows)


def test_the_nearest_other_person_by_hand():
    # Anchor 0 (person 5): the others' rows are at 3 and 9, so row 1; anchor 2 (person 6) at 10: rows 0 and 3, so 3.
    anchor = torch.tensor([[0.0], [4.0], [10.0], [9.0]])
    other = torch.tensor([[0.0], [3.0], [9.0], [8.0]])
    person = torch.tensor([5, 6, 6, 5])
    assert nearest_other_person(anchor, other, person).tolist() == [1, 0, 3, 2]
    order = torch.tensor([2, 0, 3, 1])
    found = nearest_other_person(anchor[order], other[order], person[order])
    assert order[found].tolist() == [3, 1, 2, 0]


def test_errors():
    with pytest.raises(InternalError, match="squared_triplet: got shapes"):
        squared_triplet(A, P, N[:1])
    with pytest.raises(RecipeError, match="no crop of another person"):
        nearest_other_person(A, P, torch.tensor([1, 1]))
