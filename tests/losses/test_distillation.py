"""A teacher's soft labels: both directions by hand, slow twin, zero case, gradients, errors."""

from __future__ import annotations

import math

import pytest
import torch

from tapetum.errors import InternalError
from tapetum.losses.distillation import soft_label_loss

LOGITS = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])  # p = 3/4 1/4 and 1/2 1/2
SOFT = torch.tensor([[0.5, 0.5], [0.5, 0.5]])


def test_both_directions_by_hand():
    forward = (0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)) / 2
    backward = (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)) / 2
    assert soft_label_loss(LOGITS, SOFT).item() == pytest.approx(forward, rel=1e-5)
    assert soft_label_loss(LOGITS, SOFT, "student_teacher").item() == pytest.approx(backward, rel=1e-5)


def test_slow_twin():
    logits, soft = torch.randn(4, 6, dtype=torch.float64), torch.randn(4, 6, dtype=torch.float64).softmax(dim=1)
    p = logits.softmax(dim=1)
    rows = [sum(q * math.log(q / r) for q, r in zip(soft[i].tolist(), p[i].tolist(), strict=True)) for i in range(4)]
    assert soft_label_loss(logits, soft).item() == pytest.approx(sum(rows) / 4, rel=1e-10)


@pytest.mark.parametrize("direction", ["teacher_student", "student_teacher"])
def test_zero_case_and_gradient(direction):
    logits = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert soft_label_loss(logits, logits.softmax(dim=1), direction).item() == pytest.approx(0, abs=1e-12)
    soft = torch.randn(3, 5, dtype=torch.float64).softmax(dim=1)
    assert torch.autograd.gradcheck(lambda z: soft_label_loss(z, soft, direction), (logits,))


def test_no_gradient_runs_into_the_teacher_and_a_certain_one_is_no_infinity():
    soft = torch.tensor([[1.0, 0.0]], requires_grad=True)
    logits = torch.zeros(1, 2, requires_grad=True)
    for direction in ("teacher_student", "student_teacher"):
        loss = soft_label_loss(logits, soft, direction)
        loss.backward()
        assert math.isfinite(loss.item())
    assert soft.grad is None
    assert soft_label_loss(logits, soft).item() == pytest.approx(math.log(2))


def test_errors():
    with pytest.raises(InternalError, match=r"\(2, 3\) and \(2, 4\)"):
        soft_label_loss(torch.zeros(2, 3), torch.zeros(2, 4))
