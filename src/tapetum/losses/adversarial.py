"""The game of a generator against a discriminator, over the patch scores of several scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from tapetum.errors import InternalError

Game = Literal["least_squares", "log"]


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor], game: Game = "least_squares") -> Tensor:
    """How badly the discriminator tells real pictures from generated ones; each scale counts alike.

    least_squares:  L = sum_k mean fake_k^2 + mean (real_k - 1)^2          (LSGAN, Mao et al., 2017)
    log:            L = sum_k mean log(1 + e^fake_k) + mean log(1 + e^-real_k)

    real, fake: for each scale the scores of real and of generated patches, any shape, before any activation.
    Returns a scalar >= 0; zero for scores of exactly 1 and 0 (log: in the limit). At scores 0: one per scale, or
    2 log 2. Raises InternalError for no scale or numbers of scales that differ. Source: METHODS 9.2, 9.4.
    """
    _check("discriminator_loss", real, fake)
    if game == "least_squares":
        parts = [(r.float() - 1).square().mean() + f.float().square().mean() for r, f in zip(real, fake, strict=True)]
    else:
        parts = [F.softplus(-r.float()).mean() + F.softplus(f.float()).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(parts).sum()


def generator_loss(fake: Sequence[Tensor], game: Game = "least_squares") -> Tensor:
    """How badly generated pictures pass for real ones; each scale counts alike.

    least_squares:  L = sum_k mean (fake_k - 1)^2
    log:            L = sum_k mean log(1 + e^-fake_k)      (non-saturating)

    fake: for each scale the scores of generated patches. Returns a scalar >= 0; zero for scores of exactly 1 (log: in
    the limit). DG-Net gives it twice the weight of its discriminator's.
    Raises InternalError for no scale. Source: METHODS 9.2, 9.4.
    """
    _check("generator_loss", fake, fake)
    if game == "least_squares":
        return torch.stack([(f.float() - 1).square().mean() for f in fake]).sum()
    return torch.stack([F.softplus(-f.float()).mean() for f in fake]).sum()


def gradient_penalty(pictures: Tensor, scores: Sequence[Tensor]) -> Tensor:
    """R1: how steep the discriminator is at real pictures.

    L = sum_k mean_i |d (sum of score_k) / d picture_i|^2

    pictures: (N, ...), with a gradient; scores: for each scale the scores made of them. Returns a scalar >= 0 that can
    be differentiated again; zero where the scores do not change with the pictures.
    Raises InternalError for no scale. Source: METHODS 9.2 (Mescheder et al., 2018).
    """
    _check("gradient_penalty", scores, scores)
    penalties = []
    for score in scores:
        (gradient,) = torch.autograd.grad(score.float().sum(), pictures, create_graph=True)
        penalties.append(gradient.float().square().flatten(1).sum(dim=1).mean())
    return torch.stack(penalties).sum()


def discriminator_terms(
    D: Callable[[Tensor], Sequence[Tensor]], real: Tensor, fake: Tensor, game: Game = "least_squares", r1: float = 0.0
) -> dict[str, Tensor]:
    """What the discriminator D learns in a step: {"adversarial": its loss, "r1": r1 times the gradient penalty}.

    real, fake: (N, 3, H, W); no gradient runs into either, and the generator is not reached. r1: 0 leaves it out.
    """
    real = real.detach().requires_grad_(r1 > 0)
    scores = D(real)
    terms = {"adversarial": discriminator_loss(scores, D(fake.detach()), game)}
    if r1 > 0:
        terms["r1"] = r1 * gradient_penalty(real, scores)
    return terms


def _check(loss: str, real: Sequence[Tensor], fake: Sequence[Tensor]) -> None:
    if len(real) == 0 or len(real) != len(fake):
        raise InternalError(f"{loss}: got {len(real)} and {len(fake)} scales. Expected the same number, at least 1.")
