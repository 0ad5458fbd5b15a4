"""Structure identity (the deck's proposed method): identity from the structure code, whatever the appearance.

    s_i, h_i = E_s(grey(x_i)),  a_i = E_a(x_i),  x_i^j = G(a_j, s_i): the structure of i in the appearance of j
    p(x) = softmax(W BN(V pool(h))): the head reads structure, so x_1^2 is y_1, its structure's donor
    L_id     = CE(p(x), y)                   L_id_recon = CE(p(x_1^2), y_1), E_s frozen, so that G learns
    L_simple, L_cross, L_code, L_cycle, L_adv as in DG-Net;  L_dis = KL(q(x_1^2) | p(x_1^2)), q: a teacher on grey
    rank by cos BN(V pool(h)), picture and mirror image added

`identity_space` decides heads, the label of every swap and the vector that ranks, together: structure (as above),
appearance (p reads E_a, x_1^2 is y_2) or both. With the other defaults h = s: the deck's method, whose E_s is shallow.
Switches, each one line (METHODS 10.3): `branch` reads identity from deeper layers on s, `attached: false` keeps its
gradient from s, `pulled: false` keeps painting's from what identity is read from; `structure_trunk` puts a residual
trunk in E_s's place; `norm`; `metric`; `alignment_weight`, a classifier of the light behind reversed gradients; `edges`
as input, alone, or as a branch; `edge_weight`, |edges(x_1^2) - edges(x_1)|_1; `pooling`, `strips`; `reversal_weight`, a
classifier on a behind reversed gradients; `attributes`.
Differences from the deck: (1) its L_id_recon names y_2, which contradicts the idea. (2) E_a has no identity head and
learns from what G paints, so a is not detached there. (3) L_fine, which asks E_a for identity, is gone. (4) Those of
DG-Net here: running norms see real pictures only, the teacher may learn along, terms are means over all pictures. (5) h
is pooled by its maximum, as E_a's map is: the average of an instance-normed code is zero. (6) `exchanged`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

from tapetum.core import Batch, Modality
from tapetum.data.erasing import erased
from tapetum.data.pairing import draw_pairs
from tapetum.data.transforms import denormalise, normalise
from tapetum.losses.adversarial import Game, discriminator_terms, generator_loss
from tapetum.losses.attributes import attribute_loss
from tapetum.losses.distillation import Direction, soft_label_loss
from tapetum.losses.identity import identity_loss
from tapetum.losses.metric import Metric, metric_loss
from tapetum.losses.reconstruction import reconstruction_loss
from tapetum.methods.method import Method, MethodSettings, Pictures, Progress, Terms
from tapetum.nets.appearance_encoder import AppearanceEncoder
from tapetum.nets.backbones import TrunkSettings
from tapetum.nets.discriminator import MultiScaleDiscriminator
from tapetum.nets.early_gradient import early, shared
from tapetum.nets.frozen import frozen, unrecorded
from tapetum.nets.generator import Generator
from tapetum.nets.gradient_reversal import ReversedClassifier
from tapetum.nets.identity_classifier import IdentityClassifier, check_teacher
from tapetum.nets.identity_head import Identified, IdentityHead
from tapetum.nets.structure_encoder import grey
from tapetum.nets.structure_trunk import ReaderSettings, StructureReader

Space = Literal["structure", "appearance", "both"]
SPACES = {"structure": ["structure"], "appearance": ["appearance"], "both": ["structure", "appearance"]}
_READER = ("width", "code_width", "dilations", "norm", "branch", "attached", "pulled", "edges", "pooling", "strips")
_CODE_TERMS = ("structure", "appearance", "cycle")


class StructureIdentitySettings(MethodSettings):
    """Settings of structure identity; the defaults are the deck's method (METHODS, section 10.2)."""

    identity_space: Space = Field("structure", description="the code that says who it is; see above")
    structure_trunk: str = Field("shallow", description="E_s: shallow (the deck), or resnet10, 18, 34 or 50")
    structure_weights: str = Field("imagenet", description="what a residual E_s starts from: imagenet, none, a file")
    norm: Literal["instance", "batch", "ibn"] = Field("instance", description="of a shallow E_s; the deck: instance")
    branch: bool = Field(False, description="identity from deeper layers on s, not from s itself")
    attached: bool = Field(True, description="the identity's gradient reaches what s is made of")
    pooling: Literal["gem", "average", "max"] = Field("max", description="of h; average: see difference (5)")
    strips: int = Field(1, ge=1, description="horizontal strips of the maps that the head reads")
    pulled: bool = Field(True, description="painting's gradient reaches what identity is read from")
    edges: Literal["none", "input", "alone", "branch"] = Field(
        "none", description="four edge maps: none, beside grey, in its place, or read apart"
    )
    edge_weight: float = Field(0.0, ge=0, description="of the edges that a swap shares with its structure's donor")
    metric: Metric = Field("none", description="on the vector before the head's norm")
    metric_weight: float = Field(1.0, ge=0)
    margin: float | None = Field(0.3, ge=0, description="of batch_hard and hetero_centre; None: soft margin")
    alignment_weight: float = Field(0.0, ge=0, description="of the classifier of the light, gradients reversed")
    reversal_weight: float = Field(0.0, ge=0, description="of a classifier of persons on a, gradients reversed")
    attributes: dict[str, int] = Field(default_factory=dict, description="attribute -> its number of classes")
    attribute_weight: float = Field(1.0, ge=0, description="of the mean over attributes")
    trunk: str = Field("resnet50", description="of E_a and the teacher: resnet10, resnet18, resnet34 or resnet50")
    weights: str = Field("imagenet", description="what E_a and the teacher start from: imagenet, none, or a file")
    width: int = Field(64, ge=8, description="channels of the first stage of every residual trunk; published: 64")
    code_width: int = Field(16, ge=1, description="channels of E_s's first layer, which E_s and G grow with")
    style_width: int = Field(512, ge=1, description="hidden width of G's AdaIN MLPs; published: 512")
    dilations: tuple[int, ...] = Field((3, 6, 9), min_length=1, description="of ASPP; 1, 2, 3 for 64 x 32 pictures")
    discriminator_width: int = Field(32, ge=1, description="channels of D's first layers; published: 32")
    scales: int = Field(3, ge=1, description="of D; published: 3")
    embedding: int = Field(512, ge=2, description="length of each head's feature; published: 512")
    dropout: float = Field(0.5, ge=0, lt=1, description="before each head's classifier; published: 0.5")
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing of L_id on real pictures")
    erasing: float = Field(0.5, ge=0, le=1, description="share of real pictures erased for the identity losses")
    cross_modality: float = Field(0.5, ge=0, le=1, description="share of pairs of two lights")
    exchanged: int | None = Field(None, ge=2, description="persons of a batch in pairs; None: all")
    reconstruction_weight: float = Field(5.0, ge=0, description="of L_simple; DG-Net: 5")
    cross_weight: float = Field(5.0, ge=0, description="of L_cross; DG-Net: 5")
    identity_weight: float = Field(2.0, ge=0, description="of L_id; DG-Net: 1 for the pictures, 1 for the partners")
    generated_weight: float = Field(0.5, ge=0, description="of L_id_recon; DG-Net: 0.5")
    adversarial_weight: float = Field(2.0, ge=0, description="of L_adv for G; DG-Net: 2. 0: no D")
    r1_weight: float = Field(0.01, ge=0, description="of R1; DG-Net: 0.01")
    r1_every: int = Field(1, ge=1, description="R1 in every n-th step alone, n times as heavy")
    gan_loss: Game = Field("least_squares", description="least_squares (DG-Net) or log (the deck)")
    structure_weight: float = Field(1.0, ge=0, description="of L_code's structure half, once risen; DG-Net: 1")
    appearance_weight: float = Field(1.0, ge=0, description="of L_code's appearance half, once risen; DG-Net: 1")
    cycle_weight: float = Field(2.0, ge=0, description="of L_cycle, once risen; DG-Net: 2")
    teacher_weight: float = Field(2.0, ge=0, description="of L_dis, once risen; DG-Net: 2. 0: no teacher")
    kl_direction: Direction = Field("teacher_student", description="KL(q | p), or student_teacher: KL(p | q)")
    warmup: float = Field(0.3, ge=0, lt=1, description="share of training before the last four rise; DG-Net: 0.3")
    rise: float = Field(0.02, ge=0, description="share of training in which each rises by 1; DG-Net: 0.02")
    reencode_detached: float = Field(0.5, ge=0, le=1, description="share of steps whose swaps train E_s, not G, by s")
    teacher_weights: str = Field("none", description="weights of a two_stream run; none: it learns until `warmup`")

    @field_validator("attributes")
    @classmethod
    def _told_apart(cls, given: dict[str, int]) -> dict[str, int]:
        for name, kinds in given.items():
            if kinds < 2 or not name or "." in name:
                raise ValueError(f"{name!r} has {kinds} classes; expected 2 or more, and a name without dots")
        return given


@dataclass(frozen=True)
class _Drawn:
    """The pictures x (2P) of the drawn pairs, whom they show and their opposites."""

    x: Tensor
    y: Tensor
    other: Tensor


class StructureIdentity(Method):
    """The networks and losses of the module's docstring."""

    Settings: ClassVar[type[MethodSettings]] = StructureIdentitySettings

    def __init__(self, settings: StructureIdentitySettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.settings = settings
        same = {name: getattr(settings, name) for name in _READER}
        self.E_s = StructureReader(ReaderSettings(settings.structure_trunk, settings.structure_weights, **same))
        self.E_a = AppearanceEncoder(settings.trunk, settings.weights, settings.width)
        self.G = Generator(self.E_s.code_channels, self.E_a.channels, settings.style_width)
        self.D = MultiScaleDiscriminator(settings.discriminator_width, settings.scales)
        lengths = {"structure": self.E_s.length, "appearance": self.E_a.length}
        spaces = SPACES[settings.identity_space]
        heads = (IdentityHead(lengths[space], settings.embedding, persons, settings.dropout) for space in spaces)
        self.heads = nn.ModuleDict(dict(zip(spaces, heads, strict=True)))
        self.light = ReversedClassifier(self.E_s.length, 2) if settings.alignment_weight > 0 else None
        self.unknown = ReversedClassifier(self.E_a.length, persons) if settings.reversal_weight > 0 else None
        traits = {_trait(name): nn.Linear(settings.embedding, kinds) for name, kinds in settings.attributes.items()}
        self.traits = nn.ModuleDict(traits)
        self.C: IdentityClassifier | None = None
        if settings.teacher_weight > 0:
            check_teacher(settings.teacher_weights, settings.warmup)
            edges = settings.edges != "none" and "structure" in self.heads
            trunk = TrunkSettings(settings.trunk, "stem", "none" if edges else settings.weights, settings.width)
            given, strips = settings.teacher_weights, settings.strips
            self.C = IdentityClassifier(trunk, settings.embedding, persons, given, edges=edges, strips=strips)

    def players(self) -> dict[str, nn.Module]:
        """D; G; E_s with the heads on it; E_a with those on it; and the teacher where it learns along."""
        structure = {"E_s": self.E_s, "heads": self.heads, "light": self.light, "traits": self.traits}
        appearance = {"E_a": self.E_a, "unknown": self.unknown}
        players: dict[str, nn.Module] = {
            "generator": self.G,
            "structure": nn.ModuleDict({name: part for name, part in structure.items() if part is not None}),
            "appearance": nn.ModuleDict({name: part for name, part in appearance.items() if part is not None}),
        }
        if self.settings.adversarial_weight > 0:
            players["discriminator"] = self.D
        if self.C is not None and self.settings.teacher_weights == "none":
            players["teacher"] = self.C
        return players

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """The teacher while it learns; D on detached swaps; then E_s, G and E_a, whose gradients are taken at once."""
        images, persons = normalise(torch.cat([batch.rgb, batch.ir])), batch.person.repeat(2)
        if self.C is not None and "teacher" in self.players() and progress.fraction <= self.settings.warmup:
            yield "teacher", {"identity": identity_loss(self.C(self._for_teacher(images)), persons)}
        looked_at, hit = erased(images, self.settings.erasing)
        maps, read = self.E_a(images), self.E_s(looked_at)
        pairs = draw_pairs(batch.person, self.settings.cross_modality, self.settings.exchanged)
        codes, other = self.E_a.code(maps), pairs.other
        drawn = _Drawn(images[pairs.row], persons[pairs.row], other)
        with unrecorded(self.E_s, self.E_a):
            s = self.E_s(drawn.x).s if bool(hit.any()) else read.s[pairs.row]  # (2P, 128, H / 4, W / 4)
            erased_maps = self.E_a(looked_at) if bool(hit.any()) and "appearance" in self.heads else maps
        a = codes[pairs.row]
        swapped = self.G(s, a[other])  # (2P, 3, H, W): x_i^other(i)
        if self.settings.adversarial_weight > 0:
            r1 = self.settings.r1_weight * progress.due(self.settings.r1_every)
            yield "discriminator", discriminator_terms(self.D, drawn.x, swapped, self.settings.gan_loss, r1)
        terms = {
            **self._known(self._who(read.vector, erased_maps), read.vector, maps, batch),
            **early(lambda *given: self._rebuilt(drawn.x, *given), [s, a, codes[pairs.partner]], [self.G]),
            **early(lambda v, s: self._judged(v, s, a.detach(), drawn, progress), [swapped, s], [self.E_s, self.G]),
            **self._taught(swapped.detach(), progress),
        }
        movers = {name: self.players()[name] for name in ("generator", "structure", "appearance")}
        yield from zip(movers, shared(terms, *movers.values()), strict=True)

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """The heads' features, of picture and mirror image together: (B, 3, H, W) -> (B, embedding x heads)."""
        x = normalise(images)
        one, other = (self._who(*self._encoded(picture)) for picture in (x, x.flip(3)))
        parts = [F.normalize(one[space].feature.float() + other[space].feature.float()) for space in self.heads]
        return F.normalize(torch.cat(parts, dim=1))

    def codes(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        """s (N, 128, H / 4, W / 4) and a (N, 2048, 4)."""
        x = normalise(pictures.images)
        return self.E_s(x).s, self.E_a.code(self.E_a(x))

    def paint(self, structure: Tensor, appearance: Tensor, modality: Modality) -> Tensor:
        """G(a, s) in [0, 1]; the light is in the appearance."""
        return denormalise(self.G(structure, appearance).float()).clamp(0, 1)

    def _encoded(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the heads read: the structure's vector, and E_a's maps where a head reads them."""
        return self.E_s(x).vector, self.E_a(x) if "appearance" in self.heads else None

    def _who(self, vector: Tensor, maps: Tensor | None) -> dict[str, Identified]:
        """What each head says, by the space that it reads."""
        read = {"structure": vector} | ({} if maps is None else {"appearance": self.E_a.pooled(maps)})
        return {space: head(read[space]) for space, head in self.heads.items()}

    def _donors(self, drawn: _Drawn) -> dict[str, Tensor]:
        """Whom each head must see in the swaps: the donor of the code that it reads."""
        donors = {"structure": drawn.y, "appearance": drawn.y[drawn.other]}
        return {space: donors[space] for space in self.heads}

    def _known(self, who: Mapping[str, Identified], vector: Tensor, maps: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What real pictures say about persons, light and attributes."""
        settings, persons, terms = self.settings, batch.person.repeat(2), dict[str, Tensor]()
        for space, head in who.items():
            identity = identity_loss(head.logits, persons, settings.smoothing)
            terms[f"identity_{space}"] = settings.identity_weight * identity
            if settings.metric != "none":
                rgb, ir = head.vector.chunk(2)
                metric = metric_loss(settings.metric, rgb, ir, batch.person, settings.margin)
                terms[f"{settings.metric}_{space}"] = settings.metric_weight * metric
        if self.light is not None:
            light = torch.arange(2, device=persons.device).repeat_interleave(len(batch.person))
            terms["alignment"] = settings.alignment_weight * identity_loss(self.light(vector), light)
        if self.unknown is not None:
            terms["reversal"] = settings.reversal_weight * identity_loss(self.unknown(self.E_a.pooled(maps)), persons)
        if len(self.traits):
            feature = next(iter(who.values())).feature
            labels = {name: values.repeat(2) for name, values in (batch.attributes or {}).items()}
            logits = {name: self.traits[_trait(name)](feature) for name in settings.attributes}
            found = attribute_loss(logits, labels)
            terms["attributes"] = settings.attribute_weight * found
        return terms

    def _rebuilt(self, x: Tensor, s: Tensor, a: Tensor, a_p: Tensor) -> Terms:
        """L_simple and L_cross: each structure in its own appearance and in its partner's."""
        own, partner = self.G(s, torch.cat([a, a_p])).chunk(2)
        return {
            "reconstruction": self.settings.reconstruction_weight * reconstruction_loss(own, x),
            "cross": self.settings.cross_weight * reconstruction_loss(partner, x),
        }

    def _judged(self, v: Tensor, s: Tensor, a: Tensor, drawn: _Drawn, progress: Progress) -> Terms:
        """What the swaps v are worth to E_s and G: real, of the right donor, and the codes still in them."""
        settings, terms = self.settings, dict[str, Tensor]()
        if settings.adversarial_weight > 0:
            with frozen(self.D):
                terms |= early(self._passes, [v])
        with frozen(self.E_a, self.E_s, self.heads):
            maps, read = self.E_a(v), self.E_s(v)
            for space, head in self._who(read.vector, maps).items():
                found = identity_loss(head.logits, self._donors(drawn)[space])
                terms[f"generated_{space}"] = settings.generated_weight * found
            if settings.edge_weight > 0:
                edges = reconstruction_loss(self.E_s.front(v), self.E_s.front(drawn.x))
                terms["edges"] = settings.edge_weight * edges
        weights = {name: self._risen(progress, getattr(settings, f"{name}_weight")) for name in _CODE_TERMS}
        if any(weights.values()):
            s_v, a_v = self._structure_again(v, read.s), self.E_a.code(maps)
            terms["structure"] = weights["structure"] * reconstruction_loss(s_v, s)
            terms["appearance"] = weights["appearance"] * reconstruction_loss(a_v, a[drawn.other])
            again = self.G(s_v, a_v[drawn.other])
            terms["cycle"] = weights["cycle"] * reconstruction_loss(again, drawn.x)
        return terms

    def _passes(self, v: Tensor) -> Terms:
        return {"adversarial": self.settings.adversarial_weight * generator_loss(self.D(v), self.settings.gan_loss)}

    def _structure_again(self, v: Tensor, frozen_s: Tensor) -> Tensor:
        """s of swaps: by a coin E_s learns from pictures that are given, or G from a given E_s."""
        if bool(torch.rand(()) >= self.settings.reencode_detached):
            return frozen_s
        with unrecorded(self.E_s):
            s_v: Tensor = self.E_s(v.detach()).s
        return s_v

    def _taught(self, swapped: Tensor, progress: Progress) -> dict[str, Tensor]:
        """L_dis on swaps that are given: a head learns whom the teacher, who reads what that head reads, sees."""
        weight = self._risen(progress, self.settings.teacher_weight)
        if self.C is None or weight == 0:
            return {}
        with unrecorded(self.E_a, self.E_s, self.heads, self.C):
            soft = self.C.soft_labels(self._for_teacher(swapped))
            head = next(iter(self._who(*self._encoded(swapped)).values()))  # with both: the one on structure
            return {"teacher": weight * soft_label_loss(head.logits, soft, self.settings.kl_direction)}

    def _for_teacher(self, x: Tensor) -> Tensor:
        return grey(x).expand(-1, 3, -1, -1) if "structure" in self.heads else x

    def _risen(self, progress: Progress, weight: float) -> float:
        return progress.rising(self.settings.warmup, self.settings.rise, weight)


def _trait(name: str) -> str:
    """The name of an attribute's head: a module may not be called as modules' own members are, such as "type"."""
    return f"trait_{name}"
