"""Style encoder and decoder, patch discriminator: published counts and shapes by hand, what style does, errors."""

from __future__ import annotations

import pytest
import torch

from tapetum.errors import InternalError, RecipeError
from tapetum.nets.patch_discriminator import PatchDiscriminator
from tapetum.nets.style_decoder import StyleDecoder, enlarged, halved
from tapetum.nets.style_encoder import StyleEncoder


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_style_encoder_s_published_sizes():
    # METHODS 6, by hand: 7 x 7, 3 -> 32: 4,736; 4 x 4, 32 -> 64: 32,832; -> 128: 131,200; twice 262,272; 1 x 1: 16,512.
    network = StyleEncoder()
    assert [count(layer) for layer in network.body] == [4_736, 32_832, 131_200, 262_272, 262_272]
    assert count(network) == 709_824
    shapes, x = [], torch.rand(1, 3, 128, 64)
    with torch.inference_mode():
        for layer in network.body:
            x = layer(x)
            shapes.append(tuple(x.shape[1:]))
        assert network(torch.rand(2, 3, 128, 64)).shape == (2, 128)
    assert shapes == [(32, 128, 64), (64, 64, 32), (128, 32, 16), (128, 16, 8), (128, 8, 4)]


def test_the_style_decoder_s_published_sizes():
    # MLP 128 -> 256 -> 256 -> 2,048: 33,024 + 65,792 + 526,336; blocks 4 x 590,080; 5 x 5: 819,328 and a norm of 256;
    # 7 x 7: 18,819.
    with torch.device("meta"):
        network = StyleDecoder()
    assert count(network.style) == 625_152
    assert count(network.blocks) == 2_360_320
    assert [count(layer) for layer in network.paint] == [819_584, 18_819, 0]
    assert count(network) == 3_823_875
    small = StyleDecoder(8, 4, 8)
    with torch.inference_mode():
        painted = small(torch.randn(2, 8, 64, 32), torch.randn(2, 4))  # c of a 256 x 128 picture
    assert painted.shape == (2, 3, 128, 64)
    assert painted.abs().max() <= 1


def test_style_decides_about_the_picture_row_by_row():
    torch.manual_seed(0)
    network, c, s = StyleDecoder(8, 4, 8), torch.randn(2, 8, 6, 4), torch.randn(2, 4)
    together = network(c, s)
    assert torch.allclose(network(c[1:], s[1:]), together[1:], atol=1e-5)
    changed = network(c, torch.stack([s[0], s[1] + 1]))
    assert torch.allclose(changed[0], together[0], atol=1e-5)
    assert not torch.allclose(changed[1], together[1], atol=1e-3)


def test_codes_that_do_not_fit_are_refused():
    with pytest.raises(InternalError, match=r"StyleDecoder: got c of shape \(2, 8, 4, 4\) and s of shape \(3, 4\)"):
        StyleDecoder(8, 4, 8)(torch.rand(2, 8, 4, 4), torch.rand(3, 4))


def test_half_the_sides_and_back():
    # Means of 2 x 2: (1 + 2 + 3 + 6) / 4 = 3; enlarging a flat picture changes nothing.
    picture = torch.tensor([1.0, 2.0, 3.0, 6.0]).view(1, 1, 2, 2)
    assert halved(picture).tolist() == [[[[3.0]]]]
    assert torch.equal(enlarged(halved(picture)), torch.full((1, 1, 2, 2), 3.0))


def test_the_patch_discriminator_s_published_sizes():
    # 4 x 4 with 3 -> 32 -> 64 -> 128 -> 256: 1,568 + 32,832 + 131,200 + 524,544; 1 x 1: 257.
    network = PatchDiscriminator()
    assert [count(scale) for scale in network.scales] == [690_401, 690_401]
    with torch.inference_mode():
        outputs = network(torch.rand(1, 3, 128, 64))
    assert [tuple(output.shape) for output in outputs] == [(1, 1, 8, 4), (1, 1, 4, 2)]
    assert network.scales[0][3].convolve.weight.std().item() == pytest.approx(0.02, rel=0.02)


def test_pictures_that_are_too_small_are_refused():
    with pytest.raises(RecipeError, match=r"32 x 16 pixels .* at 2 scales, which need 32 .*settings.scales=1"):
        PatchDiscriminator(4)(torch.rand(1, 3, 32, 16))
    assert len(PatchDiscriminator(4, 1)(torch.rand(1, 3, 32, 16))) == 1
    with pytest.raises(RecipeError, match=r"16 pixels at least .* not of 16 x 8.*style_halvings=3"):
        StyleEncoder(4, 4)(torch.rand(1, 3, 16, 8))
    assert StyleEncoder(4, 4, 3)(torch.rand(1, 3, 16, 8)).shape == (1, 4)
