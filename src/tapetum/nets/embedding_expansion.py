"""DEEN's parts: a map expanded into three, maps of two levels fused, and the trunk that holds both.

Source: METHODS 12 (Zhang and Wang, CVPR 2023). What it leaves open is decided here and said in each class.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tapetum.core import Modality
from tapetum.nets.backbones import TwoStreamTrunk

DILATIONS = (1, 2, 3)
BRANCHES = 2


class ExpansionBranch(nn.Module):
    """y = W ReLU(1/3 sum_{r=1,2,3} C_r x): C_r are 3 x 3 convolutions C -> C/4 of dilation r, W is 1 x 1, C/4 -> C.

    forward: (N, C, h, w) -> (N, C, h, w). Parameters: 3 * 9 C C/4 + C/4 C = 7 C^2 (no biases: ours).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 4
        self.spread = nn.ModuleList(
            nn.Conv2d(channels, inner, 3, padding=rate, dilation=rate, bias=False) for rate in DILATIONS
        )
        self.out = nn.Conv2d(inner, channels, 1, bias=False)
        for convolution in (*self.spread, self.out):
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        spread = torch.stack([convolution(maps) for convolution in self.spread]).mean(dim=0)  # (N, C/4, h, w)
        out: Tensor = self.out(F.relu(spread))
        return out


class EmbeddingExpansion(nn.Module):
    """DEE: the batch thrice: as it came, and through two branches of its own: [x; x_1; x_2], then dropout.

    forward: (N, C, h, w) -> (3 N, C, h, w), the N rows of x first. Parameters: 14 C^2.
    """

    def __init__(self, channels: int, dropout: float = 0.01) -> None:
        super().__init__()
        self.branches = nn.ModuleList(ExpansionBranch(channels) for _ in range(BRANCHES))
        self.dropout = nn.Dropout(dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) -> (3 N, C, h, w)."""
        expanded: Tensor = self.dropout(torch.cat([maps, *(branch(maps) for branch in self.branches)]))
        return expanded


class CrossLevelAttention(nn.Module):
    """y = x + BN(W a(theta(x), phi(z), g(z))): a map x of a higher level hears from a map z of a lower one.

    over "channels" (CNL):   a = (theta phi^T / n) g, theta, phi, g: (inner, n), z read at x's n positions;
    over "positions" (PNL):  a = g (phi^T theta / m), theta: (inner, n), phi, g: (inner, m), z at its own m positions.

    high, low: channels of x and z. inner: low's for CNL, half of it for PNL (its reduction of 2). All are 1 x 1
    convolutions. The norm starts with scale and shift 0: the block is the identity then.
    forward: x (N, high, h, w), z (N, low, s h, s w), s = 1 or 2 -> (N, high, h, w).
    Ours: a is divided by the number of positions that the product sums over.
    """

    def __init__(self, high: int, low: int, over: str) -> None:
        super().__init__()
        self.over_channels = over == "channels"
        inner = low if self.over_channels else low // 2
        self.theta = nn.Conv2d(high, inner, 1)
        self.phi = nn.Conv2d(low, inner, 1)
        self.g = nn.Conv2d(low, inner, 1)
        self.out = nn.Conv2d(inner, high, 1)
        self.norm = nn.BatchNorm2d(high)
        nn.init.zeros_(self.norm.weight)
        nn.init.zeros_(self.norm.bias)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """x (N, high, h, w) and z -> (N, high, h, w)."""
        if self.over_channels:
            step = -(-low.shape[2] // high.shape[2])
            low = low[:, :, ::step, ::step]  # the positions that a stage of that stride is centred on
        theta, phi, g = (
            branch(maps).flatten(2) for branch, maps in ((self.theta, high), (self.phi, low), (self.g, low))
        )
        if self.over_channels:
            context = (theta @ phi.transpose(1, 2) / theta.shape[2]) @ g  # (N, inner, n)
        else:
            # Without a soft-max the product can be taken from the left: no n x m matrix is made.
            context = (g @ phi.transpose(1, 2)) @ theta / phi.shape[2]  # (N, inner, n)
        update: Tensor = self.norm(self.out(context.unflatten(2, high.shape[2:])))
        return high + update


class MultiLevelFusion(nn.Module):
    """MFA: a stage's map hears from the map before that stage, first over channels, then over positions.

    forward: after (N, high, h, w), before (N, low, s h, s w) -> (N, high, h, w); the identity at the start.
    """

    def __init__(self, high: int, low: int) -> None:
        super().__init__()
        self.channels = CrossLevelAttention(high, low, "channels")
        self.positions = CrossLevelAttention(high, low, "positions")

    def forward(self, after: Tensor, before: Tensor) -> Tensor:
        """Both maps -> (N, high, h, w)."""
        fused: Tensor = self.positions(self.channels(after, before), before)
        return fused


class ExpandingTrunk(nn.Module):
    """A two-stream trunk with `MultiLevelFusion` after layer1 to layer3 and `EmbeddingExpansion` before layer4.

    trunk: with own stages before layer1 at most. fusion, expansion: whether those parts are there. layer4: False for
    DEEN on RegDB, whose trunk ends with the expansion of layer3's map and has no fusion after layer3.
    `copies`: 3 with expansion, else 1. `channels`: of the maps (ResNet-50: 2048; 1024 without layer4).
    forward: rgb (N, 3, H, W), ir (M, 3, H, W) -> (copies, N + M, C, h, w), RGB rows first; copy 0 is the plain one.
    """

    def __init__(
        self, trunk: TwoStreamTrunk, *, fusion: bool, expansion: bool, layer4: bool = True, dropout: float = 0.01
    ) -> None:
        super().__init__()
        self.trunk = trunk
        if not layer4:
            del trunk.shared.layer4
        fused = ["layer1", "layer2", "layer3"] if layer4 else ["layer1", "layer2"]
        at = trunk.stage_channels
        below = dict(zip(list(at)[1:], at.values(), strict=False))  # channels of the stage before each one
        self.fusions = nn.ModuleDict({name: MultiLevelFusion(at[name], below[name]) for name in fused if fusion})
        self.expansion = EmbeddingExpansion(at["layer3"], dropout) if expansion else nn.Identity()
        self.copies = 1 + BRANCHES if expansion else 1
        self.channels = at["layer4"] if layer4 else at["layer3"]

    def forward(self, rgb: Tensor, ir: Tensor) -> Tensor:
        """A mixed batch -> (copies, N + M, C, h, w)."""
        own = self.trunk.own
        return self._from_there_on(torch.cat([own[Modality.RGB](rgb), own[Modality.IR](ir)]))

    def single(self, images: Tensor, modality: Modality) -> Tensor:
        """Pictures of one modality -> (copies, N, C, h, w)."""
        return self._from_there_on(self.trunk.own[modality](images))

    def _from_there_on(self, maps: Tensor) -> Tensor:
        for name, stage in self.trunk.shared.named_children():
            before = maps
            maps = stage(before)
            if name in self.fusions:
                maps = self.fusions[name](maps, before)
            if name == "layer3":
                maps = self.expansion(maps)
        return maps.view(self.copies, -1, *maps.shape[1:])
