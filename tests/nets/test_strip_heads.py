"""A head per strip: values by hand, published sizes, and that strips share nothing."""

import torch

from tapetum.nets.pooling import global_pooling
from tapetum.nets.strip_heads import StripHeads


def test_by_hand():
    heads = StripHeads(1, 2, 1, 2, global_pooling("average"))
    with torch.no_grad():
        for embedding, weight in zip(heads.embeddings, (1.0, -1.0), strict=True):
            embedding[0].weight.fill_(weight)
        for classifier, weights in zip(heads.classifiers, ([[1.0], [2.0]], [[3.0], [-1.0]]), strict=True):
            classifier.weight.copy_(torch.tensor(weights))
    # Strips of the two pictures: (2, 5) and (6, 7). Normalised: -1 and 1; the second head turns the sign.
    maps = torch.tensor([[[[1.0, 3.0], [4.0, 6.0]]], [[[6.0, 6.0], [5.0, 9.0]]]])
    parts, logits = heads(maps)
    torch.testing.assert_close(parts, torch.tensor([[[0.0], [1.0]], [[1.0], [0.0]]]), atol=1e-4, rtol=0)
    expected = torch.tensor([[[0.0, 0.0], [3.0, -1.0]], [[1.0, 2.0], [0.0, 0.0]]])
    torch.testing.assert_close(logits, expected, atol=1e-3, rtol=0)


def test_published_size():
    # Six strips of 2048 -> 256: 6 (2048 * 256 + 2 * 256 + 256 * 395).
    with torch.device("meta"):
        heads = StripHeads(2048, 6, 256, 395, global_pooling("gem"))
        parts, logits = heads(torch.empty(2, 2048, 18, 9))
    assert sum(p.numel() for p in heads.parameters()) == 6 * (524_288 + 512 + 101_120) == 3_755_520
    assert (parts.shape, logits.shape) == ((2, 6, 256), (2, 6, 395))


def test_a_strips_loss_reaches_its_own_head_alone():
    torch.manual_seed(0)
    heads = StripHeads(3, 3, 4, 5, global_pooling("average"))
    _, logits = heads(torch.rand(4, 3, 6, 2))
    logits[:, 1].square().sum().backward()
    for k in range(3):
        reached = [
            bool(p.grad.abs().sum() > 0)
            for part in (heads.embeddings[k], heads.classifiers[k])
            for p in part.parameters()
        ]
        assert reached == [k == 1] * 4
    assert heads.classifiers[1].weight.std().item() < 0.003
