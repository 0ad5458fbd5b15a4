"""Hi-CMD (Choi et al., CVPR 2020): what a person is against what a moment adds, found by painting one as the other.

    p = E_p^m(x)                     prototype, a map of the body's shape;  m = rgb, ir
    a = E_a^m(x)                     attributes: style, pose, illumination; "ex" is pose and illumination
    x_1 (RGB) and x_2 (infrared) show one person, whose styles are exchanged first:
    a^_1 = [style_2, ex_1],  a^_2 = [style_1, ex_2]
    x_12 = G(p_1, a^_2)              shape and style of 1, pose and light of 2: must be x_2
    L_recon = |x_1 - G(p_1, a^_1)|_1 L_cross = |x_2 - x_12|_1     L_cyc = |x_1 - G(E_p(x_12), a^_1)|_1
    L_code  = |p_1 - E_p(x_12)|_1 + |a^_2 - E_a(x_12)|_1          L_kl  = mean ex^2
    L_adv   = least squares at three scales, R1, on x_12 and on G(p_1, [style_1, pose_1, illumination_2])
    u = pool(layer3(layer2(p))),  h = [w u / |u|, (1 - w) style / |style|]     w: learned, logged as watched/shape
    L_id    = CE(C(BN(V h)), y), also of h of x_12 and of h with exchanged styles
    L_tri   = cosine triplet on T h;  rank by cos BN(V h)
    painting's terms also with 1 and 2 exchanged, added; L_id and L_tri in the mean over both lights
    L = 50 (L_recon + L_cross + L_cyc) + 20 L_adv + 10 L_code + L_kl + L_id + L_tri

Differences: (1) Generated pictures are encoded again by frozen encoders, the targets of L_code are constants, and L_id
reads x_12 as it stands. (2) h of exchanged styles and h of generated pictures take turns, step by step. (3) Running
norms see real pictures only. (4) The order of segments is style, pose, style, illumination; the weights of L_id and
L_tri are 1: our source says neither. (5) Erased pictures are for L_id and L_tri alone. (6) The doubling convolutions
repeat the border. (7) `edges`, `strips`, `smoothing`, `mirror` and `prototype_trunk` are ours, for small networks
from scratch; with edges, G gets a grey sketch beside p.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from tapetum.core import Batch, Modality
from tapetum.data.erasing import erased
from tapetum.data.row_drawing import across, draw_rows
from tapetum.data.transforms import denormalise, normalise
from tapetum.losses.adversarial import discriminator_terms, generator_loss
from tapetum.losses.cosine_triplet import cosine_triplet
from tapetum.losses.identity import identity_loss
from tapetum.losses.reconstruction import reconstruction_loss
from tapetum.methods.method import Method, MethodSettings, Pictures, Progress, Terms
from tapetum.nets.attribute_encoder import AttributeEncoder, assembled, excluded_of, style_of
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.discriminator import MultiScaleDiscriminator
from tapetum.nets.early_gradient import early, shared
from tapetum.nets.edges import EDGE_FLOOR, EdgeFront
from tapetum.nets.frozen import frozen, unrecorded
from tapetum.nets.generator import Generator
from tapetum.nets.identity_head import IdentityHead
from tapetum.nets.mixed_feature import MixedFeature
from tapetum.nets.structure_encoder import StructureEncoder, check_size, sketch

PROTOTYPE_SLOPE = 0.3  # of the leaky ReLU in E_p


class HiCmdSettings(MethodSettings):
    """Settings of Hi-CMD; the defaults are the published ones (METHODS, section 7)."""

    trunk: Literal["resnet10", "resnet18", "resnet34", "resnet50"] = Field(
        "resnet50", description="of E_a, and of the layers that read identity from p"
    )
    weights: str = Field("imagenet", description="what these start from: imagenet, none, or a weights file")
    width: int = Field(64, ge=8, description="channels of the first stage of E_a's trunk; published: 64")
    code_width: int = Field(32, ge=1, description="channels of E_p's first layer, which G grows with; published: 32")
    style_width: int = Field(512, ge=1, description="hidden width of G's AdaIN MLPs; published: 512")
    dilations: tuple[int, ...] = Field((3, 6, 9), min_length=1, description="of ASPP; 1, 2, 3 for 64 x 32 pictures")
    discriminator_width: int = Field(32, ge=1, description="channels of D's first layers; published: 32")
    scales: int = Field(3, ge=1, description="of D; published: 3")
    embedding: int = Field(2048, ge=2, description="length of V h, which ranks; published: 2048")
    metric_embedding: int = Field(1024, ge=2, description="length of T h; published: 1024")
    dropout: float = Field(0.5, ge=0, lt=1, description="before the classifier; published: 0.5")
    erasing: float = Field(0.5, ge=0, le=1, description="share of pictures erased for L_id and L_tri; published: 0.5")
    painted_persons: int = Field(2, ge=1, description="persons of the batch that are painted; published: 2")
    painted_crops: int = Field(1, ge=1, description="pictures of each in each light that are painted; published: 1")
    reconstruction_weight: float = Field(50.0, ge=0, description="of L_recon; published: 50")
    cross_weight: float = Field(50.0, ge=0, description="of L_cross; published: 50")
    cycle_weight: float = Field(50.0, ge=0, description="of L_cyc; published: 50")
    adversarial_weight: float = Field(20.0, ge=0, description="of L_adv for the painters; published: 20. 0: no D")
    r1_weight: float = Field(0.01, ge=0, description="of R1; published: 0.01")
    r1_every: int = Field(1, ge=1, description="R1 in every n-th step alone, n times as heavy; published: 1")
    code_weight: float = Field(10.0, ge=0, description="of L_code; published: 10")
    excluded_weight: float = Field(1.0, ge=0, description="of L_kl; published: 1")
    identity_weight: float = Field(1.0, ge=0, description="of L_id on real pictures")
    exchanged_weight: float = Field(1.0, ge=0, description="of L_id on exchanged styles, and in turn on x_12")
    metric_weight: float = Field(1.0, ge=0, description="of L_tri")
    margin: float = Field(0.5, ge=0, description="of L_tri; published: 0.5")
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing of L_id; published: 0")
    prototype_trunk: str | None = Field(
        None, description="E_p is the first stages of this ResNet for both lights; None: one as DG-Net's for each"
    )
    edges: bool = Field(False, description="E_p reads four edge maps in place of colours; G gets p and a grey sketch")
    strips: int = Field(1, ge=1, description="horizontal strips of the shape that are averaged apart; published: 1")
    mirror: bool = Field(False, description="search with the sum of a picture's vector and its mirror image's")


@dataclass(frozen=True)
class _Painted:
    """Pictures x of both lights (2n, ...), RGB rows first, row i and row i + n of one person, and what is painted.

    p, mixed: prototypes and attributes a^ with exchanged styles; own: G(p, a^); crossed: row i's shape and style in the
    pose and light of its opposite; lit: all but the illumination of row i.
    """

    x: Tensor
    p: Tensor
    mixed: Tensor
    own: Tensor
    crossed: Tensor
    lit: Tensor


class HiCmd(Method):
    """The networks and losses of the module's docstring."""

    Settings: ClassVar[type[MethodSettings]] = HiCmdSettings

    def __init__(self, settings: HiCmdSettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.settings = settings
        self.front = EdgeFront(floor=EDGE_FLOOR) if settings.edges else None
        channels = EdgeFront.channels if settings.edges else 3
        lights = [modality.value for modality in Modality]
        self.E_p, code = _prototype_encoder(settings, channels)
        encoders = {light: AttributeEncoder(settings.trunk, settings.weights, settings.width) for light in lights}
        self.E_a = nn.ModuleDict(encoders)
        judge = (settings.discriminator_width, settings.scales)
        self.D = nn.ModuleDict({light: MultiScaleDiscriminator(*judge) for light in lights})
        segment = encoders[lights[0]].length
        self.G = Generator(code + int(settings.edges), segment, settings.style_width)
        self.H = MixedFeature(code, 2 * segment, settings.trunk, settings.weights, settings.strips)
        self.head = IdentityHead(self.H.length, settings.embedding, persons, settings.dropout)
        self.T = nn.Linear(self.H.length, settings.metric_embedding)

    def players(self) -> dict[str, nn.Module]:
        """The discriminators; prototype encoders and G; attribute encoders and all that reads identity."""
        identity = {"E_a": self.E_a, "H": self.H, "head": self.head, "T": self.T}
        players: dict[str, nn.Module] = {
            "generator": nn.ModuleDict({"E_p": self.E_p, "G": self.G}),
            "identity": nn.ModuleDict(identity),
        }
        if self.settings.adversarial_weight > 0:
            players["discriminator"] = self.D
        return players

    def watched(self) -> dict[str, Tensor]:
        """w: towards 1 identity is read from shape, towards 0 from style."""
        return {"shape": self.H.share.detach()}

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """The discriminators on given paintings; then painters and readers of identity, with one gradient."""
        images, person = normalise(torch.cat([batch.rgb, batch.ir])), batch.person
        looked_at, hit = erased(images, self.settings.erasing)
        read = self._read(looked_at)
        rows = draw_rows(person, self.settings.painted_persons, self.settings.painted_crops)
        places = torch.cat([rows, rows + len(person)])
        p, a = (code[places] for code in read)
        if bool(hit.any()):
            with unrecorded(self.E_p, self.E_a):
                p, a = self._read(images[places])
        painted = self._painted(images[places], p, a)
        if self.settings.adversarial_weight > 0:
            yield "discriminator", self._told_apart(painted, progress)
        terms = {**self._generation(painted), "excluded": self._excluded(a), **self._recognised(*read, person)}
        if progress.step % 2:
            terms["generated"] = self._generated(painted.crossed.detach(), person[rows].repeat(2))
        else:
            terms["exchanged"] = self._exchanged(*read, person.repeat(2))
        players = self.players()
        movers = ("generator", "identity")
        yield from zip(movers, shared(terms, *(players[name] for name in movers)), strict=True)

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """BN(V h) (with `mirror`, added to the mirror image's) scaled to unit length: (B, 3, H, W) -> (B, D)."""
        x = normalise(images)
        found = [self._ranking(seen, modality) for seen in ([x, x.flip(3)] if self.settings.mirror else [x])]
        return F.normalize(torch.stack(found).sum(dim=0))

    def codes(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        """p (N, 256, H / 4, W / 4) and a (N, 512, 4)."""
        x, light = normalise(pictures.images), pictures.modality
        return self._drawn(self._prototype(x, light), x), self.E_a[light](x)

    def paint(self, structure: Tensor, appearance: Tensor, modality: Modality) -> Tensor:
        """G(p, a) in [0, 1]; the light is in the attributes."""
        return denormalise(self.G(structure, appearance).float()).clamp(0, 1)

    def _input(self, x: Tensor) -> Tensor:
        check_size(x)
        seen: Tensor = x if self.front is None else self.front(x)
        return seen

    def _prototype(self, x: Tensor, light: Modality) -> Tensor:
        encoder = self.E_p[light] if isinstance(self.E_p, nn.ModuleDict) else self.E_p
        p: Tensor = encoder(self._input(x))
        return p

    def _drawn(self, p: Tensor, x: Tensor) -> Tensor:
        """What G paints from: p of pictures x; where it was read from edges, with a sketch of them."""
        return p if self.front is None else torch.cat([p, sketch(x)], dim=1)

    def _read(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """p and a of normalised pictures, RGB rows first, as many infrared ones after them."""
        seen = self._input(x)
        p = _by_light(self.E_p, seen) if isinstance(self.E_p, nn.ModuleDict) else self.E_p(seen)
        return p, _by_light(self.E_a, x)

    def _ranking(self, x: Tensor, modality: Modality) -> Tensor:
        h = self.H(self._prototype(x, modality), style_of(self.E_a[modality](x)))
        feature: Tensor = self.head(h).feature.float()
        return feature

    def _painted(self, x: Tensor, p: Tensor, a: Tensor) -> _Painted:
        mixed = assembled(style=across(a), pose=a, illumination=a)
        relit = assembled(style=a, pose=a, illumination=across(a))
        own, crossed, lit = self.G(self._drawn(p, x), torch.cat([mixed, across(mixed), relit])).chunk(3)
        return _Painted(x, p, mixed, own, crossed, lit)

    def _told_apart(self, painted: _Painted, progress: Progress) -> Terms:
        """What each light's discriminator learns, added."""
        r1 = self.settings.r1_weight * progress.due(self.settings.r1_every)
        sides = zip(self.D.values(), painted.x.chunk(2), _in_light(painted.crossed, painted.lit), strict=True)
        found = [discriminator_terms(D, real, fake, r1=r1) for D, real, fake in sides]
        return {name: torch.stack([terms[name] for terms in found]).sum() for name in found[0]}

    def _generation(self, painted: _Painted) -> dict[str, Tensor]:
        """What painting is worth; the sum over both lights of means over pictures, which are as many in each."""
        settings, terms = self.settings, dict[str, Tensor]()
        if settings.adversarial_weight > 0:
            with frozen(self.D):
                terms |= early(self._passes, [painted.crossed, painted.lit])
        with frozen(self.E_p, self.E_a):
            p_again, a_again = (across(code) for code in self._read(across(painted.crossed)))
        again = self._drawn(p_again, painted.crossed)
        shape = reconstruction_loss(p_again, painted.p.detach())
        look = reconstruction_loss(a_again, across(painted.mixed).detach())
        found = {
            "reconstruction": reconstruction_loss(painted.own, painted.x),
            "cross": reconstruction_loss(painted.crossed, across(painted.x)),
            "cycle": reconstruction_loss(self.G(again, painted.mixed), painted.x),
            "code": shape + look,
        }
        return terms | {name: 2 * getattr(settings, f"{name}_weight") * term for name, term in found.items()}

    def _passes(self, crossed: Tensor, lit: Tensor) -> Terms:
        found = [generator_loss(D(fake)) for D, fake in zip(self.D.values(), _in_light(crossed, lit), strict=True)]
        return {"adversarial": self.settings.adversarial_weight * torch.stack(found).sum()}

    def _excluded(self, a: Tensor) -> Tensor:
        ex = excluded_of(a)
        return 2 * self.settings.excluded_weight * reconstruction_loss(ex, torch.zeros_like(ex), power=2)

    def _recognised(self, p: Tensor, a: Tensor, person: Tensor) -> dict[str, Tensor]:
        """L_id and L_tri on real pictures."""
        settings, y, h = self.settings, person.repeat(2), self.H(p, style_of(a))
        return {
            "identity": settings.identity_weight * identity_loss(self.head(h).logits, y, settings.smoothing),
            "triplet": settings.metric_weight * cosine_triplet(self.T(h), y, settings.margin),
        }

    def _exchanged(self, p: Tensor, a: Tensor, y: Tensor) -> Tensor:
        """L_id on h of one picture's shape and the style of its opposite, which shows the same person."""
        with unrecorded(self.H, self.head):
            logits = self.head(self.H(p, style_of(across(a)))).logits
        return self.settings.exchanged_weight * identity_loss(logits, y, self.settings.smoothing)

    def _generated(self, crossed: Tensor, y: Tensor) -> Tensor:
        """L_id on pictures that were painted in the other light."""
        with unrecorded(self.E_p, self.E_a, self.H, self.head):
            p, a = self._read(across(crossed))
            logits = self.head(self.H(p, style_of(a))).logits
        return self.settings.exchanged_weight * identity_loss(logits, across(y), self.settings.smoothing)


def _prototype_encoder(settings: HiCmdSettings, inputs: int) -> tuple[nn.Module, int]:
    """E_p, for each light or for both, and the channels of p."""
    if settings.prototype_trunk is not None:
        trunk = TrunkSettings(settings.prototype_trunk, "stem", settings.weights, settings.width, inputs)
        built = build_trunk(trunk)
        stages = dict(built.shared.named_children())
        return nn.Sequential(stages["stem"], stages["layer1"]), built.stage_channels["layer1"]
    shape = (inputs, settings.code_width, settings.dilations, "instance", PROTOTYPE_SLOPE)
    return nn.ModuleDict({light.value: StructureEncoder(*shape) for light in Modality}), 8 * settings.code_width


def _by_light(networks: nn.ModuleDict, x: Tensor) -> Tensor:
    """The first half of the rows through the RGB network, the second half through the infrared one."""
    return torch.cat([network(rows) for network, rows in zip(networks.values(), x.chunk(2), strict=True)])


def _in_light(crossed: Tensor, lit: Tensor) -> list[Tensor]:
    """What was painted in RGB and what in infrared: both kinds are in the light of the opposite of their row."""
    infrared, rgb = (torch.cat(sides) for sides in zip(crossed.chunk(2), lit.chunk(2), strict=True))
    return [rgb, infrared]
