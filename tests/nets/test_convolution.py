"""The shared blocks: norms against their definition, borders, and first weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tapetum.errors import RecipeError
from tapetum.nets.convolution import ConvBlock, ResidualBlock, draw_kaiming, norm_layer, reflected, set_slope


def test_instance_norm_by_hand():
    # 1 3 5 7 in one map: mean 4, variance 5. The second picture and the second map are for themselves.
    maps = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]], [[2.0, 2.0], [2.0, 2.0]]]]).repeat(2, 1, 1, 1)
    maps[1] *= 10
    normed = norm_layer("instance", 2)(maps)
    expected = torch.tensor([[-3.0, -1.0], [1.0, 3.0]]) / math.sqrt(5)
    assert torch.allclose(normed[0, 0], expected, atol=1e-4)
    assert torch.allclose(normed[1, 0], expected, atol=1e-4)
    assert normed[:, 1].abs().max() == 0
    assert not list(norm_layer("instance", 2).parameters())


def test_layer_norm_takes_all_maps_of_a_picture_together():
    maps = torch.tensor([[[[1.0]], [[3.0]]], [[[10.0]], [[30.0]]]])
    assert torch.allclose(norm_layer("layer", 2)(maps).flatten(), torch.tensor([-1.0, 1.0, -1.0, 1.0]), atol=1e-4)


def test_ibn_is_half_instance_half_batch():
    maps = torch.rand(4, 6, 5, 5)
    found = norm_layer("ibn", 6)(maps)
    assert torch.allclose(found[:, :3], norm_layer("instance", 3)(maps[:, :3]))
    assert torch.allclose(found[:, 3:], nn.BatchNorm2d(3)(maps[:, 3:]), atol=1e-6)


def test_an_unknown_norm_is_named():
    with pytest.raises(RecipeError, match="no norm is called 'instanc'. Did you mean 'instance'?"):
        norm_layer("instanc", 4)


def test_borders_are_mirrored():
    row = torch.arange(4.0).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    assert reflected(row, 1)[0, 0, 0].tolist() == [1, 0, 1, 2, 3, 2]
    assert reflected(row, 0) is row


def test_a_block_keeps_or_halves_the_size():
    assert ConvBlock(3, 5, 3)(torch.rand(2, 3, 8, 6)).shape == (2, 5, 8, 6)
    assert ConvBlock(3, 5, 3, stride=2)(torch.rand(2, 3, 8, 6)).shape == (2, 5, 4, 3)
    assert ConvBlock(3, 5, 1, active=False)(torch.rand(2, 3, 8, 6)).shape == (2, 5, 8, 6)
    assert ConvBlock(3, 5, 4, stride=2)(torch.rand(2, 3, 8, 6)).shape == (2, 5, 4, 3)


def test_a_residual_block_adds_to_its_input():
    block = ResidualBlock(4)
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
    x = torch.randn(1, 4, 5, 5)
    assert torch.equal(block(x), x)  # also negative values: no activation after the sum


def test_another_slope_is_for_every_block_inside():
    block, x = nn.Sequential(ConvBlock(1, 1, 1), nn.Sequential(ConvBlock(1, 1, 1))), torch.tensor([[[[-1.0, 2.0]]]])
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
    assert torch.allclose(block(x), torch.tensor([[[[-0.04, 2.0]]]]))
    set_slope(block, 0.3)
    assert torch.allclose(block(x), torch.tensor([[[[-0.09, 2.0]]]]))


def test_kaiming_deviation():
    layer = nn.Linear(5000, 40)
    draw_kaiming(nn.Sequential(layer))
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / 5000), rel=0.02)
    assert layer.bias.abs().max() == 0
