"""The U-Net's halves: shapes and counts of METHODS 3.2, what skips reach, and sizes that are refused."""

from __future__ import annotations

import pytest
import torch

from tapetum.errors import InternalError, RecipeError
from tapetum.nets.unet import UNetDecoder, UNetEncoder, check_halvings, taken

FULL = (32, 64, 128, 256, 256)


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_layer_table():
    # At 256 x 128 each side is four times as long: a bottleneck of 256 x 16 x 8.
    with torch.inference_mode():
        maps = UNetEncoder(FULL)(torch.rand(1, 3, 64, 32))
        sizes = [tuple(stage.shape[1:]) for stage in maps]
        assert sizes == [(32, 64, 32), (64, 32, 16), (128, 16, 8), (256, 8, 4), (256, 4, 2)]
        for skips in ("none", "coarse", "all"):
            decoder = UNetDecoder(FULL, skips)
            assert decoder(maps[-1], [maps[place] for place in decoder.taken]).shape == (1, 3, 64, 32)


def test_counts_by_hand():
    # E: 9 (3 4 + 4 4 + 4 6 + 6 6) weights, 4 (4 + 6) of norms. D: 9 (6 4 + 4 4) and 4 4; with the skip 9 4 4 more;
    # 4 x 27 + 3 to paint.
    assert count(UNetEncoder((4, 6))) == 9 * 88 + 40
    assert count(UNetDecoder((4, 6))) == 9 * 40 + 16 + 111
    assert count(UNetDecoder((4, 6), "all")) == 9 * 56 + 16 + 111


@pytest.mark.parametrize(("skips", "places"), [("none", []), ("coarse", [3, 2]), ("all", [3, 2, 1, 0])])
def test_which_maps_skip_the_bottleneck(skips, places):
    assert taken(FULL, skips) == places
    assert taken((4, 6), "coarse") == [0]


def test_the_picture_depends_on_each_skip_and_on_the_bottleneck():
    torch.manual_seed(0)
    encoder, decoder = UNetEncoder((4, 6, 8)), UNetDecoder((4, 6, 8), "all")
    maps = [stage.detach().requires_grad_() for stage in encoder(torch.rand(2, 3, 16, 8))]
    picture = decoder(maps[-1], [maps[place] for place in decoder.taken])
    assert -1 < picture.min() < picture.max() < 1
    picture.square().sum().backward()
    assert all(stage.grad.abs().sum() > 0 for stage in maps)


def test_pictures_do_not_see_each_other():
    torch.manual_seed(0)
    encoder, decoder, x = UNetEncoder((4, 6)), UNetDecoder((4, 6)), torch.rand(3, 3, 8, 8)
    together = decoder(encoder(x)[-1])
    assert torch.allclose(together[1:2], decoder(encoder(x[1:2])[-1]), atol=1e-6)


@pytest.mark.parametrize(("size", "advice"), [((64, 36), "64 x 32"), ((30, 16), "32 x 16"), ((16, 16), "32 x 16")])
def test_sizes_that_do_not_halve_are_refused(size, advice):
    with pytest.raises(RecipeError, match=rf"{size[0]} x {size[1]} pixels .* multiples of 16 .* such as {advice}"):
        check_halvings(torch.empty(1, 3, *size), 4)


def test_missing_skips_are_refused():
    with pytest.raises(InternalError, match=r"got 0 skips. Expected 1"):
        UNetDecoder((4, 6), "all")(torch.rand(1, 6, 4, 4))
