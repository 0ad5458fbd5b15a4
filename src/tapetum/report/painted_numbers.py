"""How good a run's paintings are and whom they show: likeness to real pictures, and the identity that swaps keep."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from torchmetrics.image.kid import KernelInceptionDistance

from tapetum.core import IntArray, Modality
from tapetum.methods.method import Embedder, Generative, Pictures, reconstruct, swap
from tapetum.report.code_maps import edge_likeness
from tapetum.report.code_usage import CodeUsage, code_usage, mean_usage
from tapetum.report.shown_crops import Shown, in_batches, joined, partners

Read = Callable[[Tensor, Modality], Tensor]
"""(N, 3, H, W) in [0, 1] and their light -> (N, D), unit length: who judges the paintings."""

_FEWEST = 10  # vectors of each side, for a kernel distance


@dataclass(frozen=True)
class Likeness:
    """Means over pictures: peak signal-to-noise ratio, dB, and structural similarity, at most 1; None without any."""

    psnr: float | None
    ssim: float | None


@dataclass(frozen=True)
class Kept:
    """How often the first answer of the other light shows the donor of the structure, of the appearance; shares.

    chance: of a random answer. real: how often the first answer to the real picture shows its person.
    """

    structure: float
    appearance: float
    chance: float
    real: float


@dataclass(frozen=True)
class PaintedNumbers:
    """What is measured on the real pictures of one light and on what is painted from them.

    again, partner, average: likeness of the picture to itself painted again; to itself painted in the appearance of
    another picture of the same person; to the mean of all pictures, for comparison.
    kid_again, kid_swaps, kid_real: kernel distance of paintings of half of the persons to real pictures of the other
    half, and of real pictures of the two halves to each other, one picture of each person, since pictures of one person
    are nearer to each other than those of two; None with too few persons.
    edges_structure, edges_appearance: likeness of a swap's edges to those of each of its two pictures.
    """

    pictures: int
    persons: int
    again: Likeness
    partner: Likeness
    average: Likeness
    kept: Kept | None
    kid_again: float | None
    kid_swaps: float | None
    kid_real: float | None
    edges_structure: float
    edges_appearance: float
    usage: CodeUsage


@torch.inference_mode()
def painted_numbers(method: Generative, read: Read, shown: Shown, others: Shown) -> PaintedNumbers:
    """Paint all pictures of `shown` and measure. others: real pictures of the other light, the gallery for identity.

    method: in evaluation mode. shown: at least two persons. Pictures are painted in small batches.
    """
    light, real, person = shown.pictures.modality, shown.pictures.images, shown.person
    same, other = partners(person)
    again = joined([reconstruct(method, Pictures(real[part], light)) for part in in_batches(len(real))])
    swaps = _swapped(method, shown, np.arange(len(real)), other)
    paired = np.flatnonzero(same >= 0)
    partner = _swapped(method, shown, paired, same[paired])
    vectors = {"real": _read(read, real, light), "again": _read(read, again, light), "swaps": _read(read, swaps, light)}
    gallery = _read(read, others.pictures.images, others.pictures.modality)
    once = np.isin(np.arange(len(person)), np.unique(person, return_index=True)[1])
    half = np.isin(person, np.unique(person)[::2])
    rest = once & ~half
    inside = half & half[other]  # neither donor of such a swap is among the pictures that it is compared with
    return PaintedNumbers(
        pictures=len(real),
        persons=len(set(person.tolist())),
        again=likeness(again, real),
        partner=likeness(partner, real[paired]),
        average=likeness(real.mean(dim=0, keepdim=True).expand_as(real), real),
        kept=kept_identity(vectors["swaps"], vectors["real"], gallery, (person, person[other], others.person)),
        kid_again=kernel_distance(vectors["again"][half & once], vectors["real"][rest]),
        kid_swaps=kernel_distance(vectors["swaps"][inside & once], vectors["real"][rest]),
        kid_real=kernel_distance(vectors["real"][half & once], vectors["real"][rest]),
        edges_structure=float(edge_likeness(swaps, real).mean()),
        edges_appearance=float(edge_likeness(swaps, real[other]).mean()),
        usage=_usage(method, shown),
    )


def likeness(painted: Tensor, real: Tensor) -> Likeness:
    """Both measures of N paintings in [0, 1] against N pictures (N, 3, H, W): the mean over pictures."""
    if len(painted) == 0:
        return Likeness(None, None)
    psnr = peak_signal_noise_ratio(painted, real, data_range=1.0, reduction="none", dim=(1, 2, 3))
    ssim = joined([_ssim(painted[part], real[part]) for part in in_batches(len(real))])
    return Likeness(float(psnr.mean()), float(ssim.mean()))


def _ssim(painted: Tensor, real: Tensor) -> Tensor:
    found = structural_similarity_index_measure(painted, real, data_range=1.0, reduction="none")
    return (found if isinstance(found, Tensor) else found[0]).reshape(-1)  # a pair where more is asked for


def kernel_distance(painted: Tensor, real: Tensor) -> float | None:
    """KID of two sets of unit vectors (N, D), (M, D): unbiased squared MMD under (x . y + 1)^3, over min(N, M) rows.

    The vectors are given as sqrt(D) times their length, so that the customary kernel (x . y / D + 1)^3 sees cosines. 0
    in the mean for sets from one distribution, so it may be a little below 0. None with fewer than ten vectors.
    """
    count = min(len(painted), len(real))
    if count < _FEWEST:
        return None
    with warnings.catch_warnings(), torch.random.fork_rng(devices=()):
        warnings.simplefilter("ignore", UserWarning)  # it keeps all vectors, which are few here
        metric = KernelInceptionDistance(nn.Identity(), subsets=1, subset_size=count)
        metric.update(painted[:count] * painted.shape[1] ** 0.5, real=False)
        metric.update(real[:count] * real.shape[1] ** 0.5, real=True)
        return float(metric.compute()[0])


def kept_identity(
    painted: Tensor, real: Tensor, gallery: Tensor, persons: tuple[IntArray, IntArray, IntArray]
) -> Kept | None:
    """Whom the first answer shows. painted, real, gallery: unit vectors (N, D), (N, D), (G, D).

    persons: of the structures (N,) (who is also on the real pictures), of the appearances (N,), of the gallery (G,).
    Queries whose two donors are not both in the gallery do not count; None where no query does.
    """
    structure, appearance, answers = persons
    counts = np.isin(structure, answers) & np.isin(appearance, answers)
    if not counts.any():
        return None
    first, own = (answers[(vectors @ gallery.T).argmax(dim=1).cpu().numpy()] for vectors in (painted, real))
    share = (structure[:, None] == answers).mean(axis=1)
    found = (first == structure, first == appearance, share, own == structure)
    return Kept(*(float(value[counts].mean()) for value in found))


def _swapped(method: Generative, shown: Shown, structures: IntArray, appearances: IntArray) -> Tensor:
    """Pictures painted from these rows' structures and these rows' appearances."""
    real = shown.pictures
    if len(structures) == 0:
        return real.images[:0]
    return joined(
        [
            swap(
                method,
                Pictures(real.images[structures[part]], real.modality),
                Pictures(real.images[appearances[part]], real.modality),
            )
            for part in in_batches(len(structures))
        ]
    )


def _usage(method: Generative, shown: Shown) -> CodeUsage:
    """Persons stand in turn, so that each batch but a last one of a single person shows several."""
    found = []
    for part in in_batches(len(shown.crops)):
        person = torch.from_numpy(shown.person[part])
        if len(set(person.tolist())) > 1:
            pictures = Pictures(shown.pictures.images[part], shown.pictures.modality)
            found.append((len(person), code_usage(method, pictures, person)))
    return mean_usage(found)


def _read(read: Read, images: Tensor, light: Modality) -> Tensor:
    return joined([read(images[part], light) for part in in_batches(len(images))])


def reader(judge: Embedder, size: tuple[int, int]) -> Read:
    """`judge`, in evaluation mode, as a reader of pictures of any size; size: (H, W) that it was trained with."""

    def read(images: Tensor, light: Modality) -> Tensor:
        if images.shape[-2:] != size:
            images = F.interpolate(images, size, mode="bilinear", antialias=True).clamp(0, 1)
        return judge.embed(images, light)

    return read
