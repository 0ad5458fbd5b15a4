"""D: published counts and shapes, first weights, scales, and pictures that are too small."""

from __future__ import annotations

import pytest
import torch

from tapetum.errors import RecipeError
from tapetum.nets.discriminator import MultiScaleDiscriminator


def test_the_published_sizes():
    # METHODS 9.1, by hand: 128 + 3 x 9,248 + 18,496 + 4 x 73,856 + 65 = 341,857 for each scale.
    network = MultiScaleDiscriminator()
    sizes = [sum(parameter.numel() for parameter in scale.parameters()) for scale in network.scales]
    assert sizes == 3 * [341_857]
    assert sum(sizes) == 1_025_571
    with torch.inference_mode():
        outputs = network(torch.rand(1, 3, 256, 128))
    assert [tuple(output.shape) for output in outputs] == [(1, 1, 64, 32), (1, 1, 32, 16), (1, 1, 16, 8)]


def test_first_weights_have_deviation_two_hundredths():
    weight = MultiScaleDiscriminator(scales=1).scales[0][5].first.convolve.weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.02)


def test_each_scale_sees_the_average_of_the_one_before():
    # The border's average leaves out what lies outside: a picture of one value stays that at every scale.
    network = MultiScaleDiscriminator(width=2, scales=2)
    network.scales[1] = network.scales[0]
    with torch.inference_mode():
        fine, coarse = network(torch.full((1, 3, 32, 32), 0.7))
    assert torch.allclose(fine.mean(), coarse.mean(), atol=1e-6)
    assert torch.allclose(fine, fine.mean().expand_as(fine), atol=1e-6)


def test_pictures_too_small_for_the_scales_are_refused():
    with pytest.raises(RecipeError, match=r"32 x 16 pixels .* at 3 scales, which need 20 .*settings.scales=2"):
        MultiScaleDiscriminator(width=2)(torch.rand(1, 3, 32, 16))
    assert len(MultiScaleDiscriminator(width=2, scales=2)(torch.rand(1, 3, 32, 16))) == 2
    assert len(MultiScaleDiscriminator(width=2)(torch.rand(1, 3, 64, 20))) == 3
