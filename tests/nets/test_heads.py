"""The neck and the strip embedding: values by hand, published parameter counts, what is frozen."""

import pytest
import torch

from tapetum.nets.heads import BNNeck, StripEmbedding, vector_head
from tapetum.nets.pooling import global_pooling


def test_neck_by_hand():
    neck = BNNeck(2, 3)
    with torch.no_grad():
        neck.classifier.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]]))
    normalised, logits = neck(torch.tensor([[1.0, 10.0], [3.0, 30.0]]))
    torch.testing.assert_close(normalised, torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), atol=1e-4, rtol=0)
    torch.testing.assert_close(logits, torch.tensor([[-1.0, -1.0, -4.0], [1.0, 1.0, 4.0]]), atol=1e-3, rtol=0)


def test_neck_has_the_published_size():
    neck = BNNeck(2048, 395)
    assert sum(p.numel() for p in neck.norm.parameters()) == 4096
    assert sum(p.numel() for p in neck.classifier.parameters()) == 808960
    assert neck.classifier.weight.std().item() == pytest.approx(0.001, rel=0.01)


def test_neck_never_learns_a_shift():
    neck = BNNeck(2, 3)
    optimiser = torch.optim.SGD([p for p in neck.parameters() if p.requires_grad], lr=1.0)
    normalised, logits = neck(torch.tensor([[1.0, 10.0], [3.0, 31.0]]))
    (normalised.pow(3).sum() + logits[:, 0].sum() + normalised[0].sum()).backward()
    optimiser.step()
    assert neck.norm.bias.tolist() == [0, 0]
    assert neck.norm.weight.tolist() != [1, 1]


def test_strip_embedding_has_a_weight_per_strip_channel_and_dimension():
    head = StripEmbedding(channels=256, strips=8, dimension=256, pooling=global_pooling("average"))
    assert sum(p.numel() for p in head.parameters()) == 8 * 256 * 256
    assert head(torch.rand(3, 256, 8, 4)).shape == (3, 256)


def test_strip_embedding_knows_high_from_low():
    head = StripEmbedding(channels=1, strips=2, dimension=2, pooling=global_pooling("average"))
    with torch.no_grad():
        head.project.weight.copy_(torch.tensor([[1.0, 0.0], [10.0, 1.0]]))
    maps = torch.tensor([[[[1.0, 3.0], [4.0, 6.0]]], [[[4.0, 6.0], [1.0, 3.0]]]])  # strips 2 5 and 5 2
    assert head(maps).tolist() == [[2.0, 25.0], [5.0, 52.0]]


def test_vector_head_is_plain_pooling_unless_strips_or_a_length_are_asked_for():
    pooling = global_pooling("average")
    assert vector_head(6, pooling) == (pooling, 6)
    maps = torch.rand(2, 6, 4, 3)
    for strips, dimension, length in ((2, None, 6), (1, 5, 5), (4, 8, 8)):
        head, found = vector_head(6, pooling, strips, dimension)
        assert found == length
        assert head(maps).shape == (2, length)
