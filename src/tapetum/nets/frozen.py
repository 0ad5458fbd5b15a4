"""Use a network without training it: no copy, only its own weights with the gradient switched off for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """What the modules compute inside has no gradient in their weights, but one in their inputs.

    Batch norms go on with the batch's statistics in training mode, and their running ones stay as they are. The same
    values and gradients as with a deep copy made for the step, whose weights nobody reads.
    """
    weights = [weight for module in modules for weight in module.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        with unrecorded(*modules):
            yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


@contextmanager
def unrecorded(*modules: nn.Module) -> Iterator[None]:
    """Batch norms in training mode use the batch's statistics and keep their running ones: for generated pictures."""
    norms = [
        layer
        for module in modules
        for layer in module.modules()
        if isinstance(layer, _BatchNorm) and layer.training and layer.track_running_stats
    ]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
