"""cmPIG, or JSIA (Wang et al., AAAI 2020): align two lights as sets by painting, and picture by picture by pairs.

    c = E_sl(grey(x))                      content, the first layers of the network that ranks
    s = E_s^m(x), m = rgb, ir              style of a light;  o(m): the other light
    x^ = Dec_o(c, s_o): x in the other light, in the style of another picture x_o of the same person there
    f = pool(E_il(c)),  z = BN(f),  p = softmax(W z)
    L_recon = sum_m |x - Dec_m(c, s)|_1             L_cyc  = sum_m |x - Dec_m(E_sl(x^), s)|_1
    L_feat  = |c - E_sl(x^)|_1 + |s_o - E_s^o(x^)|_1 L_gan  = least squares, a discriminator for each light
    L_align = KL(p(x) | p(x^)) + KL(p(x^) | p(x))   L_cls  = CE(p, y)    L_tri = batch-hard across the light
    L = 10 L_cyc + 10 L_recon + L_feat + L_gan, and after a warm-up + 0.01 L_align + L_cls + L_tri;  rank by cos z

Contents are read at the picture's size and painted at half of it (published: 256 x 128 and 128 x 64), so painted
pictures are enlarged where they are read. Like the released code, c has no ReLU before its pooling.
Differences: (1) Painted pictures come from the batch that identities are learnt from; the released code draws a batch
for each. (2) x^ is read again by E_sl as it stands, so that L_cyc reaches E_sl only through the c that x^ is painted
from, and so does L_feat, which our source keeps from E_sl; its targets are constants. (3) L_align reads x^ as it
stands: painters do not learn from it. (4) Running norms see real pictures only. (5) The released classifier on s is
left out: our source names no loss for it. (6) The doubling repeats its border. (7) `edges`, `strips`, `embedding` and
`mirror` are ours, for small trunks; with edges, Dec gets a grey sketch beside c.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from tapetum.core import Batch, Modality
from tapetum.data.row_drawing import across, draw_rows
from tapetum.data.transforms import centred, uncentred
from tapetum.losses.adversarial import discriminator_terms, generator_loss
from tapetum.losses.identity import identity_loss
from tapetum.losses.posterior_agreement import posterior_agreement
from tapetum.losses.reconstruction import reconstruction_loss
from tapetum.losses.top_ranking import cross_modality_ranking
from tapetum.methods.method import Method, MethodSettings, Pictures, Progress, Terms
from tapetum.nets.backbones import TrunkSettings, build_trunk
from tapetum.nets.early_gradient import early, shared
from tapetum.nets.edges import EdgeFront
from tapetum.nets.frozen import frozen, unrecorded
from tapetum.nets.heads import BNNeck, vector_head
from tapetum.nets.patch_discriminator import PatchDiscriminator
from tapetum.nets.pooling import global_pooling
from tapetum.nets.structure_encoder import check_size, grey, sketch
from tapetum.nets.style_decoder import StyleDecoder, enlarged, halved
from tapetum.nets.style_encoder import StyleEncoder


class CmPigSettings(MethodSettings):
    """Settings of cmPIG; the defaults are the published ones (METHODS, section 6)."""

    trunk: str = Field("resnet50", description="of E_sl and E_il: resnet10, resnet18, resnet34 or resnet50")
    weights: str = Field("imagenet", description="what the trunk starts from: imagenet, none, or a weights file")
    width: int = Field(64, ge=8, description="channels of the trunk's first stage; published: 64")
    style: int = Field(128, ge=1, description="length of s; published: 128")
    style_width: int = Field(32, ge=1, description="channels of E_s's first layer; published: 32")
    style_halvings: int = Field(4, ge=1, description="of the picture in E_s; published: 4. Fewer for small pictures")
    decoder_width: int = Field(256, ge=1, description="hidden width of the decoders' MLP; published: 256")
    discriminator_width: int = Field(32, ge=1, description="channels of the discriminators' first layer; published: 32")
    scales: int = Field(2, ge=1, description="of the discriminators; published: 2")
    painted_persons: int = Field(3, ge=1, description="persons of the batch that are painted; published: 3")
    painted_crops: int = Field(3, ge=1, description="pictures of each in each light that are painted; published: 3")
    reconstruction_weight: float = Field(10.0, ge=0, description="of L_recon; published: 10")
    cycle_weight: float = Field(10.0, ge=0, description="of L_cyc; published: 10")
    content_weight: float = Field(1.0, ge=0, description="of L_feat's content half; published: 1")
    style_weight: float = Field(1.0, ge=0, description="of L_feat's style half; published: 1")
    adversarial_weight: float = Field(1.0, ge=0, description="of L_gan for the painters; published: 1. 0: no D")
    alignment_weight: float = Field(0.01, ge=0, description="of L_align; released: 0.01")
    identity_weight: float = Field(1.0, ge=0, description="of L_cls; published: 1")
    metric_weight: float = Field(1.0, ge=0, description="of L_tri; published: 1")
    margin: float = Field(0.3, ge=0, description="of L_tri; published: 0.3")
    smoothing: float = Field(0.1, ge=0, lt=1, description="label smoothing of L_cls; published: 0.1")
    warmup: float = Field(2 / 3, ge=0, lt=1, description="share of training with painting alone; paper: 100 of 150")
    edges: bool = Field(False, description="E_sl reads four edge maps; painters get c and a grey sketch")
    strips: int = Field(1, ge=1, description="horizontal strips of E_il's map that are averaged apart; published: 1")
    embedding: int | None = Field(None, ge=2, description="length of f after a linear layer; None: no such layer")
    mirror: bool = Field(False, description="search with the sum of a picture's vector and its mirror image's")


@dataclass(frozen=True)
class _Painted:
    """Pictures of both lights, RGB rows first, row i and row i + n of one person, and what is painted of them.

    small: (2n, 3, H/2, W/2), the pictures; c, s: what is painted from; fake: in the light and style of row i, the
    content of its opposite.
    """

    small: Tensor
    c: Tensor
    s: Tensor
    fake: Tensor


class CmPig(Method):
    """The networks and losses of the module's docstring."""

    Settings: ClassVar[type[MethodSettings]] = CmPigSettings

    def __init__(self, settings: CmPigSettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.settings = settings
        self.front = EdgeFront() if settings.edges else None
        channels = EdgeFront.channels if settings.edges else 3
        trunk = build_trunk(TrunkSettings(settings.trunk, "stem", settings.weights, settings.width, channels))
        stages = dict(trunk.shared.named_children())
        stages["stem"].act1 = nn.Identity()
        self.E_sl = nn.Sequential(stages["stem"], stages["layer1"]).to(memory_format=torch.channels_last)
        self.E_il = nn.Sequential(stages["layer2"], stages["layer3"], stages["layer4"])
        self.E_il.to(memory_format=torch.channels_last)
        pooling = global_pooling("average")
        self.pool, length = vector_head(trunk.channels, pooling, settings.strips, settings.embedding)
        self.neck = BNNeck(length, persons)
        content = trunk.stage_channels["layer1"] + int(settings.edges)
        lights = [modality.value for modality in Modality]
        encoder = (settings.style_width, settings.style, settings.style_halvings)
        decoder = (content, settings.style, settings.decoder_width)
        self.E_s = nn.ModuleDict({light: StyleEncoder(*encoder) for light in lights})
        self.Dec = nn.ModuleDict({light: StyleDecoder(*decoder) for light in lights})
        judge = (settings.discriminator_width, settings.scales)
        self.D = nn.ModuleDict({light: PatchDiscriminator(*judge) for light in lights})

    def players(self) -> dict[str, nn.Module]:
        """The discriminators; style encoders and decoders; and the network that ranks, whose first part they share."""
        ranking = {"E_sl": self.E_sl, "E_il": self.E_il, "pool": self.pool, "neck": self.neck}
        players: dict[str, nn.Module] = {
            "generator": nn.ModuleDict({"E_s": self.E_s, "Dec": self.Dec}),
            "identity": nn.ModuleDict(ranking),
        }
        if self.settings.adversarial_weight > 0:
            players["discriminator"] = self.D
        return players

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """The discriminators on given paintings; then painters and the network that ranks, with one gradient."""
        x, places = centred(torch.cat([batch.rgb, batch.ir])), self._places(batch.person)
        joint = progress.fraction >= self.settings.warmup
        read = self._content(x if joint else x[places])
        if progress.step == 0:
            self._check_readable(read)
        painted = self._painted(x[places], read[places] if joint else read)
        if self.settings.adversarial_weight > 0:
            yield "discriminator", self._told_apart(painted)
        terms = self._generation(painted)
        if joint:
            terms |= self._recognised(read, batch.person, places, painted.fake.detach())
        players = self.players()
        movers = ("generator", "identity")
        yield from zip(movers, shared(terms, *(players[name] for name in movers)), strict=True)

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """z scaled to unit length (with `mirror`, z added to the mirror image's): (B, 3, H, W) -> (B, D)."""
        x = centred(images)
        seen = [x, x.flip(3)] if self.settings.mirror else [x]
        found = [self.neck(self._vectors(self._content(pictures)))[0].float() for pictures in seen]
        return F.normalize(torch.stack(found).sum(dim=0))

    def codes(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        """c (N, 256, H / 4, W / 4) and s (N, 128)."""
        x = centred(pictures.images)
        s: Tensor = self.E_s[pictures.modality](halved(x))
        return self._drawn(self._content(x), x), s

    def paint(self, structure: Tensor, appearance: Tensor, modality: Modality) -> Tensor:
        """Dec_m(c, s), enlarged to the size of the pictures that c was read from, in [0, 1]."""
        return uncentred(enlarged(self.Dec[modality](structure, appearance).float())).clamp(0, 1)

    def _places(self, person: Tensor) -> Tensor:
        """Which rows of both lights together are painted, RGB rows first."""
        rows = draw_rows(person, self.settings.painted_persons, self.settings.painted_crops)
        return torch.cat([rows, rows + len(person)])

    def _content(self, x: Tensor) -> Tensor:
        """c (N, C, H / 4, W / 4) of pictures in [-1, 1], RGB or infrared."""
        check_size(x)
        seen = grey(x).expand(-1, 3, -1, -1) if self.front is None else self.front(uncentred(x))
        c: Tensor = self.E_sl(seen.contiguous(memory_format=torch.channels_last))
        return c

    def _drawn(self, c: Tensor, x: Tensor) -> Tensor:
        """What decoders paint from: c of pictures x; where it was read from edges, with a sketch of them."""
        known = c if self.front is None else torch.cat([c, sketch(x)], dim=1)
        return known.contiguous()  # instance norm is slow on channels that come last

    def _check_readable(self, c: Tensor) -> None:
        """Refuse sizes that E_il and its strips cannot read now, not when the warm-up is over."""
        with torch.no_grad(), unrecorded(self.E_il, self.pool):
            self._vectors(c)

    def _vectors(self, c: Tensor) -> Tensor:
        f: Tensor = self.pool(self.E_il(c))
        return f

    def _painted(self, x: Tensor, c: Tensor) -> _Painted:
        small, c = halved(x), self._drawn(c, x)
        s = _by_light(self.E_s, small)
        return _Painted(small, c, s, _by_light(self.Dec, across(c), s))

    def _told_apart(self, painted: _Painted) -> Terms:
        """What each light's discriminator learns, added."""
        sides = zip(self.D.values(), painted.small.chunk(2), painted.fake.chunk(2), strict=True)
        found = [discriminator_terms(D, real, fake)["adversarial"] for D, real, fake in sides]
        return {"adversarial": torch.stack(found).sum()}

    def _generation(self, painted: _Painted) -> dict[str, Tensor]:
        """What painting is worth; the sum over both lights of means over pictures, which are as many in each."""
        settings, terms = self.settings, dict[str, Tensor]()
        if settings.adversarial_weight > 0:
            with frozen(self.D):
                terms |= early(self._passes, [painted.fake])
        with frozen(self.E_sl):
            again = enlarged(painted.fake)
            c_again = self._content(again)
        s_again = _by_light(self.E_s, painted.fake)
        own = _by_light(self.Dec, painted.c, painted.s)
        cycle = _by_light(self.Dec, across(self._drawn(c_again, again)), painted.s)
        found = {
            "reconstruction": reconstruction_loss(own, painted.small),
            "cycle": reconstruction_loss(cycle, painted.small),
            "content": reconstruction_loss(c_again, across(painted.c).detach()[:, : c_again.shape[1]]),
            "style": reconstruction_loss(s_again, painted.s.detach()),
        }
        return terms | {name: 2 * getattr(settings, f"{name}_weight") * term for name, term in found.items()}

    def _passes(self, fake: Tensor) -> Terms:
        sides = zip(self.D.values(), fake.chunk(2), strict=True)
        found = torch.stack([generator_loss(D(pictures)) for D, pictures in sides]).sum()
        return {"adversarial": self.settings.adversarial_weight * found}

    def _recognised(self, read: Tensor, person: Tensor, places: Tensor, fake: Tensor) -> Mapping[str, Tensor]:
        """L_cls and L_tri on all of the batch, L_align on those pictures of it that were painted in the other light."""
        settings = self.settings
        f = self._vectors(read)
        _, logits = self.neck(f)
        with unrecorded(self.E_sl, self.E_il, self.pool, self.neck):
            _, imagined = self.neck(self._vectors(self._content(enlarged(fake))))
        rgb, ir = f.chunk(2)
        triplet = cross_modality_ranking(rgb, ir, person, settings.margin) / 2
        return {
            "identity": settings.identity_weight * identity_loss(logits, person.repeat(2), settings.smoothing),
            "triplet": settings.metric_weight * triplet,
            "alignment": settings.alignment_weight * posterior_agreement(logits[places], across(imagined)),
        }


def _by_light(networks: nn.ModuleDict, *given: Tensor) -> Tensor:
    """The first half of the rows through the RGB network, the second half through the infrared one."""
    halves = zip(*(rows.chunk(2) for rows in given), strict=True)
    return torch.cat([network(*half) for network, half in zip(networks.values(), halves, strict=True)])
