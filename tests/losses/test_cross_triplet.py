"""Triplets across the light: values by hand, slow twins, zero cases, grouping by label, gradients, errors."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tapetum.errors import InternalError, RecipeError
from tapetum.losses.cross_triplet import (
    cross_batch_hard_triplet,
    manhattan_codes,
    random_other_person,
    triplet_given_rows,
)

# In the plane, so that |a - b|_1 = |dx| + |dy| is no Euclidean distance.
ANCHOR = torch.tensor([[0.0, 0.0], [3.0, 1.0]], dtype=torch.float64)
POSITIVE = torch.tensor([[1.0, 1.0], [3.0, 3.0]], dtype=torch.float64)
NEGATIVE = torch.tensor([[2.0, -1.0], [2.0, 0.0]], dtype=torch.float64)


def random_batch(seed: int, persons: int = 4, crops: int = 3):
    generator = torch.Generator().manual_seed(seed)
    anchor, other = torch.randn(2, persons * crops, 5, generator=generator, dtype=torch.float64)
    return anchor, other, torch.arange(persons).repeat_interleave(crops) * 10


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    return sum(abs(x - y) for x, y in zip(a.tolist(), b.tolist(), strict=True))


def test_given_rows_by_hand():
    # Near: 1 + 1 = 2 and 0 + 2 = 2. Far: 2 + 1 = 3 and 1 + 1 = 2. Margin 0.5: max(0, -0.5) = 0 and 0.5; mean 0.25.
    assert triplet_given_rows(ANCHOR, POSITIVE, NEGATIVE, 0.5).item() == pytest.approx(0.25, abs=1e-12)
    # Margin 2: 1 and 2.
    assert triplet_given_rows(ANCHOR, POSITIVE, NEGATIVE, 2.0).item() == pytest.approx(1.5, abs=1e-12)


def test_batch_hard_by_hand():
    # Persons 0 0 1 1; anchors on a line 0 1 10 11, others 2 4 6 12. Anchor 0: own 2 4, foreign 6 12 -> 4 - 6 = -2;
    # anchor 1: 3 - 5 = -2; anchor 10: own 6 12 -> 4, foreign 2 4 -> 6: -2; anchor 11: 5 - 7 = -2. Margin 3: 1 each.
    anchor = torch.tensor([[0.0], [1.0], [10.0], [11.0]])
    other = torch.tensor([[2.0], [4.0], [6.0], [12.0]])
    person = torch.tensor([0, 0, 1, 1])
    assert cross_batch_hard_triplet(anchor, other, person, 3.0).item() == pytest.approx(1.0)
    # From the other side. 2: own 0 1 -> 2, foreign 10 11 -> 8: -6; 4: 4 - 6 = -2; 6: own 10 11 -> 5, foreign 0 1 -> 5:
    # 0; 12: 2 - 11 = -9. Margin 3: 0 1 3 0, mean 1.
    assert cross_batch_hard_triplet(other, anchor, person, 3.0).item() == pytest.approx(1.0)
    # Margin 2.5: 0, 0.5, 2.5, 0.
    assert cross_batch_hard_triplet(other, anchor, person, 2.5).item() == pytest.approx(0.75)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_slow_twins(seed):
    anchor, other, person = random_batch(seed)
    hard = given_rows = 0.0
    for i, y in enumerate(person):
        own = max(apart(anchor[i], row) for row, label in zip(other, person, strict=True) if label == y)
        foreign = min(apart(anchor[i], row) for row, label in zip(other, person, strict=True) if label != y)
        hard += max(0.0, 0.3 + own - foreign) / len(person)
        given_rows += max(0.0, 0.3 + apart(anchor[i], other[i]) - apart(anchor[i], other[i - 3])) / len(person)
    assert cross_batch_hard_triplet(anchor, other, person).item() == pytest.approx(hard, rel=1e-12)
    assert triplet_given_rows(anchor, other, other.roll(3, 0)).item() == pytest.approx(given_rows, rel=1e-12)


@given(st.integers(0, 2**16))
def test_order_of_rows_does_not_matter(seed):
    anchor, other, person = random_batch(seed)
    order = torch.randperm(len(person), generator=torch.Generator().manual_seed(seed))
    expected = cross_batch_hard_triplet(anchor, other, person)
    assert torch.allclose(cross_batch_hard_triplet(anchor[order], other[order], person[order]), expected)
    rows = [anchor, other, other.roll(3, 0)]
    assert torch.allclose(triplet_given_rows(*(r[order] for r in rows)), triplet_given_rows(*rows))


def test_zero_when_persons_are_far_apart_and_the_margin_when_all_is_one_point():
    far = 100 * torch.eye(4, dtype=torch.float64)
    person = torch.arange(4)
    assert cross_batch_hard_triplet(far, far, person) == 0
    assert triplet_given_rows(far, far, far.roll(1, 0)) == 0
    point = torch.ones(4, 3)
    assert cross_batch_hard_triplet(point, point, person, 0.3).item() == pytest.approx(0.3)
    assert triplet_given_rows(point, point, point, 0.3).item() == pytest.approx(0.3)


def test_gradients():
    anchor, other, person = random_batch(3, persons=3, crops=2)
    anchor, other = anchor.requires_grad_(), other.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, o: cross_batch_hard_triplet(a, o, person, 3.0), (anchor, other))
    assert torch.autograd.gradcheck(lambda a, o: triplet_given_rows(a, o, o.roll(2, 0), 3.0), (anchor, other))
    for norm in ("unit", "raw"):
        assert torch.autograd.gradcheck(lambda codes, norm=norm: manhattan_codes(codes, norm), (anchor,))


def test_scales_of_codes():
    codes = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    # Unit: (0.6, 0.8) and (0, 1), 0.8 apart. Raw: mean of |3 - 0| and |4 - 2| is 2.5.
    for norm, expected in (("unit", 0.8), ("raw", 2.5)):
        scaled = manhattan_codes(codes, norm)
        assert apart(scaled[0], scaled[1]) == pytest.approx(expected)
    assert torch.allclose(manhattan_codes(7 * codes, "unit"), manhattan_codes(codes, "unit"))
    assert manhattan_codes(codes.half(), "unit").dtype == torch.float32


def test_every_row_of_another_person_is_drawn():
    torch.manual_seed(0)
    person = torch.tensor([5, 5, 9, 1])
    drawn = torch.stack([random_other_person(person) for _ in range(600)])
    assert (person[drawn] != person).all()
    assert [sorted(set(column.tolist())) for column in drawn.T] == [[2, 3], [2, 3], [0, 1, 3], [0, 1, 2]]
    shares = [(drawn[:, 2] == place).double().mean().item() for place in (0, 1, 3)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.07)


def test_what_cannot_be_is_said():
    rows, person = torch.zeros(2, 3), torch.tensor([0, 1])
    with pytest.raises(InternalError, match="triplet_given_rows: got shapes"):
        triplet_given_rows(rows, rows, torch.zeros(3, 3))
    with pytest.raises(InternalError, match="cross_batch_hard_triplet: got features of shape"):
        cross_batch_hard_triplet(rows, torch.zeros(3, 3), person)
    with pytest.raises(RecipeError, match="Draw at least 2 persons per batch"):
        cross_batch_hard_triplet(rows, rows, torch.tensor([4, 4]))
    with pytest.raises(RecipeError, match="random_other_person: row 0 .* Draw at least 2 persons per batch"):
        random_other_person(torch.tensor([4, 4]))
    with pytest.raises(RecipeError, match="norm is 'length'. Give unit or raw"):
        manhattan_codes(rows, "length")
