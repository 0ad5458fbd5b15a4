"""E_s: the published layer table and parameter count, sizes it refuses, and what reaches how far."""

from __future__ import annotations

import pytest
import torch

from tapetum.errors import RecipeError
from tapetum.nets.structure_encoder import StructureEncoder, grey, sketch


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_layer_table():
    # METHODS 9.1, by hand: 160 + 4,640 + 9,248 + 18,496 + 4 x 73,856 + ASPP 4 x 2,080 + 3 x 9,248 + fuse 16,512.
    network = StructureEncoder()
    assert count(network) == 380_544
    assert count(StructureEncoder(3)) == 380_832
    x, shapes = torch.rand(1, 1, 256, 128), []
    with torch.inference_mode():
        for layer in network.body:
            x = layer(x)
            shapes.append(tuple(x.shape[1:]))
        assert shapes[:4] == [(16, 128, 64), (32, 128, 64), (32, 128, 64), (64, 64, 32)]
        assert shapes[4:] == 4 * [(64, 64, 32)]
        assert network.near(x).shape[1:] == (32, 64, 32)
        assert [branch(x).shape[1:] for branch in network.far] == 3 * [(32, 64, 32)]
        assert network(torch.rand(1, 1, 256, 128)).shape == (1, 128, 64, 32)


def test_width_scales_every_layer():
    network = StructureEncoder(width=4, dilations=(1, 2, 3))
    assert network(torch.rand(2, 1, 64, 32)).shape == (2, 32, 16, 8)
    assert network.channels == 32


@pytest.mark.parametrize(("height", "width"), [(64, 30), (62, 32), (256, 127)])
def test_odd_sizes_are_refused_with_a_size_that_fits(height, width):
    nearest = f"{height // 4 * 4} x {width // 4 * 4}"
    with pytest.raises(RecipeError, match=rf"{height} x {width} pixels; .* multiples of 4, such as {nearest}\."):
        StructureEncoder(dilations=(1, 2, 3))(torch.rand(1, 1, height, width))


def test_a_code_that_is_too_narrow_for_the_dilations_is_refused():
    # Reflecting nine places needs ten: 40 pixels. METHODS 9.1.
    with pytest.raises(RecipeError, match=r"64 x 32 pixels are too few .* need 40 on each side.*dilations=\[1,2,3\]"):
        StructureEncoder()(torch.rand(1, 1, 64, 32))
    assert StructureEncoder(width=1)(torch.rand(1, 1, 64, 40)).shape == (1, 8, 16, 10)


def test_instance_norm_hides_brightness_and_contrast():
    network, x = StructureEncoder(width=2, dilations=(1, 2, 3)), torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        assert torch.allclose(network(x), network(3 * x + 5), atol=1e-3)
        batch_normed = StructureEncoder(width=2, dilations=(1, 2, 3), norm="batch").eval()
        assert not torch.allclose(batch_normed(x), batch_normed(3 * x + 5), atol=1e-3)


def test_a_sketch_by_hand():
    # 4 x 8 pixels: the left half 0, 0.3 and 0.6 in its channels, the right half 0.9 but for one pixel of 0.1.
    pictures = torch.tensor([0.0, 0.3, 0.6]).view(1, 3, 1, 1).repeat(1, 1, 4, 8)
    pictures[..., 4:] = 0.9
    pictures[..., 2, 5] = 0.1
    assert sketch(pictures).shape == (1, 1, 1, 2)
    assert torch.allclose(sketch(pictures).flatten(), torch.tensor([0.3, (15 * 0.9 + 0.1) / 16]))


def test_grey_is_the_mean_of_the_channels():
    assert grey(torch.tensor([0.0, 1.0, 5.0]).view(1, 3, 1, 1)).item() == 2.0
