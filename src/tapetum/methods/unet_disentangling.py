"""U-Net disentangling (the deck's approach 0): a picture is an identity code S and the rest M, which can be swapped.

    X_1: RGB picture of person y_1,  X_2: infrared picture of y_1,  X_3: infrared picture of another person y_3
    S_k, M_k = E_mod(X_k),   D_mod(S, M): a picture,   mod = rgb, ir;   f_k = F_mod(S_k), scaled to length 1
    L_recon   = |X_1 - D_rgb(S_1, M_1)|^2 + |X_2 - D_ir(S_2, M_2)|^2 + |X_3 - D_ir(S_3, M_3)|^2
    L_cross   = |X_1 - D_rgb(S_2, M_1)|^2 + |X_2 - D_ir(S_1, M_2)|^2
    L_triplet = max(0, margin + |f_1 - f_2|^2 - |f_1 - f_3|^2)
    L_cycle   = |X_1 - D_rgb(S'_1, M'_1)|^2 + |X_2 - D_ir(S'_2, M'_2)|^2     of the swaps; weight 0, as the deck asks
                S'_2, M'_1 = E_rgb(D_rgb(S_2, M_1)),   S'_1, M'_2 = E_ir(D_ir(S_1, M_2))
    rank by cos(f_query, f_gallery)

What the deck leaves open is a setting; the defaults are those of METHODS 3.2: S is the mean over all places of half of
the bottleneck's channels, M the other half and the two coarsest skips, F a linear layer and a batch norm.
Differences: (1) pixel errors are means over all entries. (2) Options that the deck has not: `identity_weight`, a
classifier on F; `generated_weight`, a classifier C of pictures that is frozen once it knows the training persons, with
-log p(y_3 | D_rgb(S_3, M_1)) - log p(y_1 | D_ir(S_1, M_3)); the triplet in both directions; the nearest X_3. For small
networks from scratch: `edges` (S from a network of its own), `strips` and `painted_crops`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, NamedTuple, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from tapetum.core import Batch, Modality
from tapetum.data.row_drawing import draw_rows
from tapetum.data.transforms import normalise, signed, unsigned
from tapetum.errors import RecipeError
from tapetum.losses.cross_triplet import random_other_person
from tapetum.losses.identity import identity_loss
from tapetum.losses.reconstruction import reconstruction_loss
from tapetum.losses.squared_triplet import nearest_other_person, squared_triplet
from tapetum.methods.method import Method, MethodSettings, Pictures, Progress, Terms
from tapetum.nets.backbones import TrunkSettings
from tapetum.nets.code_split import CodeSplit, Split, joined
from tapetum.nets.edge_code import EdgeCode
from tapetum.nets.frozen import frozen, unrecorded
from tapetum.nets.identity_classifier import IdentityClassifier
from tapetum.nets.unet import Skips, UNetDecoder, UNetEncoder


class UNetDisentanglingSettings(MethodSettings):
    """Settings of the U-Net; the deck fixes the losses, METHODS 3.2 proposes the rest."""

    widths: tuple[Annotated[int, Field(ge=2)], ...] = Field(
        (32, 64, 128, 256, 256),
        min_length=2,
        description="channels of the stages; each after the first halves the size",
    )
    split: Split = Field("channels", description="S and M are halves of the channels, of their means, or two heads")
    spatial: bool = Field(False, description="S stays a map; it can then carry the pose")
    strips: int = Field(1, ge=1, description="horizontal strips that S is the mean of, each apart; METHODS 3.2: 1")
    edges: bool = Field(False, description="S from edge maps alone, by a ResNet; METHODS 3.2: half of the bottleneck")
    skips: Skips = Field("coarse", description="past the bottleneck, as part of M: none, the two coarsest, or all")
    shared_encoder: bool = Field(False, description="one E for both lights; the deck: one each")
    feature: Literal["projected", "raw"] = Field("projected", description="f of F(S), or of S itself")
    embedding: int = Field(128, ge=2, description="length of F(S)")
    reconstruction_weight: float = Field(1.0, ge=0, description="of L_recon")
    cross_weight: float = Field(1.0, ge=0, description="of L_cross")
    triplet_weight: float = Field(1.0, ge=0, description="of L_triplet")
    cycle_weight: float = Field(0.0, ge=0, description="of L_cycle; the deck: removed")
    identity_weight: float = Field(0.0, ge=0, description="of a classifier on f before it is scaled; the deck: none")
    generated_weight: float = Field(0.0, ge=0, description="of C on pictures with another person's S; the deck: none")
    margin: float = Field(0.3, ge=0)
    painted_crops: int | None = Field(None, ge=1, description="of each person that are painted; the deck: all")
    triplet: Literal["random", "nearest"] = Field("random", description="X_3: any other person, or the nearest f")
    symmetric_triplet: bool = Field(False, description="infrared anchors too; the deck: RGB ones")
    classifier_until: float = Field(0.3, gt=0, lt=1, description="share of training in which C learns; then it is used")
    trunk: str = Field(
        "resnet50", description="of C and of the edges' network: resnet10, resnet18, resnet34 or resnet50"
    )
    weights: str = Field("imagenet", description="what these start from: imagenet, none, or a file")
    width: int = Field(64, ge=8, description="channels of their first stage")


class Codes(NamedTuple):
    """S: (N, C), (N, C, h, w) or (N, C, strips, 1). M: (N, C, h, w). skips: more of M, finer maps, coarsest first."""

    S: Tensor
    M: Tensor
    skips: list[Tensor]

    def of(self, rows: Tensor) -> Codes:
        """The codes of some rows, in their order."""
        return Codes(self.S[rows], self.M[rows], [skip[rows] for skip in self.skips])


class UNetDisentangling(Method):
    """The networks and losses of the module's docstring."""

    Settings: ClassVar[type[MethodSettings]] = UNetDisentanglingSettings

    def __init__(self, settings: UNetDisentanglingSettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.settings = settings
        if settings.edges and (settings.split != "channels" or settings.spatial):
            raise RecipeError("edges: S then has an encoder of its own. Take split 'channels' and spatial false.")
        if settings.edges and settings.widths[-1] % 2:
            raise RecipeError(f"widths: the last is {settings.widths[-1]}. Give an even number: half is S, half M.")
        sides = ["both"] if settings.shared_encoder else list(Modality)
        self.E = nn.ModuleDict({side: _encoder(settings) for side in sides})
        self.D = nn.ModuleDict({light: UNetDecoder(settings.widths, settings.skips) for light in Modality})
        length = settings.embedding if settings.feature == "projected" else _length(settings)
        self.classifier = nn.Linear(length, persons) if settings.identity_weight > 0 else None
        self.C: IdentityClassifier | None = None
        if settings.generated_weight > 0:
            self.C = IdentityClassifier(_trunk(settings), settings.embedding, persons)

    def players(self) -> dict[str, nn.Module]:
        """Encoders and decoders; and the classifier of pictures where there is one."""
        parts = {"E": self.E, "D": self.D, "classifier": self.classifier}
        model = nn.ModuleDict({name: part for name, part in parts.items() if part is not None})
        return {"model": model} if self.C is None else {"model": model, "classifier": self.C}

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """One step over N triplets: each pair of the batch with an infrared row of another person."""
        X_1, X_2, y = signed(batch.rgb), signed(batch.ir), batch.person
        learning = progress.fraction < self.settings.classifier_until
        if self.C is not None and learning:
            seen = self.C(normalise(torch.cat([batch.rgb, batch.ir])))
            yield "classifier", {"identity": identity_loss(seen, y.repeat(2))}
        one, two, features = self._read(X_1, X_2)
        third = self._third(features, y)  # (N,): X_3 = X_2[third], y_3 = y[third]
        terms = {"triplet": self.settings.triplet_weight * self._triplet(features, third, y)}
        if self.classifier is not None:
            logits = self.classifier(torch.cat(features))
            terms["identity"] = self.settings.identity_weight * identity_loss(logits, y.repeat(2))
        if self.settings.painted_crops is not None:
            rows = draw_rows(y, len(y), self.settings.painted_crops)
            X_1, X_2, y, one, two = X_1[rows], X_2[rows], y[rows], one.of(rows), two.of(rows)
            third = self._third([feature[rows] for feature in features], y)
        terms |= self._painting((X_1, X_2), one, two, third)
        if self.C is not None and not learning:
            terms["generated"] = self.settings.generated_weight * self._recognised(one, two, third, y)
        yield "model", terms

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """f: (B, 3, H, W) -> (B, embedding)."""
        return F.normalize(self._feature(self._taken_apart(signed(images), modality).S, modality).float())

    def codes(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        """(M, S). M with its skips and its light, at the bottleneck's resolution: (N, channels, h, w); S: (N, C).

        A skip's place becomes channels (2 x 2 places of a map are four channels at half of the resolution); the last
        channel is 1 for infrared, since the rest of the picture says which decoder paints it.
        """
        codes = self._taken_apart(signed(pictures.images), pictures.modality)
        packed = [F.pixel_unshuffle(skip, 2 ** (place + 1)) for place, skip in enumerate(codes.skips)]
        light = torch.full_like(codes.M[:, :1], float(pictures.modality == Modality.IR))
        return torch.cat([codes.M, *packed, light], dim=1), codes.S

    def paint(self, structure: Tensor, appearance: Tensor, modality: Modality) -> Tensor:
        """D(S, M) in [0, 1], by the decoder of M's light, as L_cross does; `modality`, that of S, changes nothing."""
        taken = self._decoder(modality).taken
        channels = [self.settings.widths[place] * 4 ** (k + 1) for k, place in enumerate(taken)]
        M, *packed, light = torch.split(structure, [self.settings.widths[-1] // 2, *channels, 1], dim=1)
        skips = [F.pixel_shuffle(maps, 2 ** (k + 1)) for k, maps in enumerate(packed)]
        rgb, ir = (self._decoder(side)(joined(appearance, M), skips) for side in Modality)
        pictures = torch.where(light.mean(dim=(1, 2, 3), keepdim=True) > 0.5, ir, rgb)
        return unsigned(pictures.float()).clamp(0, 1)

    def _read(self, X_1: Tensor, X_2: Tensor) -> tuple[Codes, Codes, list[Tensor]]:
        """The codes of both lights and f before it is scaled. One pass for a shared E, so that its norms see both."""
        if not self.settings.shared_encoder:
            one, two = self._taken_apart(X_1, Modality.RGB), self._taken_apart(X_2, Modality.IR)
            return one, two, [self._feature(one.S, Modality.RGB), self._feature(two.S, Modality.IR)]
        both = self._taken_apart(torch.cat([X_1, X_2]), Modality.RGB)
        one, two = (both.of(rows) for rows in torch.arange(2 * len(X_1), device=X_1.device).chunk(2))
        return one, two, list(self._feature(both.S, Modality.RGB).chunk(2))

    def _painting(self, X: tuple[Tensor, Tensor], one: Codes, two: Codes, third: Tensor) -> dict[str, Tensor]:
        """L_recon, L_cross and L_cycle."""
        settings, (X_1, X_2) = self.settings, X
        (own_1, swapped_1), (own_2, swapped_2) = (  # D_rgb(S_1, M_1), D_rgb(S_2, M_1), D_ir(S_2, M_2), D_ir(S_1, M_2)
            self._painted([one.S, two.S], one, Modality.RGB),
            self._painted([two.S, one.S], two, Modality.IR),
        )
        recon = _error(X_1, own_1) + _error(X_2, own_2) + _error(X_2[third], own_2[third])
        terms = {
            "reconstruction": settings.reconstruction_weight * recon,
            "cross": settings.cross_weight * (_error(X_1, swapped_1) + _error(X_2, swapped_2)),
        }
        if settings.cycle_weight > 0:
            with unrecorded(self.E):  # running norms see real pictures only
                terms["cycle"] = settings.cycle_weight * self._cycle(X_1, X_2, swapped_1, swapped_2)
        return terms

    def _taken_apart(self, x: Tensor, light: Modality) -> Codes:
        encoder = self._encoder(light)
        maps = encoder["maps"](x)
        S, M = (encoder["S"](unsigned(x)), maps[-1]) if self.settings.edges else encoder["split"](maps[-1])
        return Codes(S, M, [maps[place] for place in self._decoder(light).taken])

    def _painted(self, S: list[Tensor], rest: Codes, light: Modality) -> tuple[Tensor, ...]:
        """Pictures of several identity codes with the same rest, in one pass."""
        again = rest.of(torch.arange(len(rest.M), device=rest.M.device).repeat(len(S)))
        painted: Tensor = self._decoder(light)(joined(torch.cat(S), again.M), again.skips)
        return painted.chunk(len(S))

    def _feature(self, S: Tensor, light: Modality) -> Tensor:
        """f before it is scaled: S, of a spatial S its mean, through F -> (N, embedding)."""
        vector = S.mean(dim=(2, 3)) if self.settings.spatial else S.flatten(1)
        feature: Tensor = self._encoder(light)["feature"](vector)
        return feature

    def _third(self, features: list[Tensor], y: Tensor) -> Tensor:
        """For each anchor of the first light the row of the second that shows X_3."""
        if self.settings.triplet == "nearest":
            anchor, other = (F.normalize(feature) for feature in features)
            return nearest_other_person(anchor, other, y)
        return random_other_person(y)

    def _triplet(self, features: list[Tensor], third: Tensor, y: Tensor) -> Tensor:
        """L_triplet; an infrared anchor has a third of its own."""
        rgb, ir = (F.normalize(feature.float()) for feature in features)
        losses = [squared_triplet(rgb, ir, ir[third], self.settings.margin)]
        if self.settings.symmetric_triplet:
            losses.append(squared_triplet(ir, rgb, rgb[self._third(features[::-1], y)], self.settings.margin))
        return torch.stack(losses).mean()

    def _cycle(self, X_1: Tensor, X_2: Tensor, swapped_1: Tensor, swapped_2: Tensor) -> Tensor:
        """Swapped, taken apart, and swapped back: each picture must be itself again."""
        one, two = self._taken_apart(swapped_1, Modality.RGB), self._taken_apart(swapped_2, Modality.IR)
        (again_1,), (again_2,) = self._painted([two.S], one, Modality.RGB), self._painted([one.S], two, Modality.IR)
        return _error(X_1, again_1) + _error(X_2, again_2)

    def _recognised(self, one: Codes, two: Codes, third: Tensor, y: Tensor) -> Tensor:
        """-log p(y_3 | D_rgb(S_3, M_1)) - log p(y_1 | D_ir(S_1, M_3)); C is given, and lets the gradient through."""
        (in_rgb,) = self._painted([two.S[third]], one, Modality.RGB)
        (in_ir,) = self._painted([one.S], two.of(third), Modality.IR)
        C = cast("IdentityClassifier", self.C)
        with frozen(C):
            rgb, ir = C(normalise(unsigned(torch.cat([in_rgb, in_ir])))).chunk(2)
        return identity_loss(rgb, y[third]) + identity_loss(ir, y)

    def _encoder(self, light: Modality) -> nn.ModuleDict:
        return cast("nn.ModuleDict", self.E["both" if self.settings.shared_encoder else light])

    def _decoder(self, light: Modality) -> UNetDecoder:
        return cast("UNetDecoder", self.D[light])


def _encoder(settings: UNetDisentanglingSettings) -> nn.ModuleDict:
    """E of one light, with its F."""
    *finer, deepest = settings.widths
    project = nn.Sequential(nn.Linear(_length(settings), settings.embedding), nn.BatchNorm1d(settings.embedding))
    feature = project if settings.feature == "projected" else nn.Identity()
    if settings.edges:
        S = EdgeCode(_trunk(settings), deepest // 2, settings.strips)
        return nn.ModuleDict({"maps": UNetEncoder([*finer, deepest // 2]), "S": S, "feature": feature})
    split = CodeSplit(deepest, settings.split, spatial=settings.spatial, strips=settings.strips)
    return nn.ModuleDict({"maps": UNetEncoder(settings.widths), "split": split, "feature": feature})


def _trunk(settings: UNetDisentanglingSettings) -> TrunkSettings:
    return TrunkSettings(settings.trunk, "stem", settings.weights, settings.width)


def _length(settings: UNetDisentanglingSettings) -> int:
    """Of what F reads."""
    return settings.widths[-1] // 2 * settings.strips


def _error(X: Tensor, painted: Tensor) -> Tensor:
    return reconstruction_loss(painted, X, power=2)
