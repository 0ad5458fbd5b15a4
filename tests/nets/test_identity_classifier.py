"""The teacher: a two_stream run's network, soft labels of a picture and its mirror image, weights from a file."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from tapetum.errors import RecipeError
from tapetum.methods.two_stream import TwoStream, TwoStreamSettings
from tapetum.nets.backbones import TrunkSettings
from tapetum.nets.identity_classifier import IdentityClassifier

SMALL = TrunkSettings("resnet10", "stem", width=8)


def test_published_size():
    # ResNet-50, 2048 -> 512, BN, 395 persons: 23,508,032 + 1,048,576 + 1,024 + 202,240.
    with torch.device("meta"):
        network = IdentityClassifier(TrunkSettings("resnet50", "stem"), 512, 395)
    assert sum(parameter.numel() for parameter in network.parameters()) == 24_759_872


def test_soft_labels_are_those_of_both_sides():
    torch.manual_seed(0)
    network, x = IdentityClassifier(SMALL, 8, 5).eval(), torch.randn(3, 3, 32, 16)
    torch.nn.init.normal_(network.neck.classifier.weight)
    q = network.soft_labels(x)
    assert torch.allclose(q.sum(dim=1), torch.ones(3), atol=1e-6)
    assert torch.allclose(q, network.soft_labels(x.flip(3)), atol=1e-6)
    one, other = network(x).softmax(dim=1), network(x.flip(3)).softmax(dim=1)
    assert torch.allclose(q, (one + other) / 2, atol=1e-6)
    assert not q.requires_grad


def test_it_reads_the_weights_of_a_two_stream_run(tmp_path):
    settings = {"trunk": "resnet10", "weights": "none", "width": 8, "share_from": "stem"}
    run = TwoStream(TwoStreamSettings.model_validate({**settings, "pooling": "average", "embedding": 8}), 5).eval()
    save_file({name: value.contiguous() for name, value in run.state_dict().items()}, tmp_path / "model.safetensors")
    teacher = IdentityClassifier(SMALL, 8, 5, str(tmp_path / "model.safetensors")).eval()
    x = torch.randn(2, 3, 32, 16)
    with torch.inference_mode():
        _, logits = run.neck(run.pool(run.trunk.shared(x)))
        assert torch.allclose(teacher(x), logits, atol=1e-5)


def test_edges_and_strips():
    torch.manual_seed(0)
    network = IdentityClassifier(SMALL, 8, 5, edges=True, strips=2).eval()
    torch.nn.init.normal_(network.neck.classifier.weight)
    x = torch.randn(2, 3, 64, 32)
    assert network.pool.project.weight.shape == (8, 2 * 64)
    assert torch.allclose(network(x), network(-x), atol=1e-5)  # a picture's edges are those of its negative


def test_weights_of_other_persons_are_refused(tmp_path):
    network = IdentityClassifier(SMALL, 8, 5)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, tmp_path / "w.safetensors")
    with pytest.raises(RecipeError, match=r"neck.classifier.weight' has shape \(5, 8\), expected shape \(6, 8\)"):
        IdentityClassifier(SMALL, 8, 6, str(tmp_path / "w.safetensors"))
