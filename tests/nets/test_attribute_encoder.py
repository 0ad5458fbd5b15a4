"""Attribute codes: published count, segments of the mean vector, and whose part is whose after an exchange."""

from __future__ import annotations

import torch

from tapetum.nets.attribute_encoder import AttributeEncoder, assembled, excluded_of, style_of


def test_the_published_size():
    # METHODS 7: ResNet-50, 2048 averaged, four segments of 512.
    with torch.device("meta"):
        network = AttributeEncoder("resnet50")
    assert sum(parameter.numel() for parameter in network.parameters()) == 23_508_032
    assert network.length == 512


def test_segments_follow_one_another_in_the_mean_vector():
    torch.manual_seed(0)
    network, pictures = AttributeEncoder("resnet10", width=8).eval(), torch.rand(3, 3, 32, 16)
    with torch.inference_mode():
        a = network(pictures)
        mean = network.trunk(pictures).mean(dim=(2, 3))
    assert a.shape == (3, 16, 4)
    assert torch.allclose(torch.cat([a[:, :, place] for place in range(4)], dim=1), mean, atol=1e-6)


def test_parts_by_hand():
    # Two numbers a segment; style 10 11, 30 31; pose 20 21; illumination 40 41.
    a = torch.tensor([[[10.0, 20.0, 30.0, 40.0], [11.0, 21.0, 31.0, 41.0]]])
    assert style_of(a).tolist() == [[10, 11, 30, 31]]
    assert excluded_of(a).tolist() == [[20, 21, 40, 41]]
    found = assembled(style=a, pose=a + 100, illumination=a + 200)
    assert found.tolist() == [[[10, 120, 30, 240], [11, 121, 31, 241]]]
    assert torch.equal(assembled(a, a, a), a)
