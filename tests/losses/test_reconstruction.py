"""Reconstruction: values by hand, zero case, both sides' gradients, errors."""

from __future__ import annotations

import pytest
import torch

from tapetum.errors import InternalError
from tapetum.losses.reconstruction import reconstruction_loss


def test_by_hand():
    # Differences 1 -2 0 5: mean 2; squares 1 4 0 25: mean 7.5.
    made, target = torch.tensor([[1.0, 0.0], [3.0, 5.0]]), torch.tensor([[0.0, 2.0], [3.0, 0.0]])
    assert reconstruction_loss(made, target).item() == 2
    assert reconstruction_loss(made, target, power=2).item() == 7.5


def test_slow_twin_and_row_order():
    made, target = torch.randn(2, 4, 3, 5, 2, dtype=torch.float64)
    total = sum(abs(x - y) for x, y in zip(made.flatten().tolist(), target.flatten().tolist(), strict=True))
    assert reconstruction_loss(made, target).item() == pytest.approx(total / made.numel(), rel=1e-12)
    order = torch.tensor([2, 0, 3, 1])
    assert reconstruction_loss(made[order], target[order]).item() == pytest.approx(total / made.numel(), rel=1e-12)


def test_zero_case_and_half_precision():
    x = torch.randn(2, 3, 4)
    assert reconstruction_loss(x, x).item() == 0
    assert reconstruction_loss(x.half(), x.half() + 1).dtype == torch.float32


@pytest.mark.parametrize("power", [1, 2])
def test_gradients_run_into_both_sides(power):
    sides = [torch.randn(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(lambda a, b: reconstruction_loss(a, b, power), sides)


def test_errors():
    with pytest.raises(InternalError, match=r"shapes \(2, 3\) and \(2, 4\)"):
        reconstruction_loss(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(InternalError, match="power 3"):
        reconstruction_loss(torch.zeros(2), torch.zeros(2), power=3)
