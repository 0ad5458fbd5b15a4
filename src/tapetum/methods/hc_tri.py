"""Parts of the body and their hetero-centres: HC-Tri (Liu et al., TMM 2021) and HC (Zhu et al., 2020).

    s_k = ReLU(BN(W_k GeM(strip k of trunk(x))))    k = 1 ... S strips, head to foot;  p_k = softmax(V_k s_k)
    L = sum_k CE(p_k, y) + w sum_k L_c(s_k) + w_joint L_c([s_1 ... s_S])
    HC-Tri:  L_c = hetero_centre_triplet   each person's two centres against the nearest foreign centre; w_joint 1
    HC:      L_c = hetero_centre_distance  sum_i max(0, |c_i^rgb - c_i^ir|^2 - margin); w 0.5, w_joint 0
    rank by cos([s_1 ... s_S])

Differences: (1) centres are taken by label, never by place in the batch. (2) The classifiers have no bias. (3) HC is
given HC-Tri's embedding of a strip, since our source does not describe its own. (4) `edges`, `smoothing` and `mirror`
are ours, for small trunks that learn from scratch on a CPU.
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
from tapetum.losses.hetero_centre import hetero_centre_distance, hetero_centre_triplet
from tapetum.losses.identity import identity_loss
from tapetum.methods.method import Method, MethodSettings, Progress, Terms
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.edges import EdgeFront
from tapetum.nets.pooling import global_pooling
from tapetum.nets.strip_heads import StripHeads


class HCTriSettings(MethodSettings):
    """Settings of the part-based systems; the defaults are HC-Tri's on SYSU-MM01 (METHODS, section 12)."""

    trunk: str = Field("resnet50", description="resnet10, resnet18, resnet34, resnet50 or efficientnet_lite0")
    weights: str = Field("imagenet", description="what the trunk starts from: imagenet, none, or a weights file")
    width: int = Field(64, ge=8, description="channels of a ResNet's first stage; published: 64")
    share_from: Literal["stem", "layer1", "layer2", "layer3", "layer4"] = Field(
        "layer2", description="first stage that both modalities share; HC-Tri: layer2"
    )
    edges: bool = Field(False, description="read four edge maps of the grey picture in place of its colours")
    pooling: Literal["gem", "average", "max"] = "gem"
    gem_power: float = Field(3.0, gt=0, description="p of GeM; SYSU-MM01: 3, RegDB: 10")
    strips: int = Field(6, ge=1, description="horizontal strips; published: 6")
    embedding: int = Field(256, ge=2, description="length of each strip's vector; published: 256")
    centres: Literal["triplet", "distance"] = Field("triplet", description="triplet: HC-Tri; distance: HC")
    margin: float = Field(0.3, ge=0, description="HC-Tri: 0.3; HC: 0 (a squared distance)")
    metric_weight: float = Field(1.0, ge=0, description="w; HC-Tri: 1 on SYSU-MM01, 2 on RegDB; HC: 0.5")
    joint_weight: float = Field(1.0, ge=0, description="w_joint, of all strips joined; HC-Tri: 1, HC: 0")
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing of the identity loss")
    mirror: bool = Field(False, description="search with the sum of a picture's vector and its mirror image's")


class HCTri(Method):
    """The part-based systems of the module's docstring."""

    Settings: ClassVar[type[MethodSettings]] = HCTriSettings

    def __init__(self, settings: HCTriSettings, persons: int) -> None:
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
            )
        )
        pooling = global_pooling(settings.pooling, settings.gem_power)
        self.heads = StripHeads(self.trunk.channels, settings.strips, settings.embedding, persons, pooling)
        self.to(memory_format=torch.channels_last)

    def players(self) -> dict[str, nn.Module]:
        """One player: the whole network."""
        return {"model": self}

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """One step over the mixed batch: each strip's identity and centres, then the centres of all strips joined."""
        s, logits = self.heads(self.trunk(self._input(batch.rgb), self._input(batch.ir)))  # (2N, S, D), (2N, S, C)
        y = torch.cat([batch.person, batch.person])
        strips = range(self.settings.strips)
        identity = [identity_loss(logits[:, k], y, self.settings.smoothing) for k in strips]
        centres = [self._centres(s[:, k], batch.person) for k in strips]
        terms = {
            "identity": torch.stack(identity).sum(),
            "strip_centres": self.settings.metric_weight * torch.stack(centres).sum(),
        }
        if self.settings.joint_weight > 0:
            terms["joint_centres"] = self.settings.joint_weight * self._centres(s.flatten(1), batch.person)
        yield "model", terms

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """[s_1 ... s_S] (with `mirror`, added to the mirror image's) at unit length: (B, 3, H, W) -> (B, S D)."""
        s = self._parts(images, modality)
        if self.settings.mirror:
            s = s + self._parts(images.flip(3), modality)
        return F.normalize(s)

    def _parts(self, images: Tensor, modality: Modality) -> Tensor:
        s, _ = self.heads(self.trunk.single(self._input(images), modality))
        joined: Tensor = s.float().flatten(1)
        return joined

    def _input(self, images: Tensor) -> Tensor:
        x = normalise(images) if self.front is None else self.front(images)
        return x.contiguous(memory_format=torch.channels_last)

    def _centres(self, s: Tensor, person: Tensor) -> Tensor:
        rgb, ir = s.chunk(2)
        loss = hetero_centre_triplet if self.settings.centres == "triplet" else hetero_centre_distance
        return loss(rgb, ir, person, self.settings.margin)
