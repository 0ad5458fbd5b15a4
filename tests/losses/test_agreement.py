"""Divergence of two lights' predictions: values by hand, a slow twin, grouping by label, zero case, gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.errors import InternalError, RecipeError
from tapetum.losses.agreement import prediction_divergence

PERSON = torch.tensor([0, 1])


def random_batch(seed, rows=6, classes=4):
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, rows, classes, generator=generator, dtype=torch.float64)
    return a, b, torch.tensor([3, 3, 1, 1, 1, 8])


def test_value_by_hand():
    # Odds 3:1 against 1:1 for the first person: 3/4 log(3/2) + 1/4 log(1/2); equal predictions for the second.
    reference = torch.tensor([[2 * math.log(3.0), 0.0], [1.0, 5.0]])
    logits = torch.tensor([[4.0, 4.0], [2.0, 6.0]])
    expected = 2.0**2 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5)) / 2
    assert prediction_divergence(reference, logits, PERSON, PERSON, 2.0).item() == pytest.approx(expected, rel=1e-5)


def test_the_direction_is_from_the_reference():
    # The other way round: 1/2 log(2/3) + 1/2 log(2).
    reference, logits = torch.zeros(2, 2), torch.tensor([[math.log(3.0), 0.0], [math.log(3.0), 0.0]])
    expected = 0.5 * math.log(2 / 3) + 0.5 * math.log(2)
    assert prediction_divergence(reference, logits, PERSON, PERSON, 1.0).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_slow_twin(seed):
    a, b, person = random_batch(seed)
    total = 0.0
    for label in (1, 3, 8):
        p, q = ((rows[person == label].mean(dim=0) / 3).softmax(dim=0).tolist() for rows in (a, b))
        total += sum(x * math.log(x / y) for x, y in zip(p, q, strict=True))
    assert prediction_divergence(a, b, person, person).item() == pytest.approx(9 * total / 3, rel=1e-10)


def test_zero_for_equal_means_whatever_is_added_to_all_logits():
    a, _, person = random_batch(4)
    assert prediction_divergence(a, a + 2.5, person, person).item() == pytest.approx(0, abs=1e-12)


def test_gradient():
    a, b, person = random_batch(5)
    assert torch.autograd.gradcheck(
        lambda a, b: prediction_divergence(a, b, person, person), (a.requires_grad_(), b.requires_grad_())
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(6)), st.permutations(range(6)))
def test_rows_are_grouped_by_label_and_not_by_position(seed, order, other):
    a, b, person = random_batch(seed)
    expected = prediction_divergence(a, b, person, person).item()
    shuffled = prediction_divergence(a[list(order)], b[list(other)], person[list(order)], person[list(other)])
    assert shuffled.item() == pytest.approx(expected, rel=1e-9)


def test_bad_input():
    rows = torch.rand(2, 3)
    with pytest.raises(InternalError, match=r"persons \[0, 1\] and \(2, 3\) of persons \[0, 2\]"):
        prediction_divergence(rows, rows, PERSON, torch.tensor([0, 2]))
    with pytest.raises(RecipeError, match=r"the temperature is 0\.0\. Give a number above 0"):
        prediction_divergence(rows, rows, PERSON, PERSON, 0.0)
