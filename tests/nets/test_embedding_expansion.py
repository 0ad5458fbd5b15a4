"""DEEN's parts: sizes, slow twins, identity at the start, and where they stand in the trunk."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tapetum.core import Modality
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.embedding_expansion import (
    CrossLevelAttention,
    EmbeddingExpansion,
    ExpandingTrunk,
    ExpansionBranch,
    MultiLevelFusion,
)


def size(module):
    return sum(parameter.numel() for parameter in module.parameters())


def maps(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def expanding(*, fusion=True, expansion=True, layer4=True, share_from="layer1", width=8):
    torch.manual_seed(0)
    plain = build_trunk(TrunkSettings("resnet10", share_from, width=width))
    return ExpandingTrunk(plain, fusion=fusion, expansion=expansion, layer4=layer4)


def on_meta(**changes):
    with torch.device("meta"):
        plain = build_trunk(TrunkSettings("resnet50"))
        return ExpandingTrunk(plain, **{"fusion": True, "expansion": True, **changes})


def test_a_branch_is_the_mean_of_three_dilations_then_a_one_by_one():
    torch.manual_seed(0)
    branch = ExpansionBranch(4).double()
    x = maps(2, 4, 5, 3) - 0.5
    # Slow twin: at each position, C_r sums the neighbours r away, zero outside.
    padded = F.pad(x, (3, 3, 3, 3))
    expected = torch.zeros_like(x)
    for i in range(5):
        for j in range(3):
            total = torch.zeros(2, 1, dtype=torch.float64)
            for rate, convolution in zip((1, 2, 3), branch.spread, strict=True):
                for a in (-1, 0, 1):
                    for b in (-1, 0, 1):
                        seen = padded[:, :, 3 + i + a * rate, 3 + j + b * rate]  # (2, 4)
                        total += seen @ convolution.weight[:, :, a + 1, b + 1].T / 3
            expected[:, :, i, j] = total.clamp(min=0) @ branch.out.weight[:, :, 0, 0].T
    torch.testing.assert_close(branch(x), expected)


def test_expansion_is_the_batch_thrice():
    # 14 C^2: two branches of three 3 x 3 convolutions C -> C/4 and one of 1 x 1 back: 2 (27 / 4 + 1 / 4) C^2.
    with torch.device("meta"):
        assert size(EmbeddingExpansion(1024)) == 14 * 1024**2
    expansion = EmbeddingExpansion(8).double()
    x = maps(2, 8, 4, 3)
    with torch.no_grad():
        expanded = expansion.eval()(x)
        assert expanded.shape == (6, 8, 4, 3)
        assert torch.equal(expanded[:2], x)
        assert torch.equal(expanded[4:], expansion.branches[1](x))
        assert not torch.allclose(expanded[2:4], expanded[4:])
        dropped = EmbeddingExpansion(8, dropout=0.5).double().train()(x)
    assert 0.3 < (dropped[:2] == 0).double().mean() < 0.7


def attention(high, low, over):
    torch.manual_seed(0)
    block = CrossLevelAttention(high, low, over).double().eval()
    torch.nn.init.normal_(block.norm.weight)
    torch.nn.init.normal_(block.norm.bias)
    return block


def at(convolution, x):
    return convolution.weight[:, :, 0, 0] @ x + convolution.bias[:, None]


@pytest.mark.parametrize("over", ["channels", "positions"])
def test_attention_slow_twin(over):
    # A low map of 6 x 5 below a stage of stride 2, whose map is 3 x 3.
    block, high, low = attention(6, 4, over), maps(2, 6, 3, 3), maps(2, 4, 6, 5, seed=1)
    expected = high.clone()
    for n in range(2):
        x = high[n].flatten(1)  # (6, 9)
        z = low[n][:, ::2, ::2].flatten(1) if over == "channels" else low[n].flatten(1)
        theta, phi, g = at(block.theta, x), at(block.phi, z), at(block.g, z)
        context = torch.zeros_like(theta)
        if over == "channels":
            for c in range(len(theta)):
                for d in range(len(phi)):
                    context[c] += (theta[c] @ phi[d]) / 9 * g[d]
        else:
            for i in range(9):
                for j in range(30):
                    context[:, i] += (theta[:, i] @ phi[:, j]) / 30 * g[:, j]
        update = at(block.out, context) / (1 + block.norm.eps) ** 0.5  # statistics 0 and 1
        update = update * block.norm.weight[:, None] + block.norm.bias[:, None]
        expected[n] += update.view(6, 3, 3)
    torch.testing.assert_close(block(high, low), expected)


@pytest.mark.parametrize("over", ["channels", "positions"])
def test_attention_gradient(over):
    block = attention(2, 2, over)
    inputs = (maps(1, 2, 2, 1).requires_grad_(), maps(1, 2, 3, 2, seed=1).requires_grad_())
    assert torch.autograd.gradcheck(block, inputs)


def test_fusion_starts_as_identity_and_can_leave_it():
    fusion = MultiLevelFusion(6, 4)
    high, low = maps(2, 6, 3, 3).float(), maps(2, 4, 6, 6).float()
    assert torch.equal(fusion.train()(high, low), high)
    fusion(high, low).square().sum().backward()
    assert fusion.channels.norm.weight.grad.abs().min() > 0
    assert fusion.positions.norm.weight.grad.abs().min() > 0


def fusion_size(high, low):
    # theta, phi, g, out and the norm of two attentions, one with `low` inside and one with half of it.
    return sum(inner * (high + 1) + 2 * inner * (low + 1) + high * (inner + 1) + 2 * high for inner in (low, low // 2))


def test_published_places_and_sizes():
    # ResNet-50 with own stems 23,517,568; fusions over (256, 64), (512, 256), (1024, 512); expansion at 1024.
    fusions = fusion_size(256, 64) + fusion_size(512, 256) + fusion_size(1024, 512)
    deen = on_meta()
    assert size(deen) == 23_517_568 + fusions + 14 * 1024**2
    assert list(deen.fusions) == ["layer1", "layer2", "layer3"]
    pictures = torch.empty(1, 3, 384, 144, device="meta")
    assert deen(pictures, pictures).shape == (3, 2, 2048, 24, 9)


def test_on_regdb_there_is_neither_layer4_nor_a_third_fusion():
    # layer4 has 14,964,736 parameters.
    deen = on_meta(layer4=False)
    assert size(deen) == 23_517_568 - 14_964_736 + fusion_size(256, 64) + fusion_size(512, 256) + 14 * 1024**2
    assert deen.channels == 1024
    pictures = torch.empty(1, 3, 384, 144, device="meta")
    assert deen(pictures, pictures).shape == (3, 2, 1024, 24, 9)


@pytest.mark.parametrize("share_from", ["stem", "layer1"])
def test_the_first_copy_is_the_plain_trunks_map_at_the_start(share_from):
    deen = expanding(share_from=share_from).eval()
    pictures = torch.rand(2, 3, 32, 16), torch.rand(3, 3, 32, 16)
    with torch.no_grad():
        found = deen(*pictures)
        assert found.shape == (3, 5, 64, 2, 1)
        # Close, not equal: with several threads a batch of another size is summed in another order.
        torch.testing.assert_close(found[0], deen.trunk(*pictures))
        torch.testing.assert_close(found[:, 2:], deen.single(pictures[1], Modality.IR))
        assert not torch.allclose(found[1], found[2])


def test_odd_sizes_fit():
    deen = expanding().eval()
    assert deen(torch.rand(1, 3, 44, 26), torch.rand(1, 3, 44, 26)).shape == (3, 2, 64, 3, 2)


def test_without_its_parts_it_is_the_plain_trunk():
    deen = expanding(fusion=False, expansion=False).eval()
    pictures = torch.rand(2, 3, 32, 16)
    assert size(deen) == size(deen.trunk)
    with torch.no_grad():
        found = deen(pictures, pictures)
        assert found.shape == (1, 4, 64, 2, 1)
        torch.testing.assert_close(found[0], deen.trunk(pictures, pictures))
