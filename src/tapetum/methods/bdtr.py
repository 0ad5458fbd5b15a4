"""BDTR: bi-directional dual-constrained top-ranking (Ye et al., IJCAI 2018), TONE, and the 512-d frame of January 2019.

    h_m = trunk_m(x)                      m = rgb, ir: two complete streams
    f   = FC2(h),  p = softmax(FC3(f))    shared; v, t = f / |f| of RGB and infrared rows, y their persons
    L   = CE(p, y) + L_cross + w L_intra
    L_cross = mean_i [m1 + d(v_i, t_i) - d(v_i, t_n(i))]+  +  v and t exchanged,   n(i) = argmin_{j != i} d(v_i, t_j)
    L_intra = mean_i [m2 - d(t_i, t_n(i))]+  +  v and t exchanged
    TONE:     CE + 0.2 L_contrastive in place of the ranking; rank by cos(f_query, f_gallery)

`trunk: alexnet` is the published network: streams conv1 ... fc6 with a batch norm, f = fc7. A ResNet makes the 512-d
frame: average pool, f = BN(linear), then LeakyReLU, dropout and the classifier; with `ranking: none` the baseline.
Differences from the published code: (1) losses group rows by identity; several crops of a person are allowed, the
hardest positive then stands for the only one. (2) TONE's features are scaled to unit length row by row, and its loss
is the mean over all pairs in place of a sample, half of it positive. (3) torchvision's AlexNet, whose weights can be
had, in place of the grouped one (`alexnet_grouped`). (4) A layer before a batch norm has no bias, and the last stage
of a ResNet has stride 1. (5) `edges` and `strips` are ours, for small trunks that learn from scratch on a CPU.
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
from tapetum.errors import RecipeError
from tapetum.losses.contrastive import contrastive_loss
from tapetum.losses.identity import identity_loss
from tapetum.losses.top_ranking import cross_modality_ranking, intra_modality_ranking
from tapetum.methods.method import Method, MethodSettings, Progress, Terms
from tapetum.nets.alexnet import ALEXNETS, alexnet
from tapetum.nets.backbones import TrunkSettings, TwoStreamTrunk, build_trunk
from tapetum.nets.edges import EdgeFront
from tapetum.nets.embedding_heads import EmbeddingHead, FullyConnectedHead
from tapetum.nets.pooling import Strips, global_pooling


class BdtrSettings(MethodSettings):
    """Settings of BDTR; the defaults are the published network and losses (METHODS, section 2)."""

    trunk: str = Field("alexnet", description="alexnet, alexnet_grouped, resnet10, resnet18, resnet34 or resnet50")
    weights: str = Field("imagenet", description="what the trunk starts from: imagenet, none, or a weights file")
    width: int = Field(64, ge=8, description="channels of a ResNet's first stage; AlexNet has one width")
    share_from: Literal["stem", "layer1", "layer2", "layer3", "layer4", "head"] = Field(
        "head", description="first stage that both modalities share; published: head, nothing of the trunk"
    )
    edges: bool = Field(False, description="read four edge maps of the grey picture in place of its colours")
    strips: int = Field(
        1, ge=1, description="horizontal strips of a ResNet's map that are averaged apart; published: 1"
    )
    embedding: int | None = Field(
        None, ge=2, description="length of f; None: 1024 for AlexNet (TONE: 2048), 512 for a ResNet"
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="before fc7 and before the classifier; published: 0.5")
    ranking: Literal["none", "contrastive", "cross", "cross_and_intra"] = Field(
        "cross_and_intra", description="beside CE: nothing, TONE's loss, BCTR (cross alone), or BDTR (cross and intra)"
    )
    cross_margin: float = Field(0.5, ge=0, description="m1; published: 0.5")
    cross_weight: float = Field(1.0, ge=0, description="published: 1")
    intra_margin: float = Field(0.1, ge=0, description="m2; published: 0.1")
    intra_weight: float = Field(0.1, ge=0, description="w; published: 0.1")
    contrastive_margin: float = Field(0.5, ge=0, description="TONE's; published: 0.5")
    contrastive_weight: float = Field(0.2, ge=0, description="TONE's; published: 0.2")


class Bdtr(Method):
    """BDTR on two complete streams; `features` gives f, `embed` f scaled to unit length."""

    Settings: ClassVar[type[MethodSettings]] = BdtrSettings

    def __init__(self, settings: BdtrSettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.settings = settings
        self.front = EdgeFront() if settings.edges else None
        self.trunk = _streams(settings)
        self.pool: nn.Module = nn.Identity()
        self.head: EmbeddingHead | FullyConnectedHead
        if settings.trunk in ALEXNETS:
            self.head = FullyConnectedHead(self.trunk.channels, settings.embedding or 1024, persons, settings.dropout)
        else:
            self.pool = nn.Sequential(Strips(settings.strips, global_pooling("average")), nn.Flatten())
            pooled = settings.strips * self.trunk.channels
            self.head = EmbeddingHead(pooled, settings.embedding or 512, persons, settings.dropout)
        self.to(memory_format=torch.channels_last)

    def players(self) -> dict[str, nn.Module]:
        """One player: the whole network."""
        return {"model": self}

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """One step over the mixed batch: identity loss on both modalities, ranking between them."""
        h = self.pool(self.trunk(self._input(batch.rgb), self._input(batch.ir)))  # (2N, F), RGB rows first
        f, logits = self.head(h)
        y = torch.cat([batch.person, batch.person])
        v, t = F.normalize(f.float()).chunk(2)
        yield "model", {"identity": identity_loss(logits, y), **self._ranking(v, t, batch.person)}

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """f scaled to unit length: (B, 3, H, W) -> (B, D)."""
        return F.normalize(self.features(images, modality))

    def features(self, images: Tensor, modality: Modality) -> Tensor:
        """f as it is, of any length and (from a ResNet) with both signs: (B, 3, H, W) -> (B, D)."""
        f, _ = self.head(self.pool(self.trunk.single(self._input(images), modality)))
        features: Tensor = f.float()
        return features

    def _input(self, images: Tensor) -> Tensor:
        x = normalise(images) if self.front is None else self.front(images)
        return x.contiguous(memory_format=torch.channels_last)

    def _ranking(self, v: Tensor, t: Tensor, person: Tensor) -> dict[str, Tensor]:
        s = self.settings
        if s.ranking == "none":
            return {}
        if s.ranking == "contrastive":
            return {"contrastive": s.contrastive_weight * contrastive_loss(v, t, person, s.contrastive_margin)}
        terms = {"cross": s.cross_weight * cross_modality_ranking(v, t, person, s.cross_margin)}
        if s.ranking == "cross_and_intra":
            terms["intra"] = s.intra_weight * intra_modality_ranking(v, t, person, s.intra_margin)
        return terms


def _streams(settings: BdtrSettings) -> TwoStreamTrunk:
    """The two streams that the settings name. Raises RecipeError for what an AlexNet does not have."""
    channels = EdgeFront.channels if settings.edges else 3
    if settings.trunk not in ALEXNETS:
        return build_trunk(
            TrunkSettings(settings.trunk, settings.share_from, settings.weights, settings.width, channels)
        )
    if (settings.width, settings.strips) != (64, 1):
        raise RecipeError(f"{settings.trunk} has one width and no strips. Leave width and strips out.")
    return TwoStreamTrunk(alexnet(settings.trunk, settings.weights, channels), settings.share_from)
