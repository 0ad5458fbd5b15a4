"""Frozen use: the values and gradients of a deep copy, without the copy."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tapetum.nets.frozen import frozen, unrecorded


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3)).train()


def test_it_equals_a_copy_and_leaves_no_trace():
    own, x = network(), torch.randn(2, 3, 8, 8, requires_grad=True)
    before = copy.deepcopy(own.state_dict())
    (wanted,) = torch.autograd.grad(copy.deepcopy(own)(x).square().sum(), x)
    with frozen(own):
        y = own(x)
    (found,) = torch.autograd.grad(y.square().sum(), x)
    assert torch.equal(found, wanted)
    for name, value in own.state_dict().items():
        assert torch.equal(value, before[name]), name  # running statistics and their counter too
    assert all(parameter.grad is None and parameter.requires_grad for parameter in own.parameters())


def test_weights_get_no_gradient_from_inside_and_one_from_outside():
    own, x = network(), torch.randn(2, 3, 8, 8)
    with frozen(own):
        inside = own(x)
    assert not inside.requires_grad
    own(x).sum().backward()
    assert all(parameter.grad is not None for parameter in own.parameters())


def test_what_was_frozen_stays_frozen_and_errors_restore():
    own = network()
    own[0].requires_grad_(False)
    with pytest.raises(ValueError, match="inside"), frozen(own):
        raise ValueError("inside")
    assert [parameter.requires_grad for parameter in own.parameters()] == 2 * [False] + 4 * [True]
    assert own[1].track_running_stats


def test_unrecorded_uses_the_batch_and_forgets_it():
    own, x = network(), 5 + torch.randn(4, 3, 8, 8)
    wanted = copy.deepcopy(own)(x)
    with unrecorded(own):
        assert torch.equal(own(x), wanted)
    assert own[1].running_mean.abs().max() == 0
    assert own[1].num_batches_tracked == 0


def test_in_evaluation_running_statistics_are_used():
    own, x = network().eval(), 5 + torch.randn(4, 3, 8, 8)
    with torch.no_grad(), frozen(own):
        assert torch.equal(own(x), copy.deepcopy(own)(x))
