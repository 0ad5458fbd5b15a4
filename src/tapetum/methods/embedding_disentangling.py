"""Embedding disentangling (the deck's approach 1): split a trained run's vector into identity s and rest m.

    X_1: RGB vector of person y_1,  X_2: infrared vector of y_1,  X_3: infrared vector of another person y_3
    m_k, s_k = E_mod(X_k),   D_mod(m, s) = D_mod^m(m) + D_mod^s(s),   mod = rgb, ir
    L_simple  = |X_1 - D_rgb(m_1, s_1)|_1 + |X_2 - D_ir(m_2, s_2)|_1 + |X_3 - D_ir(m_3, s_3)|_1
    L_cross   = |X_1 - D_rgb(m_1, s_2)|_1 + |X_2 - D_ir(m_2, s_1)|_1
    L_dis     = -log p(y_3 | D_rgb(m_1, s_3)) - log p(y_1 | D_ir(m_3, s_1))
    L_triplet = max(0, margin + |s_1 - s_2|_1 - |s_1 - s_3|_1)
    rank by cos(s_query, s_gallery)

Differences: (1) a reconstruction error is divided by the vector's length, so that the four terms are of one order.
(2) Vectors are standardised over the training crops, for both modalities alike. (3) The decoder's last layer is
linear, since such vectors have signs. (4) Distances of the triplet are between s of unit length. (5) The triplet is
taken in both directions, since queries are infrared. (6) Hard triplets begin after `hard_after`: from the first step
on they collapse all s to a point. (7) The classifier of L_dis learns on real vectors and is then frozen; the deck does
not say, and its rows are those of a classifier that only sees generated vectors (`classifier: generated`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from tapetum.core import Batch, Modality
from tapetum.losses.additive import additive_loss
from tapetum.losses.cross_triplet import (
    Norm,
    cross_batch_hard_triplet,
    manhattan_codes,
    random_other_person,
    triplet_given_rows,
)
from tapetum.losses.identity import identity_loss
from tapetum.methods.method import Method, MethodSettings, Progress, Terms
from tapetum.nets.mlp import AdditiveDecoder, mlp


class EmbeddingDisentanglingSettings(MethodSettings):
    """Settings of the disentangler; layers are the deck's, the rest is what METHODS 4.2 proposes."""

    vector_length: int = Field(512, ge=2, description="of the run's vectors; the deck: 512")
    encoder_layers: tuple[int, ...] = Field(
        (1024, 2048, 512, 256), min_length=1, description="the last: length of s, m"
    )
    decoder_layers: tuple[int, ...] = Field((512, 2048), description="of each half, before the vector's length")
    classifier_layer: int = Field(512, ge=1, description="hidden width of the classifier")
    shared: bool = Field(False, description="one pair of encoders and one decoder for both modalities")
    encoder_last_relu: bool = Field(True, description="s and m are >= 0, as in the deck; false: they have signs")
    decoder_last_relu: bool = Field(False, description="the deck's table, read literally: each half ends in a ReLU")
    reconstruction_weight: float = Field(1.0, ge=0, description="of L_simple and L_cross")
    cross: bool = Field(True, description="with L_cross")
    dis_weight: float = Field(1.0, ge=0)
    classifier: Literal["generated", "joint", "frozen"] = Field(
        "frozen", description="what it learns on: generated vectors, real and generated, or real ones first, then none"
    )
    classifier_until: float = Field(0.1, gt=0, lt=1, description="frozen: share of training in which it alone learns")
    triplet: Literal["none", "random", "hard"] = "hard"
    triplet_weight: float = Field(1.0, ge=0)
    margin: float = Field(0.3, ge=0)
    norm: Norm = Field("unit", description="unit: s scaled to length 1; raw: mean absolute difference of s as it is")
    symmetric_triplet: bool = Field(True, description="infrared anchors too")
    hard_after: float = Field(0.5, ge=0, le=1, description="share of training after which triplets are hard")


class EmbeddingDisentangling(Method):
    """The disentangler of the module's docstring."""

    Settings: ClassVar[type[MethodSettings]] = EmbeddingDisentanglingSettings

    def __init__(self, settings: EmbeddingDisentanglingSettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.settings = settings
        self.vector_length = length = settings.vector_length
        encoder = (length, *settings.encoder_layers)
        decoder = (encoder[-1], *settings.decoder_layers, length)
        sides = ["both"] if settings.shared else list(Modality)
        last = settings.encoder_last_relu
        self.E_s = nn.ModuleDict({side: mlp(encoder, last_relu=last) for side in sides})
        self.E_m = nn.ModuleDict({side: mlp(encoder, last_relu=last) for side in sides})
        self.D = nn.ModuleDict({side: AdditiveDecoder(decoder, last_relu=settings.decoder_last_relu) for side in sides})
        self.C = mlp((length, settings.classifier_layer, persons), last_relu=False)

    def players(self) -> dict[str, nn.Module]:
        """One player: encoders, decoders and classifier; a part that no term reaches stays as it is."""
        return {"model": self}

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """One step over N triplets: each pair of the batch with an infrared row of another person, drawn at random."""
        X_1, X_2, y = batch.rgb, batch.ir, batch.person
        if self.settings.classifier == "frozen" and progress.fraction < self.settings.classifier_until:
            yield "model", {"classifier": self._on_real(batch)}
            return
        third = random_other_person(y)  # (N,): X_3 = X_2[third], y_3 = y[third]
        s_1, s_2 = self._side(self.E_s, Modality.RGB)(X_1), self._side(self.E_s, Modality.IR)(X_2)  # (N, 256)
        D_rgb, D_ir = (cast("AdditiveDecoder", self._side(self.D, modality)) for modality in Modality)
        m_rgb = D_rgb.rest(self._side(self.E_m, Modality.RGB)(X_1))  # D_rgb^m(m_1), (N, 512)
        m_ir = D_ir.rest(self._side(self.E_m, Modality.IR)(X_2))
        s_rgb, s_ir = (decoder.identity(torch.cat([s_1, s_2])).chunk(2) for decoder in (D_rgb, D_ir))
        pairs = [(X_1, m_rgb, s_rgb[0]), (X_2, m_ir, s_ir[1]), (X_2[third], m_ir[third], s_ir[1][third])]
        terms = {"simple": self._reconstruction(pairs)}
        if self.settings.cross:
            terms["cross"] = self._reconstruction([(X_1, m_rgb, s_rgb[1]), (X_2, m_ir, s_ir[0])])
        if self.settings.dis_weight > 0:
            L_dis = self._recognised(m_rgb + s_rgb[1][third], y[third]) + self._recognised(m_ir[third] + s_ir[0], y)
            terms["dis"] = self.settings.dis_weight * L_dis
        if self.settings.classifier == "joint":
            terms["classifier"] = self._on_real(batch)
        if self.settings.triplet != "none":
            terms["triplet"] = self.settings.triplet_weight * self._triplet(s_1, s_2, y, third, progress)
        yield "model", terms

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """s scaled to unit length: standardised vectors (B, 512) -> (B, 256)."""
        return F.normalize(self._side(self.E_s, modality)(images).float())

    def _side(self, parts: nn.ModuleDict, modality: Modality) -> nn.Module:
        return parts["both" if self.settings.shared else modality]

    def _reconstruction(self, pairs: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
        weight = self.settings.reconstruction_weight / self.settings.vector_length
        return weight * torch.stack([additive_loss(X, m, s, power=1) for X, m, s in pairs]).sum()

    def _on_real(self, batch: Batch) -> Tensor:
        return identity_loss(self.C(torch.cat([batch.rgb, batch.ir])), batch.person.repeat(2))

    def _recognised(self, generated: Tensor, y: Tensor) -> Tensor:
        """-log p(y | generated vector); a frozen classifier lets the gradient through and takes none."""
        if self.settings.classifier == "frozen":
            fixed = {name: value.detach() for name, value in self.C.named_parameters()}
            return identity_loss(functional_call(self.C, fixed, (generated,)), y)
        return identity_loss(self.C(generated), y)

    def _triplet(self, s_1: Tensor, s_2: Tensor, y: Tensor, third: Tensor, progress: Progress) -> Tensor:
        rgb, ir = (manhattan_codes(s, self.settings.norm) for s in (s_1, s_2))
        directions = [(rgb, ir), (ir, rgb)] if self.settings.symmetric_triplet else [(rgb, ir)]
        margin = self.settings.margin
        if self.settings.triplet == "hard" and progress.fraction >= self.settings.hard_after:
            losses = [cross_batch_hard_triplet(anchor, other, y, margin) for anchor, other in directions]
        else:
            losses = [triplet_given_rows(anchor, other, other[third], margin) for anchor, other in directions]
        return torch.stack(losses).mean()
