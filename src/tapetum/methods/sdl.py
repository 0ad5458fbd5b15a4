"""SDL: spectrum-disentangled representation learning (Kansal et al., TCSVT 2020).

    f   = pool(trunk_m(x))             m = rgb, ir: two complete streams; then heads of one linear layer and BN each:
    x   = X(f)                         the plain embedding
    u   = U(f)                         spectrum-dispelled: shows the person, whatever the light
    v_m = V_m(f)                       spectrum-distilled: shows the light, not the person; one head a modality
    L   = CE(C_x(x), y) + CE(C_u(u), y) + w_a sum_m |x_m - (u_m + v_m)|^2 + w_d sum_m KL(1/C | softmax(C_m(v_m)))
    rank by cos(u_query, u_gallery)

|.|^2 and KL are means over the rows of a modality; C is the number of training persons.
Differences from the released code: (1) The dispeller is a divergence of the soft-max from 1/C, weighted by w_d; the
release compares logits with 1/C, weighted by 1/C. (2) V_rgb sees RGB rows alone, V_ir infrared ones. (3) The additive
term is squared, as in the paper's figure. (4) A layer before a batch norm has no bias, and the last stage of a ResNet
has stride 1. (5) `edges` and `strips` are ours, for small trunks that learn from scratch on a CPU.
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
from tapetum.losses.additive import additive_loss
from tapetum.losses.dispelling import dispelling_loss
from tapetum.losses.identity import identity_loss
from tapetum.methods.method import Method, MethodSettings, Progress, Terms
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.edges import EdgeFront
from tapetum.nets.embedding_heads import EmbeddingHead
from tapetum.nets.pooling import Strips, global_pooling


class SdlSettings(MethodSettings):
    """Settings of SDL; the defaults are the published network (METHODS, section 5)."""

    trunk: str = Field("resnet50", description="resnet10, resnet18, resnet34, resnet50 or efficientnet_lite0")
    weights: str = Field("imagenet", description="what the trunk starts from: imagenet, none, or a weights file")
    width: int = Field(64, ge=8, description="channels of a ResNet's first stage; published: 64")
    share_from: Literal["stem", "layer1", "layer2", "layer3", "layer4", "head"] = Field(
        "head", description="first stage that both modalities share; published: head, nothing of the trunk"
    )
    edges: bool = Field(False, description="read four edge maps of the grey picture in place of its colours")
    strips: int = Field(1, ge=1, description="horizontal strips of the map that are averaged apart; published: 1")
    embedding: int = Field(512, ge=2, description="length of x, u and v; published: 512")
    dropout: float = Field(0.5, ge=0, lt=1, description="before each classifier; published: 0.5")
    additive_weight: float = Field(1e-4, ge=0, description="w_a of |x - (u + v)|^2; released: 1e-4")
    dispeller_weight: float = Field(1.0, ge=0, description="w_d of the identity dispeller")
    code: Literal["u", "x"] = Field("u", description="which code the search uses; published: u")


class Sdl(Method):
    """The module's docstring, as a method."""

    Settings: ClassVar[type[MethodSettings]] = SdlSettings

    def __init__(self, settings: SdlSettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.settings = settings
        self.front = EdgeFront() if settings.edges else None
        channels = EdgeFront.channels if settings.edges else 3
        self.trunk = build_trunk(
            TrunkSettings(settings.trunk, settings.share_from, settings.weights, settings.width, channels)
        )
        self.pool = nn.Sequential(Strips(settings.strips, global_pooling("average")), nn.Flatten())

        def head() -> EmbeddingHead:
            pooled = settings.strips * self.trunk.channels
            return EmbeddingHead(pooled, settings.embedding, persons, settings.dropout)

        self.X, self.U = head(), head()
        self.V = nn.ModuleDict({modality.value: head() for modality in Modality})
        self.to(memory_format=torch.channels_last)

    def players(self) -> dict[str, nn.Module]:
        """One player: the whole network."""
        return {"model": self}

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """One step over the mixed batch: who it is in x and u, nobody in v, and x the sum of u and v."""
        f = self.pool(self.trunk(self._input(batch.rgb), self._input(batch.ir)))  # (2N, F), RGB rows first
        (x, x_logits), (u, u_logits) = self.X(f), self.U(f)
        y = torch.cat([batch.person, batch.person])
        additive, dispeller = f.new_zeros(()), f.new_zeros(())
        for m, f_m, x_m, u_m in zip(Modality, f.chunk(2), x.chunk(2), u.chunk(2), strict=True):
            v_m, v_logits = self.V[m](f_m)
            additive = additive + additive_loss(x_m, u_m, v_m)
            dispeller = dispeller + dispelling_loss(v_logits)
        yield (
            "model",
            {
                "identity_x": identity_loss(x_logits, y),
                "identity_u": identity_loss(u_logits, y),
                "additive": self.settings.additive_weight * additive,
                "dispeller": self.settings.dispeller_weight * dispeller,
            },
        )

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """u (or x, as `code` says) scaled to unit length: (B, 3, H, W) -> (B, D)."""
        head = self.U if self.settings.code == "u" else self.X
        code, _ = head(self.pool(self.trunk.single(self._input(images), modality)))
        return F.normalize(code.float())

    def _input(self, images: Tensor) -> Tensor:
        x = normalise(images) if self.front is None else self.front(images)
        return x.contiguous(memory_format=torch.channels_last)
