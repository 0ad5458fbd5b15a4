"""The adversarial game: values by hand, slow twins, zero cases, gradients, and who learns from which term."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tapetum.errors import InternalError
from tapetum.losses.adversarial import discriminator_loss, discriminator_terms, generator_loss, gradient_penalty

REAL = [torch.tensor([1.0, 3.0]), torch.tensor([0.0])]
FAKE = [torch.tensor([2.0, 0.0]), torch.tensor([-1.0])]


def test_least_squares_by_hand():
    # Fine scale: fakes (4 + 0) / 2, reals (0 + 4) / 2; coarse: 1 and 1. G: (1 + 1) / 2 and 4.
    assert discriminator_loss(REAL, FAKE).item() == 2 + 2 + 1 + 1
    assert generator_loss(FAKE).item() == 1 + 4


def test_log_by_hand():
    softplus = lambda x: math.log(1 + math.exp(x))  # noqa: E731
    d = (softplus(-1) + softplus(-3)) / 2 + (softplus(2) + softplus(0)) / 2 + softplus(0) + softplus(-1)
    g = (softplus(-2) + softplus(0)) / 2 + softplus(1)
    assert discriminator_loss(REAL, FAKE, "log").item() == pytest.approx(d, rel=1e-6)
    assert generator_loss(FAKE, "log").item() == pytest.approx(g, rel=1e-6)


def test_zero_and_start():
    ones, zeros = [torch.ones(2, 1, 4, 4)], [torch.zeros(2, 1, 4, 4)]
    assert discriminator_loss(ones, zeros).item() == generator_loss(ones).item() == 0
    assert discriminator_loss(zeros, zeros, "log").item() == pytest.approx(2 * math.log(2))
    assert discriminator_loss(zeros, zeros).item() == generator_loss(zeros).item() == 1


@pytest.mark.parametrize("game", ["least_squares", "log"])
def test_gradients(game):
    scores = [torch.randn(3, 1, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(
        lambda *s: discriminator_loss(s[:1], s[1:], game).double(), scores, atol=1e-3, eps=1e-3
    )
    assert torch.autograd.gradcheck(lambda *s: generator_loss(s, game).double(), scores, atol=1e-3, eps=1e-3)


def test_the_gradient_penalty_by_hand():
    # score = w . x for each picture: the gradient is w, its square 9 + 16; a second scale of 2 w adds 100.
    x = torch.randn(3, 2, requires_grad=True)
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    penalty = gradient_penalty(x, [x @ w, 2 * (x @ w)])
    assert penalty.item() == pytest.approx(125)
    penalty.backward()
    assert torch.allclose(w.grad, 10 * w)  # of 5 |w|^2


def test_the_gradient_penalty_is_a_mean_over_pictures_and_sums_patches():
    # Patches x and x^2 of each picture: gradient 1 + 2 x; (1 + 2)^2 and (1 + 6)^2, mean 29.
    x = torch.tensor([[1.0], [3.0]], requires_grad=True)
    assert gradient_penalty(x, [torch.cat([x, x**2], dim=1)]).item() == 29


def test_what_the_discriminator_learns_reaches_nobody_else():
    D = nn.Conv2d(3, 1, 3)
    fake = torch.rand(2, 3, 8, 8, requires_grad=True)
    real = torch.rand(2, 3, 8, 8, requires_grad=True)
    terms = discriminator_terms(lambda x: [D(x)], real, fake, r1=0.5)
    assert list(terms) == ["adversarial", "r1"]
    sum(terms.values()).backward()
    assert fake.grad is None
    assert real.grad is None
    assert D.weight.grad.abs().sum() > 0
    once = discriminator_terms(lambda x: [D(x)], real, fake, r1=1.0)["r1"]
    assert terms["r1"].item() == pytest.approx(0.5 * once.item())
    assert list(discriminator_terms(lambda x: [D(x)], real, fake)) == ["adversarial"]


def test_scales_that_do_not_fit_are_refused():
    with pytest.raises(InternalError, match="got 2 and 1 scales"):
        discriminator_loss(REAL, FAKE[:1])
    with pytest.raises(InternalError, match="got 0 and 0 scales"):
        generator_loss([])
