"""Gradient reversal: the identity forwards, the negative backwards."""

from __future__ import annotations

import torch

from tapetum.nets.gradient_reversal import ReversedClassifier, reverse_gradient


def test_value_and_gradient():
    x = torch.tensor([[1.0, -2.0], [3.0, 4.0]], requires_grad=True)
    y = reverse_gradient(x, 0.5)
    assert torch.equal(y, x)
    (y * torch.tensor([10.0, 20.0])).sum().backward()
    assert x.grad.tolist() == [[-5.0, -10.0], [-5.0, -10.0]]


def test_the_classifier_learns_forwards_and_its_input_backwards():
    torch.manual_seed(0)
    classifier, x = ReversedClassifier(3, 2, hidden=5), torch.randn(4, 3, requires_grad=True)
    label = torch.tensor([0, 1, 0, 1])
    torch.nn.functional.cross_entropy(classifier(x), label).backward()
    plain = torch.nn.functional.cross_entropy(classifier.classify(x.detach().requires_grad_()), label)
    weight = torch.autograd.grad(plain, classifier.classify[0].weight)[0]
    assert torch.allclose(classifier.classify[0].weight.grad, weight)
    twin = x.detach().clone().requires_grad_()
    torch.nn.functional.cross_entropy(classifier.classify(twin), label).backward()
    assert torch.allclose(x.grad, -twin.grad)
