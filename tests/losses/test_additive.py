"""The additive identity: values by hand, slow twins, the zero case, who gets a gradient, bad input."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.errors import InternalError, RecipeError
from tapetum.losses.additive import additive_loss

WHOLE = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
FIRST = torch.tensor([[1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
SECOND = torch.tensor([[2.0, 0.0], [1.0, 3.0]], dtype=torch.float64)


def rows(seed, count, shape=(6, 4)):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(count)]


def test_by_hand():
    # Errors (-2, 1) and (2, 0): squares 5 and 4, absolutes 3 and 2.
    assert additive_loss(WHOLE, FIRST, SECOND).item() == pytest.approx((5 + 4) / 2)
    assert additive_loss(WHOLE, FIRST, SECOND, power=1).item() == pytest.approx((3 + 2) / 2)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_slow_twin(power, parts):
    whole, *given_parts = rows(0, parts + 1)
    total = 0.0
    for i in range(6):
        for c in range(4):
            total += abs(whole[i, c].item() - sum(part[i, c].item() for part in given_parts)) ** power
    assert additive_loss(whole, *given_parts, power=power).item() == pytest.approx(total / 6, rel=1e-12)


@pytest.mark.parametrize("power", [1, 2])
def test_zero_when_the_whole_is_the_sum(power):
    first, second = rows(1, 2)
    assert additive_loss(first + second, first, second, power=power).item() == 0
    assert additive_loss(first + second, second, first, power=power).item() == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(6)))
def test_neither_the_order_of_rows_nor_that_of_parts_matters(seed, order):
    whole, first, second = rows(seed, 3)
    expected = additive_loss(whole, first, second).item()
    turned = [given_rows[list(order)] for given_rows in (whole, second, first)]
    assert additive_loss(*turned).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("power", [1, 2])
def test_gradient(power):
    given_rows = [value.requires_grad_() for value in rows(2, 3, (2, 3))]
    assert torch.autograd.gradcheck(lambda *r: additive_loss(*r, power=power), given_rows)


def test_the_whole_and_the_parts_are_pulled_towards_each_other():
    whole, first, second = (value.clone().requires_grad_() for value in (WHOLE, FIRST, SECOND))
    additive_loss(whole, first, second).backward()
    # 2 x error / 2 rows on the whole, its negative on each part.
    assert whole.grad.tolist() == [[-2, 1], [2, 0]]
    assert first.grad.tolist() == second.grad.tolist() == [[2, -1], [-2, 0]]


def test_half_precision_is_taken_in_float32():
    found = additive_loss(WHOLE.bfloat16(), FIRST.bfloat16(), SECOND.bfloat16())
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(4.5)


def test_bad_input():
    with pytest.raises(InternalError, match=r"additive_loss: got shapes \[\(2, 2\), \(2, 3\)\]"):
        additive_loss(WHOLE, torch.zeros(2, 3))
    with pytest.raises(InternalError, match="one or more parts"):
        additive_loss(WHOLE)
    with pytest.raises(InternalError, match="N at least 1"):
        additive_loss(torch.zeros(0, 2), torch.zeros(0, 2))
    with pytest.raises(RecipeError, match="power is 3"):
        additive_loss(WHOLE, FIRST, power=3)
