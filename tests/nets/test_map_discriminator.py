"""The discriminator of maps: count by hand, shapes, and a gradient that comes back reversed."""

from __future__ import annotations

import torch

from tapetum.nets.map_discriminator import MapDiscriminator


def test_the_count_by_hand():
    # 9 (128 256 + 256 128 + 128 128 + 128) weights and 256 + 128 + 128 + 1 biases.
    network = MapDiscriminator(128)
    assert network(torch.rand(2, 128, 4, 3)).shape == (2, 1, 4, 3)
    assert sum(p.numel() for p in network.parameters()) == 9 * 82_048 + 513 == 738_945


def test_only_the_gradient_of_the_maps_is_reversed():
    torch.manual_seed(0)
    network, maps = MapDiscriminator(3, (4,), strength=0.5), torch.randn(2, 3, 4, 4, requires_grad=True)
    plain = network.judge(maps).square().mean()
    wanted, of_weight = torch.autograd.grad(plain, [maps, network.judge[0].convolve.weight])
    found, same = torch.autograd.grad(network(maps).square().mean(), [maps, network.judge[0].convolve.weight])
    assert torch.allclose(found, -0.5 * wanted)
    assert torch.equal(same, of_weight)
