"""The identity dispeller: values by hand, a slow twin, its gradient in closed form, zero and extreme cases."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.errors import InternalError
from tapetum.losses.dispelling import dispelling_loss


def test_value_by_hand():
    # Odds 3:1 and 1:1. Row 0: 1/2 log(1/2 / 3/4) + 1/2 log(1/2 / 1/4) = 1/2 log(2/3 x 2) = 1/2 log 4/3. Row 1: 0.
    logits = torch.tensor([[math.log(3.0), 0.0], [5.0, 5.0]])
    assert dispelling_loss(logits).item() == pytest.approx(0.5 * math.log(4 / 3) / 2, rel=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_slow_twin(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(5, 7, generator=generator, dtype=torch.float64)
    total = 0.0
    for row in logits.tolist():
        odds = [math.exp(value) for value in row]
        total += sum(math.log((1 / 7) / (value / sum(odds))) / 7 for value in odds)
    assert dispelling_loss(logits).item() == pytest.approx(total / 5, rel=1e-12)


def test_agrees_with_torch():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    uniform = torch.full((4, 6), 1 / 6, dtype=torch.float64)
    expected = torch.nn.functional.kl_div(logits.log_softmax(dim=1), uniform, reduction="batchmean")
    assert dispelling_loss(logits).item() == pytest.approx(expected.item(), rel=1e-12)


def test_the_gradient_is_the_answer_less_the_uniform_one():
    # 395 classes: the pull on a sure answer is nearly 1 a row, not 1/395.
    logits = torch.zeros(2, 395)
    logits[0, 7] = 50.0
    logits.requires_grad_()
    dispelling_loss(logits).backward()
    expected = (logits.detach().softmax(dim=1) - 1 / 395) / 2
    torch.testing.assert_close(logits.grad, expected)
    assert logits.grad[0, 7].item() == pytest.approx(0.5, abs=0.01)


def test_gradient():
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(dispelling_loss, logits)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(-50, 50), st.integers(2, 12))
def test_at_least_zero_and_blind_to_a_shift(seed, shift, classes):
    logits = torch.randn(3, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = dispelling_loss(logits).item()
    assert found >= -1e-12
    assert dispelling_loss(logits + shift).item() == pytest.approx(found, abs=1e-9)
    assert dispelling_loss(torch.full((3, classes), shift, dtype=torch.float64)).item() == pytest.approx(0, abs=1e-9)


def test_extreme_logits_and_half_precision_stay_finite():
    # A sure answer among two: half the distance between the logits, less log 2.
    sure = torch.tensor([[1e4, -1e4]], dtype=torch.bfloat16)
    found = dispelling_loss(sure)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(sure[0, 0].item() - math.log(2), rel=1e-6)


def test_bad_input():
    for shape in ((3,), (0, 4), (3, 1)):
        with pytest.raises(InternalError, match="C at least 2"):
            dispelling_loss(torch.zeros(shape))
