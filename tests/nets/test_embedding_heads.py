"""Embedding heads: values by hand, published parameter counts, where dropout acts."""

import pytest
import torch

from tapetum.nets.embedding_heads import EmbeddingHead, FullyConnectedHead


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_embedding_head_by_hand():
    head = EmbeddingHead(2, 2, 2)
    with torch.no_grad():
        head.project.weight.copy_(torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
        head.classifier[2].weight.copy_(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
        head.classifier[2].bias.copy_(torch.tensor([0.0, 5.0]))
        head.eval()
        # Fresh running statistics (mean 0, variance 1) leave the projection (3, -1), (0, 4) as it is; the negative
        # entry leaks a tenth into the classifier: 3, 3 - 0.1 + 5; and 0, 4 + 5.
        embedding, logits = head(torch.tensor([[1.0, 2.0], [2.0, -2.0]]))
    torch.testing.assert_close(embedding, torch.tensor([[3.0, -1.0], [0.0, 4.0]]), atol=1e-4, rtol=0)
    torch.testing.assert_close(logits, torch.tensor([[3.0, 7.9], [0.0, 9.0]]), atol=1e-4, rtol=0)


def test_the_embedding_is_normalised_over_the_batch():
    torch.manual_seed(0)
    embedding, _ = EmbeddingHead(6, 4, 3)(10 + 5 * torch.randn(32, 6))
    torch.testing.assert_close(embedding.mean(dim=0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(embedding.var(dim=0, correction=0), torch.ones(4), atol=1e-3, rtol=0)


def test_embedding_head_has_the_published_size():
    # 2048 -> 512 -> 395: 1,048,576 weights, a norm of 1,024, and 512 x 395 + 395 = 202,635.
    head = EmbeddingHead(2048, 512, 395)
    assert (count(head.project), count(head.norm), count(head.classifier)) == (1_048_576, 1_024, 202_635)
    assert head.classifier[2].weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert head.classifier[2].bias.abs().max().item() == 0


def test_fully_connected_head_by_hand():
    head = FullyConnectedHead(2, 2, 2).eval()
    with torch.no_grad():
        head.embed[2].weight.copy_(torch.tensor([[1.0, 2.0], [-1.0, 1.0]]))
        head.embed[2].bias.copy_(torch.tensor([1.0, 0.0]))
        head.classifier[1].weight.copy_(torch.tensor([[1.0, 1.0], [0.0, 2.0]]))
        # Of (3, -4) the first ReLU leaves (3, 0): fc7 gives 4 and -3, of which the second leaves 4 and 0.
        embedding, logits = head(torch.tensor([[3.0, -4.0], [0.0, 2.0]]))
    assert embedding.tolist() == [[4.0, 0.0], [5.0, 2.0]]
    assert logits.tolist() == [[4.0, 0.0], [7.0, 4.0]]


def test_fully_connected_head_has_the_published_size():
    # METHODS 2.1: fc7 4.20 M, fc8 0.21 M. 4096 x 1024 + 1024 and 1024 x 206 + 206.
    head = FullyConnectedHead(4096, 1024, 206)
    assert (count(head.embed), count(head.classifier)) == (4_195_328, 211_150)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_acts_in_training_alone(dropout):
    torch.manual_seed(0)
    features = torch.randn(8, 16)
    for head in (EmbeddingHead(16, 32, 4, dropout), FullyConnectedHead(16, 32, 4, dropout)):
        embedding, logits = head(features)
        again, logits_again = head(features)
        assert torch.equal(logits, logits_again) == (dropout == 0)
        # The embedding of a ResNet frame, which is ranked, is that before dropout.
        assert torch.equal(embedding, again) == (dropout == 0 or isinstance(head, EmbeddingHead))
        head.eval()
        assert torch.equal(head(features)[1], head(features)[1])
