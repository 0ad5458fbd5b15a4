"""Shape and style in one vector: published sizes, the proportion by hand, and what moves it."""

from __future__ import annotations

import pytest
import torch

from tapetum.nets.mixed_feature import MixedFeature


def test_the_published_sizes():
    # ResNet-50's layer2 1,219,584 and layer3 7,098,368, and w. A map of 256 x 64 x 32 and 1,024 of style: 2,048.
    with torch.device("meta"):
        network = MixedFeature(256, 1024, "resnet50")
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_219_584 + 7_098_368 + 1
    assert network.length == 2048


def test_the_proportion_by_hand():
    # w = 0.5 at first: both halves have length 0.5; with w = 0.8 they have 0.8 and 0.2, whatever their size was.
    torch.manual_seed(0)
    network = MixedFeature(8, 4, "resnet10", strips=2).eval()
    maps, style = torch.rand(3, 8, 16, 8), 7 * torch.randn(3, 4)
    found = network(maps, style)
    assert found.shape == (3, network.length) == (3, 2 * 32 + 4)
    assert torch.allclose(found[:, :-4].norm(dim=1), torch.full((3,), 0.5), atol=1e-6)
    assert torch.allclose(found[:, -4:], 0.5 * style / style.norm(dim=1, keepdim=True), atol=1e-6)
    with torch.no_grad():
        network.share.fill_(0.8)
    lengths = [part.norm(dim=1).mean().item() for part in network(maps, style).split([64, 4], dim=1)]
    assert lengths == pytest.approx([0.8, 0.2], rel=1e-5)


def test_the_proportion_learns_and_so_do_both_sides():
    network, style = MixedFeature(8, 4, "resnet10"), torch.randn(3, 4, requires_grad=True)
    maps = torch.rand(3, 8, 16, 8, requires_grad=True)
    (network(maps, style) * torch.randn(3, network.length)).sum().backward()
    for given in (network.share, maps, style):
        assert given.grad.abs().sum() > 0
