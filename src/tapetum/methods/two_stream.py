"""Two streams, one trunk: the common frame of today's baselines, with AGW and MMD-ReID as settings of it.

    f_m = pool(trunk(stem_m(x)))    m = rgb, ir: own stages before `share_from`, the same ones from there on
    z = BN(f),  p = softmax(W z)    BNNeck: no learned shift, no bias (Luo et al., 2019)
    L = w_identity CE(p, y) + w_metric L_metric(f) + w_discrepancy L_mmd(f)
    L_metric = batch_hard (Hermans et al., 2017) | weighted (WRT of AGW) | hetero_centre (HC-Tri, Liu et al., TMM 2021)
    L_mmd = 1/P sum_i MMD_i^2 [MMD_i^2 > gate]   margin MMD-ID: person i's RGB features against its infrared ones
    rank by cos(z_query, z_gallery)

AGW (Ye et al., TPAMI 2021) is `non_local_channels: 1, pooling: gem, metric: weighted`. MMD-ReID (Jambigi et al., BMVC
2021) is `share_from: layer3, pooling: gem, metric: hetero_centre, metric_weight: 2.0, discrepancy_weight: 0.25`.
Differences from the published code: (1) losses group rows by identity, never by their position in the batch.
(2) WRT's weights are a true masked soft-max and sum to 1 at any scale of distance. (3) `edges`, `strips`,
`embedding` and `mirror` are ours, for small trunks that learn from scratch on a CPU.
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
from tapetum.losses.discrepancy import margin_discrepancy
from tapetum.losses.hetero_centre import hetero_centre_triplet
from tapetum.losses.identity import identity_loss
from tapetum.losses.triplet import batch_hard_triplet, weighted_triplet
from tapetum.methods.method import Method, MethodSettings, Progress, Terms
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.edges import EdgeFront
from tapetum.nets.heads import BNNeck, vector_head
from tapetum.nets.pooling import global_pooling


class TwoStreamSettings(MethodSettings):
    """Settings of the two-stream frame; the defaults are the common frame of METHODS, section 12."""

    trunk: str = Field("resnet50", description="resnet10, resnet18, resnet34, resnet50 or efficientnet_lite0")
    weights: str = Field("imagenet", description="what the trunk starts from: imagenet, none, or a weights file")
    width: int = Field(64, ge=8, description="channels of a ResNet's first stage; published: 64")
    share_from: Literal["stem", "layer1", "layer2", "layer3", "layer4"] = Field(
        "layer1", description="first stage that both modalities share; AGW: layer1, HC-Tri: layer2, MMD-ReID: layer3"
    )
    non_local_channels: int = Field(0, ge=0, description="inner channels of AGW's five non-local blocks; its code: 1")
    edges: bool = Field(False, description="read four edge maps of the grey picture in place of its colours")
    pooling: Literal["gem", "average", "max"] = "gem"
    gem_power: float = Field(3.0, gt=0, description="p of GeM; AGW and HC-Tri: 3, HC-Tri on RegDB: 10")
    strips: int = Field(1, ge=1, description="horizontal strips pooled apart, then joined by one linear layer")
    embedding: int | None = Field(None, ge=2, description="length of the vector; None: the trunk's channels, no layer")
    metric: Literal["batch_hard", "weighted", "hetero_centre"] = "weighted"
    margin: float | None = Field(0.3, ge=0, description="of batch_hard and hetero_centre; None: soft margin")
    identity_weight: float = Field(1.0, ge=0)
    metric_weight: float = Field(1.0, ge=0, description="AGW: 1, MMD-ReID: 2")
    discrepancy_weight: float = Field(0.0, ge=0, description="of margin MMD-ID; MMD-ReID: 0.25; 0: no such term")
    discrepancy_gate: float = Field(1.4, ge=0, description="MMD^2 below which a person counts 0; published: 1.40")
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing of the identity loss")
    mirror: bool = Field(False, description="search with the sum of a picture's vector and its mirror image's")


class TwoStream(Method):
    """The two-stream frame of the module's docstring."""

    Settings: ClassVar[type[MethodSettings]] = TwoStreamSettings

    def __init__(self, settings: TwoStreamSettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.settings = settings
        self.front = EdgeFront() if settings.edges else None
        self.trunk = build_trunk(
            TrunkSettings(
                name=settings.trunk,
                share_from=settings.share_from,
                weights=settings.weights,
                width=settings.width,
                in_channels=EdgeFront.channels if settings.edges else 3,
                non_local_channels=settings.non_local_channels,
            )
        )
        pooling = global_pooling(settings.pooling, settings.gem_power)
        self.pool, dimension = vector_head(self.trunk.channels, pooling, settings.strips, settings.embedding)
        self.neck = BNNeck(dimension, persons)
        self.to(memory_format=torch.channels_last)

    def players(self) -> dict[str, nn.Module]:
        """One player: the whole network."""
        return {"model": self}

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """One step over the mixed batch: identity and metric loss on the pooled features of both modalities."""
        f = self.pool(self.trunk(self._input(batch.rgb), self._input(batch.ir)))  # (2N, D), RGB rows first
        _, logits = self.neck(f)
        y = torch.cat([batch.person, batch.person])
        terms = {
            "identity": self.settings.identity_weight * identity_loss(logits, y, self.settings.smoothing),
            self.settings.metric: self.settings.metric_weight * self._metric(f, batch.person),
        }
        if self.settings.discrepancy_weight > 0:
            rgb, ir = f.chunk(2)
            discrepancy = margin_discrepancy(rgb, ir, batch.person, self.settings.discrepancy_gate)
            terms["discrepancy"] = self.settings.discrepancy_weight * discrepancy
        yield "model", terms

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """z (with `mirror`, z(x) + z(mirrored x)) scaled to unit length: (B, 3, H, W) -> (B, D)."""
        z = self._feature(images, modality)
        if self.settings.mirror:
            z = z + self._feature(images.flip(3), modality)
        return F.normalize(z)

    def _feature(self, images: Tensor, modality: Modality) -> Tensor:
        normalised, _ = self.neck(self.pool(self.trunk.single(self._input(images), modality)))
        z: Tensor = normalised.float()
        return z

    def _input(self, images: Tensor) -> Tensor:
        x = normalise(images) if self.front is None else self.front(images)
        return x.contiguous(memory_format=torch.channels_last)

    def _metric(self, f: Tensor, person: Tensor) -> Tensor:
        y = torch.cat([person, person])
        if self.settings.metric == "weighted":
            return weighted_triplet(f, y)
        if self.settings.metric == "batch_hard":
            return batch_hard_triplet(f, y, self.settings.margin)
        rgb, ir = f.chunk(2)
        return hetero_centre_triplet(rgb, ir, person, self.settings.margin)
