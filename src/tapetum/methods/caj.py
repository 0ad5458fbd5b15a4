"""Channel-augmented joint learning, CAJ (Ye et al., ICCV 2021): each RGB picture also as one of its channels alone.

    x_ch = [x_c, x_c, x_c],  c one of R, G, B, drawn for each picture
    f = pool(trunk([x; x_ch; x_ir])),  z = BN(f),  p = softmax(W z)    the AGW network; x and x_ch take the RGB stem
    L = CE(p, y) + L_metric(f) + w_kl T^2 KL(p_T(x, x_ch) | p_T(x_ir))
    L_metric = enhanced (squared triplet that keeps its sign) | weighted (WRT of AGW)
    rank by cos(z_query, z_gallery)

p_T is the soft-max of a person's mean logits over T = 3; the released code has the term, with w_kl = 0.
Differences: (1) Losses group rows by identity, never by their position in the batch. (2) The second view is made from
the first, so that both share crop, mirroring and erased rectangle. (3) The channel change of infrared pictures is left
out: it does nothing to grey ones. (4) `strips`, `embedding`, `edges`, `smoothing` and `mirror` are ours, for small
trunks that learn from scratch on a CPU.
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
from tapetum.losses.agreement import prediction_divergence
from tapetum.losses.identity import identity_loss
from tapetum.losses.triplet import enhanced_triplet, weighted_triplet
from tapetum.methods.method import Method, MethodSettings, Progress, Terms
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.edges import EdgeFront
from tapetum.nets.heads import BNNeck, vector_head
from tapetum.nets.pooling import global_pooling


class CAJSettings(MethodSettings):
    """Settings of CAJ; the defaults are the published ones (METHODS, section 12)."""

    trunk: str = Field("resnet50", description="resnet10, resnet18, resnet34, resnet50 or efficientnet_lite0")
    weights: str = Field("imagenet", description="what the trunk starts from: imagenet, none, or a weights file")
    width: int = Field(64, ge=8, description="channels of a ResNet's first stage; published: 64")
    share_from: Literal["stem", "layer1", "layer2", "layer3", "layer4"] = Field(
        "layer1", description="first stage that both modalities share; published: layer1"
    )
    non_local_channels: int = Field(1, ge=0, description="inner channels of AGW's five non-local blocks; published: 1")
    exchange: bool = Field(True, description="the second view of each RGB picture; False: CAJ without its idea")
    metric: Literal["enhanced", "weighted"] = Field("enhanced", description="published: enhanced")
    cap: float | None = Field(88.0, gt=0, description="of the enhanced triplet's square; published: 88; None: no cap")
    kl_weight: float = Field(0.0, ge=0, description="w_kl; published: 0")
    temperature: float = Field(3.0, gt=0, description="T of that term; published: 3")
    pooling: Literal["gem", "average", "max"] = "gem"
    gem_power: float = Field(3.0, gt=0, description="p of GeM; published: 3")
    edges: bool = Field(False, description="read four edge maps of the grey picture in place of its colours")
    strips: int = Field(1, ge=1, description="horizontal strips pooled apart, then joined by one linear layer")
    embedding: int | None = Field(None, ge=2, description="length of the vector; None: the trunk's channels, no layer")
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing of the identity loss")
    mirror: bool = Field(False, description="search with the sum of a picture's vector and its mirror image's")


class CAJ(Method):
    """The AGW network on three views, as in the module's docstring."""

    Settings: ClassVar[type[MethodSettings]] = CAJSettings

    def __init__(self, settings: CAJSettings, persons: int) -> None:
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
        """One step over [x; x_ch; x_ir]: identity and metric loss on all three views."""
        views = [batch.rgb, exchanged(batch.rgb)] if self.settings.exchange else [batch.rgb]
        y_rgb = batch.person.repeat(len(views))
        y = torch.cat([y_rgb, batch.person])
        f = self.pool(self.trunk(self._input(torch.cat(views)), self._input(batch.ir)))  # (3N, D), RGB rows first
        _, logits = self.neck(f)
        metric = enhanced_triplet(f, y, self.settings.cap) if self._enhanced else weighted_triplet(f, y)
        terms = {"identity": identity_loss(logits, y, self.settings.smoothing), self.settings.metric: metric}
        if self.settings.kl_weight > 0:
            rgb, ir = logits[: len(y_rgb)], logits[len(y_rgb) :]
            divergence = prediction_divergence(rgb, ir, y_rgb, batch.person, self.settings.temperature)
            terms["divergence"] = self.settings.kl_weight * divergence
        yield "model", terms

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """z (with `mirror`, z(x) + z(mirrored x)) scaled to unit length: (B, 3, H, W) -> (B, D)."""
        z = self._feature(images, modality)
        if self.settings.mirror:
            z = z + self._feature(images.flip(3), modality)
        return F.normalize(z)

    @property
    def _enhanced(self) -> bool:
        return self.settings.metric == "enhanced"

    def _feature(self, images: Tensor, modality: Modality) -> Tensor:
        normalised, _ = self.neck(self.pool(self.trunk.single(self._input(images), modality)))
        z: Tensor = normalised.float()
        return z

    def _input(self, images: Tensor) -> Tensor:
        x = normalise(images) if self.front is None else self.front(images)
        return x.contiguous(memory_format=torch.channels_last)


def exchanged(images: Tensor) -> Tensor:
    """x_ch: each picture's red, green or blue in all three channels, drawn evenly: (N, 3, H, W) -> the same shape."""
    channel = torch.randint(3, (len(images),), device=images.device)
    chosen = images[torch.arange(len(images), device=images.device), channel]  # (N, H, W)
    return chosen[:, None].expand_as(images)
