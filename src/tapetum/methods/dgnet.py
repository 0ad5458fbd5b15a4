"""DG-Net (Zheng et al., CVPR 2019) for two lights: identity from the appearance code, taught by generated swaps.

    a_i = E_a(x_i), s_i = E_s(grey(x_i)),  x_i^j = G(a_j, s_i): the structure of i in the appearance of j
    pairs (1, 2): two persons, in the same light or in two;  x_p: another picture of x's person in x's light
    L_simple = |x - G(a, s)|_1                    L_cross = |x - G(a_p, s)|_1
    L_id     = CE(p(x), y)                        L_id_recon = CE(p(x_1^2), y_2), E_a frozen, so that G learns
    L_code   = |s_1 - E_s(x_1^2)|_1, |a_1 - E_a(x_2^1)|_1     L_cycle = |x_1 - G(E_a(x_2^1), E_s(x_1^2))|_1
    L_dis    = KL(q(x_1^2) | p(x_1^2)), q: the teacher's soft label     L_fine = CE(f(x), y) + CE(f(x_1^2), y_1)
    L_adv    = min over G, max over D: least squares (or log) at three scales, R1
    rank by cos of [p-feature, 0.5 f-feature] of E_a, picture and mirror image added

E_a's code is detached where G paints, so E_a learns from L_id, L_dis and L_fine alone (on swaps: detached pictures).
Differences: (1) L_code of a has a gradient (through a frozen E_a into G); the released code has none. (2) Running norms
see real pictures only. (3) The teacher may learn along while its loss still waits, instead of beforehand. (4) The
doubling convolutions repeat the border instead of reflecting it. (5) Erased pictures share their batch with those that
are not, whose codes come from the same pass. (6) Real pictures are all of the batch, swaps one pair a person; each term
is the mean over all of its pictures, where the released code adds the means over two loaders. (7) `edges`, `strips` and
`exchanged` are ours, for small trunks and CPUs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from tapetum.core import Batch, Modality
from tapetum.data.erasing import erased
from tapetum.data.pairing import draw_pairs
from tapetum.data.transforms import denormalise, normalise
from tapetum.losses.adversarial import Game, discriminator_terms, generator_loss
from tapetum.losses.distillation import Direction, soft_label_loss
from tapetum.losses.identity import identity_loss
from tapetum.losses.reconstruction import reconstruction_loss
from tapetum.methods.method import Method, MethodSettings, Pictures, Progress, Terms
from tapetum.nets.appearance_encoder import AppearanceEncoder
from tapetum.nets.backbones import TrunkSettings
from tapetum.nets.discriminator import MultiScaleDiscriminator
from tapetum.nets.early_gradient import early
from tapetum.nets.frozen import frozen, unrecorded
from tapetum.nets.generator import Generator
from tapetum.nets.identity_classifier import IdentityClassifier, check_teacher
from tapetum.nets.identity_head import IdentityHead
from tapetum.nets.structure_encoder import StructureEncoder, grey

_CODE_TERMS = ("structure", "appearance", "cycle")


class DGNetSettings(MethodSettings):
    """Settings of DG-Net; the defaults are the published ones (METHODS, section 9)."""

    trunk: str = Field("resnet50", description="of E_a and the teacher: resnet10, resnet18, resnet34 or resnet50")
    weights: str = Field("imagenet", description="what E_a and the teacher start from: imagenet, none, or a file")
    width: int = Field(64, ge=8, description="channels of the trunk's first stage; published: 64")
    code_width: int = Field(16, ge=1, description="channels of E_s's first layer, which E_s and G grow with")
    style_width: int = Field(512, ge=1, description="hidden width of G's AdaIN MLPs; published: 512")
    dilations: tuple[int, ...] = Field((3, 6, 9), min_length=1, description="of ASPP; 1, 2, 3 for 64 x 32 pictures")
    discriminator_width: int = Field(32, ge=1, description="channels of D's first layers; published: 32")
    scales: int = Field(3, ge=1, description="of D; published: 3")
    embedding: int = Field(512, ge=2, description="length of each head's feature; published: 512")
    dropout: float = Field(0.5, ge=0, lt=1, description="before the primary head's classifier; published: 0.5")
    fine_dropout: float = Field(0.75, ge=0, lt=1, description="before the fine head's classifier; published: 0.75")
    fine_share: float = Field(0.5, ge=0, description="of the fine half in the vector that ranks; published: 0.5")
    erasing: float = Field(0.5, ge=0, le=1, description="share of real pictures erased for the identity losses")
    edges: bool = Field(False, description="E_a reads four edge maps beside the colours, the teacher in place of them")
    strips: int = Field(1, ge=1, description="horizontal strips that heads and teacher read, each pooled by itself")
    exchanged: int | None = Field(None, ge=2, description="persons of a batch in pairs; None: all")
    cross_modality: float = Field(0.5, ge=0, le=1, description="share of pairs of two lights; 1 or 0: ablations")
    reconstruction_weight: float = Field(5.0, ge=0, description="of L_simple; published: 5")
    cross_weight: float = Field(5.0, ge=0, description="of L_cross; published: 5")
    identity_weight: float = Field(2.0, ge=0, description="of L_id; published: 1 for the pictures, 1 for the partners")
    generated_weight: float = Field(0.5, ge=0, description="of L_id_recon; published: 0.5")
    adversarial_weight: float = Field(2.0, ge=0, description="of L_adv for G; published: 2. 0: no D")
    r1_weight: float = Field(0.01, ge=0, description="of R1; published: 0.01")
    r1_every: int = Field(1, ge=1, description="R1 in every n-th step alone, n times as heavy; published: 1")
    gan_loss: Game = Field("least_squares", description="least_squares (published) or log (the deck)")
    structure_weight: float = Field(1.0, ge=0, description="of L_code's structure half, once risen; published: 1")
    appearance_weight: float = Field(1.0, ge=0, description="of L_code's appearance half, once risen; published: 1")
    cycle_weight: float = Field(2.0, ge=0, description="of L_cycle, once risen; published: 2")
    teacher_weight: float = Field(2.0, ge=0, description="of L_dis, once risen; published: 2. 0: no teacher")
    fine_weight: float = Field(0.4, ge=0, description="of L_fine, once risen; published: 0.2 of L_dis's")
    kl_direction: Direction = Field("teacher_student", description="KL(q | p), or student_teacher: KL(p | q)")
    warmup: float = Field(0.3, ge=0, lt=1, description="share of training before the last five rise; published: 0.3")
    rise: float = Field(0.02, ge=0, description="share of training in which each rises by 1; published: 0.02")
    reencode_detached: float = Field(0.5, ge=0, le=1, description="share of steps whose swaps train E_s, not G, by s")
    teacher_weights: str = Field(
        "none", description="model.safetensors of a two_stream run (see the page); none: it learns along until `warmup`"
    )


@dataclass(frozen=True)
class _Drawn:
    """The pictures x (2P) of the drawn pairs: whom they show, their codes and their partners', and their opposites."""

    x: Tensor
    y: Tensor
    a: Tensor
    a_p: Tensor
    other: Tensor


class DGNet(Method):
    """The networks and losses of the module's docstring."""

    Settings: ClassVar[type[MethodSettings]] = DGNetSettings

    def __init__(self, settings: DGNetSettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.settings = settings
        self.E_s = StructureEncoder(1, settings.code_width, settings.dilations)
        self.E_a = AppearanceEncoder(
            settings.trunk, settings.weights, settings.width, edges=settings.edges, strips=settings.strips
        )
        self.G = Generator(self.E_s.channels, self.E_a.channels, settings.style_width)
        self.D = MultiScaleDiscriminator(settings.discriminator_width, settings.scales)
        self.primary = IdentityHead(self.E_a.length, settings.embedding, persons, settings.dropout)
        self.fine = (
            IdentityHead(self.E_a.length, settings.embedding, persons, settings.fine_dropout)
            if settings.fine_weight > 0
            else None
        )
        self.C: IdentityClassifier | None = None
        if settings.teacher_weight > 0:
            check_teacher(settings.teacher_weights, settings.warmup)
            trunk = TrunkSettings(settings.trunk, "stem", settings.weights, settings.width)
            given, edges, strips = settings.teacher_weights, settings.edges, settings.strips
            self.C = IdentityClassifier(trunk, settings.embedding, persons, given, edges=edges, strips=strips)

    def players(self) -> dict[str, nn.Module]:
        """D; E_s and G; E_a with its heads; and the teacher where it learns along."""
        appearance = {"E_a": self.E_a, "primary": self.primary, **({} if self.fine is None else {"fine": self.fine})}
        players: dict[str, nn.Module] = {
            "generator": nn.ModuleDict({"E_s": self.E_s, "G": self.G}),
            "appearance": nn.ModuleDict(appearance),
        }
        if self.settings.adversarial_weight > 0:
            players["discriminator"] = self.D
        if self.C is not None and self.settings.teacher_weights == "none":
            players["teacher"] = self.C
        return players

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        """The teacher while it learns; then D on detached swaps, E_s and G, and E_a, whose gradients meet nowhere."""
        images, persons = normalise(torch.cat([batch.rgb, batch.ir])), batch.person.repeat(2)
        if self._learns_along(progress):
            yield "teacher", {"identity": identity_loss(self.C(images), persons)}  # type: ignore[misc]
        real, codes = self._real(images, persons, progress)
        pairs = draw_pairs(batch.person, self.settings.cross_modality, self.settings.exchanged)
        x, y, other = images[pairs.row], persons[pairs.row], pairs.other
        drawn = _Drawn(x, y, codes[pairs.row], codes[pairs.partner], other)
        s = self.E_s(grey(x))  # (2P, 128, H / 4, W / 4)
        swapped = self.G(s, drawn.a[other])  # (2P, 3, H, W): x_i^other(i)
        if self.settings.adversarial_weight > 0:
            yield "discriminator", self._told_apart(x, swapped, progress)
        rebuilt = early(lambda s: self._rebuilt(s, drawn), [s], [self.G])
        judged = early(lambda v, s: self._judged(v, s, drawn, progress), [swapped, s], [self.E_s, self.G])
        yield "generator", {**rebuilt, **judged}
        yield "appearance", {**real, **self._taught(swapped.detach(), y, progress)}

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """Both heads' features, of picture and mirror image together: (B, 3, H, W) -> (B, 2 x embedding)."""
        x = normalise(images)
        pooled = [self.E_a.pooled(self.E_a(seen)) for seen in (x, x.flip(3))]
        heads = [(self.primary, 1.0)] + ([] if self.fine is None else [(self.fine, self.settings.fine_share)])
        parts = [share * F.normalize(sum(head(f).feature.float() for f in pooled)) for head, share in heads]
        return F.normalize(torch.cat(parts, dim=1))

    def codes(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        """s (N, 128, H / 4, W / 4) and a (N, 2048, 4)."""
        x = normalise(pictures.images)
        return self.E_s(grey(x)), self.E_a.code(self.E_a(x))

    def paint(self, structure: Tensor, appearance: Tensor, modality: Modality) -> Tensor:
        """G(a, s) in [0, 1]; the light is in the appearance."""
        return denormalise(self.G(structure, appearance).float()).clamp(0, 1)

    def _real(self, images: Tensor, persons: Tensor, progress: Progress) -> tuple[dict[str, Tensor], Tensor]:
        """L_id and L_fine on real pictures, some erased; and the codes a (N, A, 4) of all of them, none erased."""
        looked_at, hit = erased(images, self.settings.erasing)
        codes: list[Tensor] = []

        def terms() -> Terms:
            maps = self.E_a(looked_at)
            codes.append(self.E_a.code(maps).detach())
            found = {"identity": self.settings.identity_weight * self._recognised(self.primary, maps, persons)}
            fine = self._fine(progress)
            if self.fine is not None and fine > 0:
                found["fine"] = fine * self._recognised(self.fine, maps, persons)
            return found

        found = early(terms, [], self._appearance_parts())
        (a,) = codes
        if bool(hit.any()):
            with torch.no_grad(), unrecorded(self.E_a):
                a[hit] = self.E_a.code(self.E_a(images[hit])).to(a.dtype)
        return found, a

    def _told_apart(self, x: Tensor, swapped: Tensor, progress: Progress) -> Terms:
        r1 = self.settings.r1_weight * progress.due(self.settings.r1_every)
        return discriminator_terms(self.D, x, swapped, self.settings.gan_loss, r1)

    def _rebuilt(self, s: Tensor, drawn: _Drawn) -> Terms:
        """L_simple and L_cross: each structure in its own appearance and in its partner's."""
        own, partner = self.G(s, torch.cat([drawn.a, drawn.a_p])).chunk(2)
        return {
            "reconstruction": self.settings.reconstruction_weight * reconstruction_loss(own, drawn.x),
            "cross": self.settings.cross_weight * reconstruction_loss(partner, drawn.x),
        }

    def _judged(self, v: Tensor, s: Tensor, drawn: _Drawn, progress: Progress) -> Terms:
        """What the swaps v are worth to E_s and G: real, of the appearance's donor, and the codes still in them."""
        terms: dict[str, Tensor] = {}
        if self.settings.adversarial_weight > 0:
            with frozen(self.D):
                terms |= early(self._passes, [v])
        with frozen(self.E_a, self.primary):
            maps = self.E_a(v)
            donor = drawn.y[drawn.other]
            terms["generated"] = self.settings.generated_weight * self._recognised(self.primary, maps, donor)
        weights = {name: self._risen(progress, getattr(self.settings, f"{name}_weight")) for name in _CODE_TERMS}
        if any(weights.values()):
            s_v, a_v = self._structure_again(v), self.E_a.code(maps)
            terms["structure"] = weights["structure"] * reconstruction_loss(s_v, s)
            terms["appearance"] = weights["appearance"] * reconstruction_loss(a_v, drawn.a[drawn.other])
            again = self.G(s_v, a_v[drawn.other])  # the structure of x_1^2 in the appearance of x_2^1
            terms["cycle"] = weights["cycle"] * reconstruction_loss(again, drawn.x)
        return terms

    def _passes(self, v: Tensor) -> Terms:
        return {"adversarial": self.settings.adversarial_weight * generator_loss(self.D(v), self.settings.gan_loss)}

    def _structure_again(self, v: Tensor) -> Tensor:
        """E_s of swaps: by a coin its weights learn from pictures that are given, or G learns from weights that are."""
        if bool(torch.rand(()) < self.settings.reencode_detached):
            s_v: Tensor = self.E_s(grey(v.detach()))
        else:
            with frozen(self.E_s):
                s_v = self.E_s(grey(v))
        return s_v

    def _taught(self, swapped: Tensor, y: Tensor, progress: Progress) -> dict[str, Tensor]:
        """L_dis and L_fine on swaps that are given: E_a learns whom the teacher sees, and whose structure it is."""
        teacher, fine = self._risen(progress, self.settings.teacher_weight), self._fine(progress)
        if teacher == fine == 0:
            return {}
        x = swapped

        def terms() -> Terms:
            found = {}
            pooled = self.E_a.pooled(self.E_a(x))
            if self.C is not None and teacher > 0:
                soft = self.C.soft_labels(x)
                logits = self.primary(pooled).logits
                found["teacher"] = teacher * soft_label_loss(logits, soft, self.settings.kl_direction)
            if self.fine is not None and fine > 0:
                found["generated_fine"] = fine * identity_loss(self.fine(pooled).logits, y)
            return found

        modules = self._appearance_parts()
        with unrecorded(*modules, *([self.C] if self.C is not None else [])):
            return early(terms, [], modules)

    def _recognised(self, head: nn.Module, maps: Tensor, y: Tensor) -> Tensor:
        return identity_loss(head(self.E_a.pooled(maps)).logits, y)

    def _risen(self, progress: Progress, weight: float) -> float:
        return progress.rising(self.settings.warmup, self.settings.rise, weight)

    def _fine(self, progress: Progress) -> float:
        """L_fine's weight, which keeps the pace of L_dis's, whose published maximum is 2."""
        return self.settings.fine_weight * progress.rising(self.settings.warmup, 2 * self.settings.rise)

    def _appearance_parts(self) -> list[nn.Module]:
        return [part for part in (self.E_a, self.primary, self.fine) if part is not None]

    def _learns_along(self, progress: Progress) -> bool:
        return "teacher" in self.players() and progress.fraction <= self.settings.warmup
