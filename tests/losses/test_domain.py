"""Telling domains apart: values by hand, slow twin, zero case, gradients, errors."""

from __future__ import annotations

import math

import pytest
import torch

from tapetum.errors import InternalError
from tapetum.losses.domain import domain_loss


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


def test_by_hand():
    # Domain 1: scores 2 and 0 of one picture. Domain 0: pictures with 1 1 and -1 3. Each domain one half.
    scores = torch.tensor([[2.0, 0.0], [1.0, 1.0], [-1.0, 3.0]])
    of_one = (softplus(-2) + softplus(0)) / 2
    of_zero = (2 * softplus(1) + softplus(-1) + softplus(3)) / 4
    assert domain_loss(scores, torch.tensor([1, 0, 0])).item() == pytest.approx((of_one + of_zero) / 2, rel=1e-6)


def test_slow_twin_row_order_and_kinds_of_labels():
    scores = torch.randn(5, 1, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    domain = torch.tensor([0, 1, 0, 0, 1])
    total = 0.0
    for kind, share in ((0, 3), (1, 2)):
        for place, row in enumerate(scores.flatten(1).tolist()):
            if domain[place] == kind:
                total += sum(softplus(z if kind == 0 else -z) for z in row) / 6 / share / 2
    order = torch.tensor([3, 1, 4, 0, 2])
    assert domain_loss(scores, domain).item() == pytest.approx(total, rel=1e-12)
    assert domain_loss(scores[order], domain[order].bool()).item() == pytest.approx(total, rel=1e-12)


def test_balanced_domains_are_the_plain_mean():
    scores, domain = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([0.0, 1, 1, 0])
    plain = torch.nn.functional.binary_cross_entropy_with_logits(scores, domain[:, None].expand_as(scores))
    assert domain_loss(scores, domain).item() == pytest.approx(plain.item(), rel=1e-6)


def test_start_zero_and_half_precision():
    domain = torch.tensor([0, 1])
    assert domain_loss(torch.zeros(2, 3), domain).item() == pytest.approx(math.log(2))
    assert domain_loss(torch.tensor([[-1000.0], [1000.0]]), domain).item() == 0
    assert domain_loss(torch.zeros(2, 3).half(), domain).dtype == torch.float32


def test_gradients():
    scores = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: domain_loss(z, torch.tensor([0, 1, 1])), scores)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InternalError, match=r"scores of shape \(2, 3\) and domains of shape \(3,\)"):
        domain_loss(torch.zeros(2, 3), torch.zeros(3))
