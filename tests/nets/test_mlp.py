"""The disentangler's stacks: published parameter counts, where the ReLUs are, and a decoder that is a sum."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tapetum.nets.mlp import AdditiveDecoder, mlp


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("widths", "parameters"),
    [((512, 1024, 2048, 512, 256), 3_804_928), ((256, 512, 2048, 512), 2_231_296), ((512, 512, 395), 465_291)],
)
def test_published_parameter_counts(widths, parameters):
    # METHODS 4.1: encoder, half of the decoder, classifier of 395 persons.
    assert count(mlp(widths, last_relu=False)) == parameters
    assert mlp(widths, last_relu=True)(torch.zeros(2, widths[0])).shape == (2, widths[-1])


@pytest.mark.parametrize(("last_relu", "kinds"), [(True, "LRLR"), (False, "LRL")])
def test_a_relu_after_every_layer_but_perhaps_the_last(last_relu, kinds):
    assert "".join(type(layer).__name__[0] for layer in mlp((4, 3, 2), last_relu=last_relu)) == kinds


def test_by_hand():
    # 2 -> 2 -> 1: (1, -2) through [[1, 1], [1, -1]] is (-1, 3), after the ReLU (0, 3), through [[5, -1]] + 1 is -2.
    stack = mlp((2, 2, 1), last_relu=False)
    with torch.no_grad():
        stack[0].weight.copy_(torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
        stack[0].bias.zero_()
        stack[2].weight.copy_(torch.tensor([[5.0, -1.0]]))
        stack[2].bias.fill_(1.0)
    assert stack(torch.tensor([[1.0, -2.0]])).item() == -2.0


def test_the_decoder_is_the_sum_of_its_halves():
    torch.manual_seed(0)
    decoder = AdditiveDecoder((3, 5, 4), last_relu=False)
    m, s = torch.randn(2, 6, 3)
    assert torch.equal(decoder(m=m, s=s), decoder.rest(m) + decoder.identity(s))
    assert not torch.allclose(decoder(m=m, s=s), decoder(m=s, s=m)), "each code has a half of its own"
    assert count(decoder) == 2 * (3 * 5 + 5 + 5 * 4 + 4)


def test_with_a_last_relu_the_sum_is_never_negative():
    torch.manual_seed(0)
    m, s = torch.randn(2, 50, 3)
    assert AdditiveDecoder((3, 5, 4), last_relu=True)(m=m, s=s).min() >= 0
    assert AdditiveDecoder((3, 5, 4), last_relu=False)(m=m, s=s).min() < 0
