"""The identity loss: values by hand, a slow twin, and what bad input gets."""

import math

import pytest
import torch

from tapetum.errors import InternalError, RecipeError
from tapetum.losses.identity import identity_loss


def test_value_by_hand():
    # Odds 3:1 for the right class in row 0 and 1:1 in row 1: (log 4/3 + log 2) / 2.
    logits = torch.tensor([[math.log(3.0), 0.0], [5.0, 5.0]])
    expected = (math.log(4 / 3) + math.log(2)) / 2
    assert identity_loss(logits, torch.tensor([0, 1])).item() == pytest.approx(expected, rel=1e-6)


def test_smoothing_by_hand():
    # Smoothing 0.2 over two classes: targets 0.9 and 0.1, on odds 3:1.
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, math.log(3.0)]])
    expected = 0.9 * math.log(4 / 3) + 0.1 * math.log(4)
    assert identity_loss(logits, torch.tensor([0, 1]), 0.2).item() == pytest.approx(expected, rel=1e-6)


def test_certain_and_right_is_zero_and_equal_logits_give_log_of_classes():
    person = torch.tensor([2, 0])
    assert identity_loss(torch.eye(5)[person] * 1000, person).item() == 0
    assert identity_loss(torch.ones(2, 5), person).item() == pytest.approx(math.log(5), rel=1e-6)


def test_slow_twin():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    person = torch.tensor([3, 0, 1, 1, 2, 3])
    total = 0.0
    for row, right in zip(logits.tolist(), person.tolist(), strict=True):
        log_sum = math.log(sum(math.exp(value) for value in row))
        for c, value in enumerate(row):
            total -= (0.9 * (c == right) + 0.1 / 4) * (value - log_sum)
    assert identity_loss(logits, person, 0.1).item() == pytest.approx(total / 6, rel=1e-12)


def test_gradient():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: identity_loss(z, torch.tensor([0, 3, 1]), 0.1), logits)


def test_bad_input():
    with pytest.raises(InternalError, match=r"identity_loss: .*\(2, 3\).*\(3,\)"):
        identity_loss(torch.zeros(2, 3), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(RecipeError, match=r"smoothing is 1\.0"):
        identity_loss(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64), 1.0)
