"""G: published counts and shapes, AdaIN by hand, the fast doubling against the plain one, and sharing of structures."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tapetum.errors import InternalError
from tapetum.nets.generator import AdaINBlock, Generator, UpsamplingBlock, styled


def count(*modules: torch.nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def test_the_published_layer_table():
    # METHODS 9.1. A block's MLP: 2048 512 + 512, 512 512 + 512, 512 256 + 256 = 1,443,072; two of them in four blocks.
    with torch.device("meta"):
        network = Generator()
    assert count(network) == 13_000_131
    assert count(*(mlp for block in network.blocks for mlp in (block.scale, block.shift))) == 11_544_576
    assert count(network.paint[0]) == 128 * 64 * 25 + 64 + 128
    assert count(network.paint[1]) == 64 * 32 * 25 + 32 + 64
    assert count(network.paint[2]) == count(network.paint[3]) == 32 * 32 * 9 + 32
    assert count(network.paint[4]) == 99


def test_shapes_through_the_layers():
    network, x = Generator(appearance=8, style=4), torch.rand(2, 128, 16, 8)
    shapes = []
    with torch.inference_mode():
        for block in network.blocks:
            x = block(x, torch.rand(2, 8))
            assert x.shape == (2, 128, 16, 8)
        for layer in network.paint:
            x = layer(x)
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [(64, 32, 16), (32, 64, 32), (32, 64, 32), (32, 64, 32), (3, 64, 32)]


def test_adain_by_hand():
    # 1 3 5 7: mean 4, deviation sqrt 5; scale 2, shift 10. The second picture's scale 0 leaves its shift alone.
    maps = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]], [[[0.0, 1.0], [2.0, 9.0]]]])
    found = styled(maps, torch.tensor([[2.0], [0.0]]), torch.tensor([[10.0], [-1.0]]))
    expected = 10 + 2 * torch.tensor([[-3.0, -1.0], [1.0, 3.0]]) / 5**0.5
    assert torch.allclose(found[0, 0], expected, atol=1e-4)
    assert torch.equal(found[1, 0], -torch.ones(2, 2))


def test_adain_runs_gradients_into_scale_and_shift():
    maps = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    scale, shift = (torch.randn(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(styled, (maps, scale, shift))


@pytest.mark.parametrize("size", [(4, 3), (1, 1), (2, 7)])
def test_the_fast_doubling_is_the_plain_one(size):
    # Nearest doubling, two repeated border pixels, 5 x 5 convolution: the same values and gradients, to rounding.
    block = UpsamplingBlock(6, 4).double()
    x = torch.randn(2, 6, *size, dtype=torch.float64, requires_grad=True)
    doubled = F.pad(F.interpolate(x, scale_factor=2, mode="nearest"), (2, 2, 2, 2), mode="replicate")
    plain = F.leaky_relu(block.norm(block.convolve(doubled)), 0.2)
    wanted = torch.autograd.grad(plain.square().sum(), [x, block.convolve.weight])
    fast = block(x)
    found = torch.autograd.grad(fast.square().sum(), [x, block.convolve.weight])
    assert torch.allclose(fast, plain, atol=1e-10)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-8)


def test_structures_in_several_appearances_are_painted_as_if_each_alone():
    torch.manual_seed(0)
    network, s, a = Generator(8, 5, 4), torch.rand(2, 8, 4, 4), torch.rand(6, 5, 4)
    together = network(s, a)
    alone = torch.cat([network(s[i % 2][None], a[i][None]) for i in range(6)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_each_part_of_the_appearance_drives_its_own_block():
    torch.manual_seed(0)
    network, a = Generator(8, 5, 32), torch.rand(1, 5, 4)
    for place in range(4):
        changed = a.clone()
        changed[:, :, place] += 1
        one, other = (_after_each_block(network, given) for given in (a, changed))
        same = [torch.equal(x, y) for x, y in zip(one, other, strict=True)]
        assert same == [block < place for block in range(4)]


def _after_each_block(network: Generator, a: torch.Tensor) -> list[torch.Tensor]:
    maps, found = torch.linspace(0, 1, 8 * 16).view(1, 8, 4, 4), []
    with torch.inference_mode():
        for place, block in enumerate(network.blocks):
            maps = block(maps, a[:, :, place])
            found.append(maps)
    return found


def test_a_block_without_style_returns_its_input():
    block = AdaINBlock(4, 3, 2)
    for mlp in (block.scale, block.shift):
        for parameter in mlp.parameters():
            torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 4, 3, 3)
    assert torch.equal(block(x, torch.rand(2, 3)), x)


@pytest.mark.parametrize("a", [(2, 5, 3), (3, 5, 4), (2, 20)])
def test_codes_that_do_not_fit_are_refused(a):
    with pytest.raises(InternalError, match=r"Generator: got s of shape \(2, 8, 4, 4\) and a of shape"):
        Generator(8, 5, 4)(torch.rand(2, 8, 4, 4), torch.rand(*a))
