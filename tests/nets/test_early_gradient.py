"""Early gradients: the same values and the same backward as the plain terms, with the way there forgotten."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tapetum.errors import InternalError
from tapetum.nets.early_gradient import early, shared


def parts() -> tuple[nn.Module, nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    return nn.Linear(4, 3).double(), nn.Linear(3, 2).double(), torch.randn(5, 4, dtype=torch.float64)


def terms(head: nn.Module, code: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"a": head(code).square().mean(), "b": 0.5 * code.abs().sum() + head(code).exp().mean()}


def gradients(*modules: nn.Module) -> list[torch.Tensor]:
    return [parameter.grad for module in modules for parameter in module.parameters()]


def test_values_and_gradients_are_those_of_the_plain_terms():
    encoder, head, x = parts()
    twin_encoder, twin_head = copy.deepcopy(encoder), copy.deepcopy(head)
    plain = terms(twin_head, twin_encoder(x))
    torch.stack(list(plain.values())).sum().backward()
    found = early(lambda code: terms(head, code), [encoder(x)], [head])
    torch.stack(list(found.values())).sum().backward()
    assert list(found) == ["a", "b"]
    for name, value in plain.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-6)
    for one, other in zip(gradients(encoder, head), gradients(twin_encoder, twin_head), strict=True):
        assert torch.allclose(one, other)


def test_early_inside_early():
    encoder, head, x = parts()
    twin = copy.deepcopy(encoder)
    twin(x).pow(2).sum().backward()
    inner = lambda code: early(lambda c: {"square": c.pow(2).sum()}, [code])  # noqa: E731
    early(inner, [encoder(x)], [])["square"].backward()
    assert torch.allclose(encoder.weight.grad, twin.weight.grad)
    assert head.weight.grad is None


def test_what_is_made_on_the_way_is_freed():
    encoder, head, x = parts()
    alive = []

    def make(code: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = head(code).exp()
        alive.append(hidden.grad_fn)
        return {"a": hidden.sum()}

    found = early(make, [encoder(x)], [head])
    with pytest.raises(RuntimeError, match="second time"):  # its saved values are gone
        alive[0](torch.ones(5, 2, dtype=torch.float64))
    found["a"].backward()
    assert encoder.weight.grad is not None


def test_terms_weighted_apart_are_refused():
    encoder, head, x = parts()
    found = early(lambda code: terms(head, code), [encoder(x)], [head])
    with pytest.raises(InternalError, match="one gradient together"):
        (found["a"] + 2 * found["b"]).backward()
    found = early(lambda code: terms(head, code), [encoder(x)], [head])
    (3 * (found["a"] + found["b"])).backward()  # all alike is no matter
    assert head.weight.grad is not None


def test_without_anything_to_learn_the_values_come_back():
    _, head, x = parts()
    with torch.no_grad():
        found = early(lambda: terms(head, x[:, :3]), [], [head])
    assert not any(value.requires_grad for value in found.values())
    assert early(dict, [], [head]) == {}


def test_players_share_one_backward():
    encoder, head, x = parts()
    twin_encoder, twin_head = copy.deepcopy(encoder), copy.deepcopy(head)
    torch.stack(list(terms(twin_head, twin_encoder(x)).values())).sum().backward()
    first, second = shared(terms(head, encoder(x)), encoder, head)
    assert (list(first), list(second)) == (["a", "b"], ["joint"])
    assert second["joint"].item() == pytest.approx(sum(value.item() for value in first.values()), rel=1e-6)
    torch.stack(list(first.values())).sum().backward()
    assert head.weight.grad is None
    assert torch.allclose(encoder.weight.grad, twin_encoder.weight.grad)
    with torch.no_grad():
        encoder.weight.zero_()  # the first player moves before the second one's backward
    second["joint"].backward()
    assert torch.allclose(head.weight.grad, twin_head.weight.grad)
