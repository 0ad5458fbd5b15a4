"""Structure codes and identity vectors: shallow, with a branch, residual; with edges; and where gradients end."""

from __future__ import annotations

import pytest
import torch

from tapetum.errors import RecipeError
from tapetum.nets.backbones import TrunkSettings
from tapetum.nets.frozen import frozen
from tapetum.nets.structure_trunk import ReaderSettings, ResidualStructure, StructureReader

SMALL = {"width": 8, "code_width": 2, "dilations": (1, 2, 3)}


def reader(**settings: object) -> StructureReader:
    torch.manual_seed(0)
    return StructureReader(ReaderSettings(**{**SMALL, **settings}))  # type: ignore[arg-type]


def test_the_residual_one_has_the_published_sizes():
    # METHODS 10.4: a tap of 256 -> 128 on ResNet-50.
    with torch.device("meta"):
        network = ResidualStructure(TrunkSettings("resnet50", "stem"), 128)
    assert sum(parameter.numel() for parameter in network.parameters()) == 23_508_032 + 256 * 128 + 128
    small = ResidualStructure(TrunkSettings("resnet10", "stem", width=8), 16)
    s, maps = small(torch.rand(2, 3, 64, 32))
    assert (s.shape, maps.shape) == ((2, 16, 16, 8), (2, 64, 4, 2))


@pytest.mark.parametrize(
    ("settings", "length"),
    [
        ({}, 16),
        ({"branch": True}, 128),
        ({"kind": "resnet10"}, 64),
        ({"kind": "resnet10", "edges": "input", "strips": 2}, 128),
        ({"edges": "input"}, 16),
        ({"edges": "branch", "strips": 4, "pooling": "gem"}, 64),
        ({"norm": "ibn"}, 16),
    ],
)
def test_code_and_vector(settings, length):
    network = reader(**settings)
    s, vector = network(torch.randn(2, 3, 64, 32))
    assert s.shape == (2, 16, 16, 8)
    assert vector.shape == (2, length)
    assert (network.code_channels, network.length) == (16, length)


@pytest.mark.parametrize("settings", [{"branch": True}, {"kind": "resnet10"}, {}])
@pytest.mark.parametrize("attached", [True, False])
def test_detached_the_identity_does_not_reach_what_s_is_made_of(settings, attached):
    network = reader(**settings, attached=attached)
    _, vector = network(torch.randn(2, 3, 64, 32))
    early = network.structure.early if "kind" in settings else network.structure.encoder
    if vector.requires_grad:
        vector.square().sum().backward()
    reached = any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in early.parameters())
    assert reached == attached


@pytest.mark.parametrize("settings", [{"branch": True}, {"kind": "resnet10"}, {}])
@pytest.mark.parametrize("pulled", [True, False])
def test_unpulled_a_painter_does_not_reach_what_identity_is_read_from(settings, pulled):
    network = reader(**settings, pulled=pulled)
    s, _ = network(torch.randn(2, 3, 64, 32))
    early = network.structure.early if "kind" in settings else network.structure.encoder
    if s.requires_grad:
        s.square().sum().backward()
    reached = any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in early.parameters())
    assert reached == pulled
    if "kind" in settings:
        assert bool(network.structure.tap.weight.grad.abs().sum() > 0)


@pytest.mark.parametrize("settings", [{"branch": True}, {"kind": "resnet10"}, {}])
@pytest.mark.parametrize("closed", [{"pulled": False}, {"attached": False}])
def test_frozen_both_codes_teach_whoever_painted_the_picture(settings, closed):
    network = reader(**settings, **closed)
    x = torch.randn(2, 3, 64, 32, requires_grad=True)
    with frozen(network):
        s, vector = network(x)
        for code in (s, vector):
            (gradient,) = torch.autograd.grad(code.square().sum(), x, retain_graph=True)
            assert bool(gradient.abs().sum() > 0)


def test_edges_alone_do_not_see_how_bright_a_picture_is():
    network = reader(kind="resnet10", edges="alone").eval()
    x = torch.randn(2, 3, 64, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(x).vector, network(x + 3).vector, atol=1e-3, rtol=1e-3)
        assert not torch.allclose(network(x).vector, network(x.flip(3)).vector, atol=1e-2)


def test_colour_is_not_seen_but_in_grey():
    network = reader().eval()
    x = torch.randn(2, 3, 64, 32)
    turned = x.roll(1, dims=1)  # other colours, the same mean
    with torch.inference_mode():
        assert torch.allclose(network(x).s, network(turned).s, atol=1e-3)


def test_edges_have_no_imagenet_weights():
    with pytest.raises(RecipeError, match=r"Set settings.structure_weights=none, or settings.edges=branch"):
        reader(kind="resnet50", weights="imagenet", width=64, edges="alone")


def test_odd_sizes_are_refused():
    with pytest.raises(RecipeError, match="multiples of 4"):
        reader(kind="resnet10")(torch.rand(1, 3, 62, 32))


@pytest.mark.parametrize("settings", [{}, {"kind": "resnet10", "edges": "branch"}, {"edges": "input"}])
def test_an_average_that_is_always_zero_is_refused(settings):
    with pytest.raises(RecipeError, match="the average of an instance-normed code is zero"):
        reader(**settings, pooling="average")
    for saved in ({"strips": 4}, {"norm": "batch"}, {"pooling": "gem"}):
        reader(**{**settings, "pooling": "average", **saved})
    with torch.inference_mode():
        assert reader()(torch.randn(3, 3, 64, 32)).s.mean(dim=(2, 3)).abs().max() < 1e-5  # which is why
