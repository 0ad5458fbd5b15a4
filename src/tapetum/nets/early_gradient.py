"""Loss terms whose gradient is taken at once, so that the memory of the way there is free before the next part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from tapetum.errors import InternalError


def early(
    make: Callable[..., Mapping[str, Tensor]], inputs: Sequence[Tensor], modules: Sequence[nn.Module] = ()
) -> dict[str, Tensor]:
    """The terms of `make(*inputs)`, with their gradient in `inputs` and in the weights of `modules` already taken.

    The same values, and backward from their sum adds the same gradients as without; what `make` computed on its way is
    forgotten on return, where a plain call keeps it until backward. A step that is made of such parts needs the memory
    of its largest part alone. `make` must reach what has a gradient through `inputs` and `modules` only; tensors that
    it gets otherwise count as constants. The terms must be summed as they are: the gradient belongs to their sum.
    """
    leaves = [given.detach().requires_grad_(given.requires_grad) for given in inputs]
    weights = _weights(modules)
    terms = make(*leaves)
    own = [*leaves, *weights]
    return _settled(terms, _gradients(terms, own), [*inputs, *weights])


def shared(terms: Mapping[str, Tensor], *players: nn.Module) -> list[dict[str, Tensor]]:
    """A joint step of several players that have optimisers of their own: one backward, here, and terms for each.

    The first player gets the terms by name, the others their sum as "joint"; each one's carry the gradient of the sum
    in its own weights. They must be summed as they are, as those of `early`. What they were made of is forgotten.
    """
    weights = [_weights([player]) for player in players]
    gradients = iter(_gradients(terms, [weight for own in weights for weight in own]))
    total = torch.stack([term.detach().float() for term in terms.values()]).sum()
    named: list[Mapping[str, Tensor]] = [terms, *({"joint": total} for _ in players[1:])]
    return [_settled(own, [next(gradients) for _ in to], to) for own, to in zip(named, weights, strict=True)]


def _weights(modules: Sequence[nn.Module]) -> list[Tensor]:
    return [weight for module in modules for weight in module.parameters() if weight.requires_grad]


def _gradients(terms: Mapping[str, Tensor], own: Sequence[Tensor]) -> list[Tensor | None]:
    """The gradient of the terms' sum in each tensor; None for those that it does not reach."""
    reachable = [place for place, tensor in enumerate(own) if tensor.requires_grad]
    found: list[Tensor | None] = [None] * len(own)
    if terms and reachable and torch.is_grad_enabled():
        total = torch.stack([term.float() for term in terms.values()]).sum()
        if total.requires_grad:
            gradients = torch.autograd.grad(total, [own[place] for place in reachable], allow_unused=True)
            for place, gradient in zip(reachable, gradients, strict=True):
                found[place] = gradient
    return found


def _settled(
    terms: Mapping[str, Tensor], gradients: Sequence[Tensor | None], to: Sequence[Tensor]
) -> dict[str, Tensor]:
    reached = [(tensor, gradient) for tensor, gradient in zip(to, gradients, strict=True) if gradient is not None]
    if not terms:
        return {}
    values = torch.stack([term.detach().float() for term in terms.values()])
    found = _Settled.apply(values, [gradient for _, gradient in reached], *(tensor for tensor, _ in reached))
    return dict(zip(terms, found.unbind(), strict=True))


class _Settled(torch.autograd.Function):
    """Values as they are given; backward hands out the gradients that were given with them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, gradients: list[Tensor], *_: Tensor) -> Tensor:
        ctx.gradients = gradients
        return values.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        if bool((grad != grad[0]).any()):
            raise InternalError("early: the terms have one gradient together. Sum all of them, unweighted.")
        gradients: list[Tensor] = ctx.gradients  # type: ignore[attr-defined]
        return (None, None, *(gradient * grad[0].to(gradient.dtype) for gradient in gradients))
