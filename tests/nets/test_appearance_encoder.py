"""E_a and its heads: published sizes, the code's parts, and what a head gives."""

from __future__ import annotations

import torch

from tapetum.nets.appearance_encoder import AppearanceEncoder
from tapetum.nets.identity_head import IdentityHead


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_published_sizes():
    # METHODS 9.1: ResNet-50, 23,508,032; two heads 2048 -> 512 -> 395, 2,505,494.
    with torch.device("meta"):
        encoder = AppearanceEncoder()
        heads = [IdentityHead(2048, 512, 395, dropout) for dropout in (0.5, 0.75)]
    assert count(encoder) == 23_508_032
    assert sum(count(head) for head in heads) == 2_505_494
    assert encoder.channels == 2048


def test_maps_and_code_of_a_small_one():
    encoder = AppearanceEncoder("resnet10", width=8)
    maps = encoder(torch.rand(2, 3, 64, 32))
    assert maps.shape == (2, 64, 4, 2)
    assert encoder.code(maps).shape == (2, 64, 4)


def test_the_code_is_the_maximum_over_each_quarter_of_the_height():
    # Rows 0 ... 7 of a map hold their own number, but for a 9 at the right of row 2.
    maps = torch.arange(8.0).view(1, 1, 8, 1).repeat(1, 1, 1, 3)
    maps[0, 0, 2, 2] = 9
    assert AppearanceEncoder.code(maps)[0, 0].tolist() == [1, 9, 5, 7]
    assert AppearanceEncoder("resnet10", width=8).pooled(maps).tolist() == [[9]]
    assert AppearanceEncoder("resnet10", width=8, strips=2).pooled(maps).tolist() == [[9, 7]]


def test_edges_stand_beside_the_colours():
    encoder = AppearanceEncoder("resnet10", width=8, edges=True, strips=2)
    x = torch.rand(2, 3, 64, 32)
    assert encoder(x).shape == (2, 64, 4, 2)
    assert (encoder.length, encoder.pooled(encoder(x)).shape) == (128, (2, 128))
    (first,) = (
        layer for layer in encoder.trunk.modules() if isinstance(layer, torch.nn.Conv2d) and layer.in_channels == 7
    )
    with torch.no_grad():
        first.weight[:, :3] = 0  # without colours, a picture and its negative look the same
        assert torch.allclose(encoder.eval()(x), encoder(-x), atol=1e-5)


def test_a_head_gives_the_vector_before_and_the_feature_after_its_norm():
    torch.manual_seed(0)
    head = IdentityHead(6, 4, 3, dropout=0.5)
    found = head(torch.randn(8, 6))
    assert torch.allclose(found.feature.mean(dim=0), torch.zeros(4), atol=1e-6)
    assert torch.allclose(found.feature.var(dim=0, unbiased=False), torch.ones(4), atol=1e-3)
    assert torch.allclose(head.norm(found.vector), found.feature)
    assert found.logits.shape == (8, 3)
    assert found.logits.abs().max() < 0.1  # classifier weights of deviation 0.001: everybody is as likely
