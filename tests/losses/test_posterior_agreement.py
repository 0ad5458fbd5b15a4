"""Agreement of posteriors row by row: value by hand, a slow twin, which side each half moves, zero case, errors."""

from __future__ import annotations

import math

import pytest
import torch

from tapetum.errors import InternalError
from tapetum.losses.posterior_agreement import posterior_agreement


def random_logits(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    real, generated = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return real, generated


def divergence(p: list[float], q: list[float]) -> float:
    return sum(x * math.log(x / y) for x, y in zip(p, q, strict=True))


def test_value_by_hand():
    # Odds 3:1 against 1:1 in the first row, the same in the second (all logits 2 higher):
    # 3/4 log(3/2) + 1/4 log(1/2) and 1/2 log(2/3) + 1/2 log(2), over two rows.
    real = torch.tensor([[math.log(3.0), 0.0], [1.0, 5.0]])
    generated = torch.tensor([[0.0, 0.0], [3.0, 7.0]])
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5) + 0.5 * math.log(2 / 3) + 0.5 * math.log(2)
    assert posterior_agreement(real, generated).item() == pytest.approx(expected / 2, rel=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_slow_twin_both_directions_and_row_order(seed):
    real, generated = random_logits(seed)
    pairs = list(zip(real.softmax(1).tolist(), generated.softmax(1).tolist(), strict=True))
    expected = sum(divergence(p, q) + divergence(q, p) for p, q in pairs) / len(pairs)
    assert posterior_agreement(real, generated).item() == pytest.approx(expected, rel=1e-10)
    assert posterior_agreement(generated, real).item() == pytest.approx(expected, rel=1e-10)
    order = torch.tensor([3, 0, 4, 1, 2])
    assert posterior_agreement(real[order], generated[order]).item() == pytest.approx(expected, rel=1e-10)


def test_zero_for_equal_posteriors_and_float32_for_half():
    real, _ = random_logits(3)
    assert posterior_agreement(real, real + 2.5).item() == pytest.approx(0, abs=1e-12)
    assert posterior_agreement(real.half(), real.half()).dtype == torch.float32


def test_gradients():
    # The generated side learns from both halves, so that the whole is its gradient; the real side from the second
    # half alone, KL(q | p), whose gradient in p's logits is p - q (over the rows).
    real, generated = random_logits(4)
    assert torch.autograd.gradcheck(lambda g: posterior_agreement(real, g), generated.clone().requires_grad_())
    real.requires_grad_()
    (gradient,) = torch.autograd.grad(posterior_agreement(real, generated), real)
    assert torch.allclose(gradient, (real.softmax(1) - generated.softmax(1)) / 5)


def test_errors():
    with pytest.raises(InternalError, match=r"posterior_agreement: got shapes \(2, 3\) and \(2, 4\)"):
        posterior_agreement(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(InternalError, match=r"Expected two \(N, C\)"):
        posterior_agreement(torch.zeros(0, 3), torch.zeros(0, 3))
