"""CASE-Net (Li et al., 2020) for two lights: identity from a shape code that does not tell colour from grey.

    s(v) = E_s(v), v a picture in colours or its grey copy g = grey(x),   a_i = E_a(x_i)
    p(v) = softmax(W BN(pool(s(v)))): the shape head;   c(x): the colour head, on E_a
    x_i^j = G(a_j, s(g_i)): the shape of i in the colours of j;   x_p: another picture of x's person in x's light
    L_rec      = |x - G(a, s(g))|_1                  L_cross = |x - G(a_p, s(g))|_1
    L_id       = CE(p(g), y) + CE(c(x), y)
    L_triplet  = log(1 + e^(farthest own - nearest other)) of pool(s(v)), over colour and grey pictures together
    L_domain   = BCE(U(s(v)), v is grey), gradients reversed between U and E_s
    L_id_gen   = CE(p(grey(x_1^2)), y_1) + CE(c(x_1^2), y_2), E_s, E_a and heads frozen, so that G learns
    L_adv      = min over G, max over D: least squares at three scales, R1
    L_code, L_cycle as in DG-Net; weight 0: the released code never raises them above 0.0005
    rank by cos BN(pool(s(grey(x))))

E_a's code is detached where G paints, so E_a learns from L_id alone.
Differences: (1) In the paper clothes change, here the light does: infrared pictures have no colours, so they go through
E_s once, count as grey in L_domain and L_triplet, and partners share the light. (2) L_domain weighs colour and grey one
half each. (3) Running norms see real pictures only. (4) Each term is a mean over all of its pictures. (5) The doubling
convolutions repeat the border instead of reflecting it. (6) Whether E_s is frozen in L_id_gen is not known. (7) s
is pooled by its maximum: its average is zero in every channel, since E_s ends in instance norm without activation. (8)
For small networks from scratch: `strips`, `embedding`, `edges` (edges do not say which side is bright, hence the
sketch), `exchanged`; and `shape_trunk`, a ResNet as E_s, which the released code has too, switched off: s is then read
after its first stage, and the shape head pools its last maps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from tapetum.core import Batch, Modality
from tapetum.data.pairing import draw_pairs
from tapetum.data.transforms import signed, unsigned
from tapetum.errors import RecipeError
from tapetum.losses.adversarial import Game, discriminator_terms, generator_loss
from tapetum.losses.domain import domain_loss
from tapetum.losses.identity import identity_loss
from tapetum.losses.reconstruction import reconstruction_loss
from tapetum.losses.triplet import batch_hard_triplet
from tapetum.methods.method import Method, MethodSettings, Pictures, Progress, Terms
from tapetum.nets.appearance_encoder import AppearanceEncoder
from tapetum.nets.backbones import TrunkSettings
from tapetum.nets.discriminator import MultiScaleDiscriminator
from tapetum.nets.early_gradient import early, shared
from tapetum.nets.edges import EdgeFront
from tapetum.nets.frozen import frozen
from tapetum.nets.generator import PARTS, Generator
from tapetum.nets.heads import BNNeck, vector_head
from tapetum.nets.map_discriminator import MapDiscriminator
from tapetum.nets.pooling import global_pooling
from tapetum.nets.structure_encoder import StructureEncoder, check_size, grey, sketch
from tapetum.nets.structure_trunk import ResidualStructure, ShallowStructure, Structure

_CODE_TERMS = ("structure", "appearance", "cycle")


class CASENetSettings(MethodSettings):
    """Settings of CASE-Net; the defaults are those of the released code (METHODS, section 8)."""

    trunk: str = Field("resnet50", description="of E_a: resnet10, resnet18, resnet34 or resnet50")
    shape_trunk: str | None = Field(None, description="a residual E_s, such as resnet10; None: DG-Net's E_s, published")
    weights: str = Field("imagenet", description="what these start from: imagenet, none, or a file")
    width: int = Field(64, ge=8, description="channels of their first stage; published: 64")
    edges: bool = Field(False, description="E_s reads four edge maps in place of v; G gets s and a grey sketch")
    code_width: int = Field(16, ge=1, description="channels of E_s's first layer, which E_s and G grow with")
    style_width: int = Field(512, ge=1, description="hidden width of G's AdaIN MLPs; published: 512")
    dilations: tuple[int, ...] = Field((3, 6, 9), min_length=1, description="of ASPP; 1, 2, 3 for 64 x 32 pictures")
    discriminator_width: int = Field(32, ge=1, description="channels of D's first layers; published: 32")
    scales: int = Field(3, ge=1, description="of D; published: 3")
    pooling: Literal["max", "gem", "average"] = Field("max", description="of s; published: average, see (7)")
    strips: int = Field(1, ge=1, description="horizontal strips of s that are pooled apart; published: 1")
    embedding: int | None = Field(None, ge=2, description="a linear layer to this length after pooling; none")
    domain_widths: tuple[int, ...] = Field((256, 128, 128), description="of U's layers; published: 256, 128, 128")
    rank_by: Literal["grey", "colour"] = Field("grey", description="what E_s reads of RGB pictures that are ranked")
    reconstruction_weight: float = Field(5.0, ge=0, description="of L_rec; published: 5")
    cross_weight: float = Field(5.0, ge=0, description="of L_cross; published: 5")
    identity_weight: float = Field(2.0, ge=0, description="of L_id; published: 1 for the pictures, 1 for the partners")
    triplet_weight: float = Field(1.0, ge=0, description="of L_triplet; published: 1")
    margin: float | None = Field(None, ge=0, description="of L_triplet; None: the soft margin, as published")
    domain_weight: float = Field(1.0, ge=0, description="of L_domain; published: 1. 0: no U")
    generated_weight: float = Field(0.5, ge=0, description="of L_id_gen; published: 0.5")
    adversarial_weight: float = Field(2.0, ge=0, description="of L_adv for G; published: 1 of twice as much")
    cross_modality: float = Field(0.5, ge=0, le=1, description="share of swaps between two lights")
    exchanged: int | None = Field(None, ge=2, description="persons of a batch in pairs; None: all")
    r1_weight: float = Field(0.01, ge=0, description="of R1; published: 0.01")
    r1_every: int = Field(1, ge=1, description="R1 in every n-th step alone, n times as heavy")
    gan_loss: Game = Field("least_squares", description="least_squares (published) or log")
    structure_weight: float = Field(0.0, ge=0, description="of L_code's shape half, once risen; published: in effect 0")
    appearance_weight: float = Field(0.0, ge=0, description="of L_code's colour half, once risen; in effect 0")
    cycle_weight: float = Field(0.0, ge=0, description="of L_cycle, once risen; in effect 0")
    warmup: float = Field(0.3, ge=0, lt=1, description="share of training before the last three rise; DG-Net: 0.3")
    rise: float = Field(0.02, ge=0, description="share of training in which each rises by 1; DG-Net: 0.02")


@dataclass(frozen=True)
class _Drawn:
    """The pictures x (2P) of the drawn pairs: whom they show, their colours and their partners', their opposites."""

    x: Tensor
    y: Tensor
    a: Tensor
    a_p: Tensor
    other: Tensor


class CASENet(Method):
    """The networks and losses of the module's docstring."""

    Settings: ClassVar[type[MethodSettings]] = CASENetSettings

    def __init__(self, settings: CASENetSettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.settings = settings
        self.front = EdgeFront() if settings.edges else None
        self.E_s = _shape_encoder(settings)
        self.E_a = AppearanceEncoder(settings.trunk, settings.weights, settings.width)
        s_channels = self.E_s.code_channels
        self.G = Generator(s_channels + settings.edges, self.E_a.channels, settings.style_width)
        self.D = MultiScaleDiscriminator(settings.discriminator_width, settings.scales)
        self.U = MapDiscriminator(s_channels, settings.domain_widths) if settings.domain_weight > 0 else None
        if settings.shape_trunk is None and settings.pooling == "average" and settings.strips == 1:
            raise RecipeError(
                "pooling: the average of the shape code is zero in every channel, since E_s ends in instance norm. Take"
                " pooling max or gem, or more strips."
            )
        pooling = global_pooling(settings.pooling)
        self.pool, length = vector_head(self.E_s.channels, pooling, settings.strips, settings.embedding)
        self.shape, self.colour = BNNeck(length, persons), BNNeck(self.E_a.channels, persons)

    def players(self) -> dict[str, nn.Module]:
        """D; E_s and G; E_a with all heads; and U."""
        players: dict[str, nn.Module] = {
            "generator": nn.ModuleDict({"E_s": self.E_s, "G": self.G}),
            "identity": nn.ModuleDict({"E_a": self.E_a, "pool": self.pool, "shape": self.shape, "colour": self.colour}),
        }
        if self.U is not None:
            players["domain"] = self.U
        if self.settings.adversarial_weight > 0:
            players["discriminator"] = self.D
        return players

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """D on detached swaps; then E_s with G, E_a with the heads, and U, whose gradients are taken at once."""
        images, y = signed(torch.cat([batch.rgb, batch.ir])), batch.person.repeat(2)
        colours = images[: len(batch.rgb)]
        read = self._shape(torch.cat([colours, _three(grey(images))]))  # 3N rows: colour, grey, infrared
        maps = self.E_a(images)
        pairs = draw_pairs(batch.person, self.settings.cross_modality, self.settings.exchanged)
        s_drawn, codes = read.s[len(colours) :][pairs.row], _code(maps).detach()
        drawn = _Drawn(images[pairs.row], y[pairs.row], codes[pairs.row], codes[pairs.partner], pairs.other)
        canvas = self._canvas(s_drawn, drawn.x)
        swapped = self.G(canvas, drawn.a[drawn.other])  # (2P, 3, H, W): x_i^other(i)
        if self.settings.adversarial_weight > 0:
            r1 = self.settings.r1_weight * progress.due(self.settings.r1_every)
            yield "discriminator", discriminator_terms(self.D, drawn.x, swapped, self.settings.gan_loss, r1)
        terms = {
            **self._known(read, maps, batch.person),
            **early(lambda given: self._rebuilt(given, drawn), [canvas], [self.G]),
            **early(lambda v, given: self._judged(v, given, drawn, progress), [swapped, s_drawn], [self.E_s, self.G]),
        }
        players = self.players()
        movers = [name for name in ("generator", "identity", "domain") if name in players]
        yield from zip(movers, shared(terms, *(players[name] for name in movers)), strict=True)

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """The shape head's feature: (B, 3, H, W) -> (B, 128)."""
        x = signed(images)
        coloured = modality == Modality.RGB and self.settings.rank_by == "colour"
        feature, _ = self.shape(self.pool(self._shape(x if coloured else _three(grey(x))).maps))
        return F.normalize(feature.float())

    def codes(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        """s of the grey copies (N, 128, H / 4, W / 4) and a (N, 2048, 4)."""
        x = signed(pictures.images)
        return self._canvas(self._shape(_three(grey(x))).s, x), _code(self.E_a(x))

    def paint(self, structure: Tensor, appearance: Tensor, modality: Modality) -> Tensor:
        """G(a, s) in [0, 1]; the light is in the appearance."""
        return unsigned(self.G(structure, appearance).float()).clamp(0, 1)

    def _shape(self, v: Tensor) -> Structure:
        """s and the maps that the shape head pools, of pictures in [-1, 1]: v (N, 3, H, W)."""
        check_size(v)
        read: Structure = self.E_s(v if self.front is None else self.front(unsigned(v)))
        return read

    def _canvas(self, s: Tensor, x: Tensor) -> Tensor:
        """What G paints from: s of pictures x; where it was read from edges, with a sketch of them."""
        return s if self.front is None else torch.cat([s, sketch(x)], dim=1)

    def _known(self, read: Structure, maps: Tensor, person: Tensor) -> dict[str, Tensor]:
        """What real pictures say: L_id of both heads, L_triplet and L_domain."""
        settings, count, y = self.settings, len(person), person.repeat(2)
        vectors = self.pool(read.maps)  # (3N, 128)
        _, of_shape = self.shape(vectors[count:])
        _, of_colour = self.colour(_pooled(maps))
        terms = {
            "shape": settings.identity_weight * identity_loss(of_shape, y),
            "colour": settings.identity_weight * identity_loss(of_colour, y),
            "triplet": settings.triplet_weight * batch_hard_triplet(vectors, person.repeat(3), settings.margin),
        }
        if self.U is not None:
            is_grey = torch.arange(len(read.s), device=read.s.device) >= count
            terms["domain"] = settings.domain_weight * domain_loss(self.U(read.s), is_grey)
        return terms

    def _rebuilt(self, canvas: Tensor, drawn: _Drawn) -> Terms:
        """L_rec and L_cross: each shape in its own colours and in its partner's."""
        own, partner = self.G(canvas, torch.cat([drawn.a, drawn.a_p])).chunk(2)
        return {
            "reconstruction": self.settings.reconstruction_weight * reconstruction_loss(own, drawn.x),
            "cross": self.settings.cross_weight * reconstruction_loss(partner, drawn.x),
        }

    def _judged(self, v: Tensor, s: Tensor, drawn: _Drawn, progress: Progress) -> Terms:
        """What the swaps v are worth to E_s and G: real, of the right donors, and the codes still in them."""
        settings, terms = self.settings, dict[str, Tensor]()
        if settings.adversarial_weight > 0:
            with frozen(self.D):
                terms |= early(self._passes, [v])
        with frozen(self.E_s, self.E_a, self.pool, self.shape, self.colour):
            (s_v, seen), maps = self._shape(_three(grey(v))), self.E_a(v)
            (_, of_shape), (_, of_colour) = self.shape(self.pool(seen)), self.colour(_pooled(maps))
            found = identity_loss(of_shape, drawn.y) + identity_loss(of_colour, drawn.y[drawn.other])
            terms["generated"] = settings.generated_weight * found
        weights = {name: self._risen(progress, getattr(settings, f"{name}_weight")) for name in _CODE_TERMS}
        if any(weights.values()):
            a_v = _code(maps)
            terms["structure"] = weights["structure"] * reconstruction_loss(s_v, s)
            terms["appearance"] = weights["appearance"] * reconstruction_loss(a_v, drawn.a[drawn.other])
            again = self.G(self._canvas(s_v, v), a_v[drawn.other])  # the shape of x_1^2 in the colours of x_2^1
            terms["cycle"] = weights["cycle"] * reconstruction_loss(again, drawn.x)
        return terms

    def _passes(self, v: Tensor) -> Terms:
        return {"adversarial": self.settings.adversarial_weight * generator_loss(self.D(v), self.settings.gan_loss)}

    def _risen(self, progress: Progress, weight: float) -> float:
        return progress.rising(self.settings.warmup, self.settings.rise, weight)


def _shape_encoder(settings: CASENetSettings) -> ShallowStructure | ResidualStructure:
    inputs, channels = EdgeFront.channels if settings.edges else 3, 8 * settings.code_width
    if settings.shape_trunk is None:
        return ShallowStructure(StructureEncoder(inputs, settings.code_width, settings.dilations), channels)
    trunk = TrunkSettings(settings.shape_trunk, "stem", settings.weights, settings.width, inputs)
    return ResidualStructure(trunk, channels)


def _code(maps: Tensor) -> Tensor:
    """a: the mean over each quarter of the height, top to bottom. (N, A, h, w) -> (N, A, 4)."""
    return F.adaptive_avg_pool2d(maps, (PARTS, 1)).flatten(2)


def _pooled(maps: Tensor) -> Tensor:
    """What the colour head reads: the mean of the four parts. (N, A, h, w) -> (N, A)."""
    return _code(maps).mean(dim=2)


def _three(grey: Tensor) -> Tensor:
    """Grey in three channels: (N, 1, H, W) -> (N, 3, H, W)."""
    return grey.expand(-1, 3, -1, -1)
