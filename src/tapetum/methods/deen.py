"""Diverse embedding expansion, DEEN (Zhang and Wang, CVPR 2023): each map thrice, so that one copy may cross the gap.

    [x_0; x_1; x_2] = DEE(layer3(x))        two branches of dilated convolutions beside the map as it is
    MFA after layer1, layer2, layer3        each map hears from the one before its stage
    f_k = GeM(layer4(x_k)),  z_k = BN(f_k),  p_k = softmax(W z_k)    k = 0, 1, 2
    L = CE([p_0; p_1; p_2], y) + triplet([f_0; f_1; f_2]) + w_pair sum_{k=1,2} CPM(f_0, f_k) + w_orth mean <f_1, f_2>
    rank by sum_k cos(f_k, f_k') + cos(z_k, z_k')

The six unit vectors end to end, divided by sqrt 6, are one unit vector whose cosine is that sum divided by 6: the same
ranking exactly, from one vector six times as long. On RegDB layer4 and the third MFA are left out (`layer4: false`).
Differences: (1) Losses group rows by identity, never by their position in the batch. (2) CPM's pairs, where MFA reads
its lower map, and what its products are divided by are our reading of a short description (losses/expansion.py,
nets/embedding_expansion.py). (3) `edges`, `strips`, `smoothing` and `mirror` are ours, for small trunks that learn from
scratch on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from tapetum.core import Batch, Modality
from tapetum.data.transforms import normalise
from tapetum.losses.expansion import centre_pair_mining, orthogonality
from tapetum.losses.identity import identity_loss
from tapetum.losses.triplet import batch_hard_triplet
from tapetum.methods.method import Method, MethodSettings, Progress, Terms
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.edges import EdgeFront
from tapetum.nets.embedding_expansion import ExpandingTrunk
from tapetum.nets.heads import BNNeck
from tapetum.nets.pooling import GeneralisedMeanPooling, Strips


class DEENSettings(MethodSettings):
    """Settings of DEEN; the defaults are those on SYSU-MM01 (METHODS, section 12)."""

    trunk: str = Field("resnet50", description="resnet10, resnet18, resnet34 or resnet50")
    weights: str = Field("imagenet", description="what the trunk starts from: imagenet, none, or a weights file")
    width: int = Field(64, ge=8, description="channels of a ResNet's first stage; published: 64")
    share_from: Literal["stem", "layer1"] = Field("layer1", description="first shared stage; published: layer1")
    expansion: bool = Field(True, description="DEE and its two losses; False: DEEN without its idea")
    fusion: bool = Field(True, description="MFA")
    layer4: bool = Field(True, description="published: True on SYSU-MM01, False on RegDB (no third fusion either)")
    dropout: float = Field(0.01, ge=0, lt=1, description="after the expansion; published: 0.01")
    gem_power: float = Field(3.0, gt=0, description="p of GeM; the common frame: 3")
    margin: float | None = Field(0.3, ge=0, description="of the triplet; published: 0.3; None: soft margin")
    pair_weight: float = Field(0.8, ge=0, description="w_pair; published: 0.8")
    pair_margin: float = Field(0.2, ge=0, description="margin of CPM; published: 0.2")
    orthogonal_weight: float = Field(0.01, ge=0, description="w_orth; published: 0.01")
    edges: bool = Field(False, description="read four edge maps of the grey picture in place of its colours")
    strips: int = Field(1, ge=1, description="horizontal strips pooled apart and laid end to end")
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing of the identity loss")
    mirror: bool = Field(False, description="search with the sum of a picture's vector and its mirror image's")


class DEEN(Method):
    """The expanding network of the module's docstring."""

    Settings: ClassVar[type[MethodSettings]] = DEENSettings

    def __init__(self, settings: DEENSettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.settings = settings
        self.front = EdgeFront() if settings.edges else None
        plain = TrunkSettings(
            name=settings.trunk,
            share_from=settings.share_from,
            weights=settings.weights,
            width=settings.width,
            in_channels=EdgeFront.channels if settings.edges else 3,
        )
        self.trunk = ExpandingTrunk(
            build_trunk(plain),
            fusion=settings.fusion,
            expansion=settings.expansion,
            layer4=settings.layer4,
            dropout=settings.dropout,
        )
        self.pool = Strips(settings.strips, GeneralisedMeanPooling(settings.gem_power))
        self.neck = BNNeck(settings.strips * self.trunk.channels, persons)
        self.to(memory_format=torch.channels_last)

    def players(self) -> dict[str, nn.Module]:
        """One player: the whole network."""
        return {"model": self}

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """One step over all copies of the mixed batch: identity and triplet on all, CPM and orthogonality between."""
        settings = self.settings
        f = self._pooled(self.trunk(self._input(batch.rgb), self._input(batch.ir)))  # (copies, 2N, D), RGB rows first
        every = f.flatten(0, 1)  # (copies * 2N, D)
        y = batch.person.repeat(2 * len(f))
        _, logits = self.neck(every)
        terms = {
            "identity": identity_loss(logits, y, settings.smoothing),
            "triplet": batch_hard_triplet(every, y, settings.margin),
        }
        if settings.expansion:
            rgb, ir = f.chunk(2, dim=1)  # (3, N, D) each
            pairs = [
                centre_pair_mining(rgb[0], ir[0], rgb[k], ir[k], batch.person, settings.pair_margin) for k in (1, 2)
            ]
            terms["pairs"] = settings.pair_weight * torch.stack(pairs).sum()
            terms["orthogonality"] = settings.orthogonal_weight * orthogonality(f[1], f[2])
        yield "model", terms

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """f_0, f_1, f_2, z_0, z_1, z_2 (with `mirror`, added to the mirror image's), each of length 1 / sqrt 6, joined.

        (B, 3, H, W) -> (B, 6 D), D = strips * channels of the trunk; (B, 2 D) without expansion.
        """
        parts = self._parts(images, modality)
        if self.settings.mirror:
            parts = parts + self._parts(images.flip(3), modality)
        return F.normalize(F.normalize(parts, dim=2).transpose(0, 1).flatten(1))

    def _parts(self, images: Tensor, modality: Modality) -> Tensor:
        f = self._pooled(self.trunk.single(self._input(images), modality))  # (copies, B, D)
        z, _ = self.neck(f.flatten(0, 1))
        return torch.cat([f.float(), z.float().view_as(f)])  # (2 * copies, B, D)

    def _pooled(self, maps: Tensor) -> Tensor:
        """(copies, B, C, h, w) -> (copies, B, D)."""
        pooled: Tensor = self.pool(maps.flatten(0, 1))  # (copies * B, strips, C)
        return pooled.reshape(*maps.shape[:2], -1)

    def _input(self, images: Tensor) -> Tensor:
        x = normalise(images) if self.front is None else self.front(images)
        return x.contiguous(memory_format=torch.channels_last)
