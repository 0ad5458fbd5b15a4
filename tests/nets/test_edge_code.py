"""The identity code of edges: shapes, what it does not see, strips that cannot be cut."""

from __future__ import annotations

import pytest
import torch

from tapetum.errors import RecipeError
from tapetum.nets.backbones import TrunkSettings
from tapetum.nets.edge_code import EdgeCode

TRUNK = TrunkSettings("resnet10", width=8)


def made(strips: int = 1) -> EdgeCode:
    torch.manual_seed(0)
    return EdgeCode(TRUNK, 6, strips).eval()


@torch.inference_mode()
def test_shapes():
    pictures = torch.rand(2, 3, 64, 32)
    assert made()(pictures).shape == (2, 6)
    assert made(4)(pictures).shape == (2, 6, 4, 1)


@torch.inference_mode()
def test_one_strip_is_the_mean_of_several():
    pictures = torch.rand(2, 3, 64, 32)
    assert torch.allclose(made(4)(pictures).mean(dim=(2, 3)), made()(pictures), atol=1e-5)


@torch.inference_mode()
def test_bright_and_dark_exchanged_is_the_same_code():
    pictures = torch.rand(2, 3, 32, 16)
    code = made()(pictures)
    assert torch.allclose(made()(1 - pictures), code, atol=1e-4)
    assert not torch.allclose(made()(pictures.flip(2)), code, atol=1e-3)


def test_too_many_strips_are_refused():
    with pytest.raises(RecipeError, match="S has 2 rows, too few for 4 strips"):
        made(4)(torch.rand(1, 3, 32, 16))
