"""Numbers of paintings: known errors, a slow kernel distance, and donors found by vectors made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from toy_painter import Toy, shown

from tapetum.core import Modality
from tapetum.methods.method import Embedder
from tapetum.report.painted_numbers import kept_identity, kernel_distance, likeness, painted_numbers, reader

PERSONS = [3, 5, 8, 3, 5, 8]
EYE = torch.eye(3)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_psnr_of_a_known_error_and_likeness_of_the_same():
    real = drawn(2, 3, 16, 12) * 0.5
    # Errors 0.1 and 0.01: squares 1e-2 and 1e-4, so 20 and 40 dB, in the mean 30.
    found = likeness(real + torch.tensor([0.1, 0.01])[:, None, None, None], real)
    assert found.psnr == pytest.approx(30, abs=1e-3)
    assert 0 < found.ssim < 1
    assert likeness(real, real).ssim == pytest.approx(1)
    assert (likeness(real[:0], real[:0]).psnr, likeness(real[:0], real[:0]).ssim) == (None, None)


def slow_distance(first: list[list[float]], second: list[list[float]]) -> float:
    def kernel(a, b):
        return (sum(x * y for x, y in zip(a, b, strict=True)) + 1) ** 3

    def inside(rows):
        pairs = [kernel(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j]
        return sum(pairs) / len(pairs)

    across = [kernel(a, b) for a in first for b in second]
    return inside(first) + inside(second) - 2 * sum(across) / len(across)


def test_kernel_distance_is_the_unbiased_one():
    a, b = (F.normalize(drawn(12, 4, seed=seed) - shift) for seed, shift in ((1, 0.5), (2, 0.2)))
    assert kernel_distance(a, b) == pytest.approx(slow_distance(a.tolist(), b.tolist()), abs=1e-4)
    assert kernel_distance(a, b) == pytest.approx(kernel_distance(b, a), abs=1e-5)


def test_kernel_distance_takes_as_many_of_each_and_draws_nothing():
    a, b = F.normalize(drawn(14, 4)), F.normalize(drawn(11, 4, seed=1))
    before = torch.random.get_rng_state()
    assert kernel_distance(a, b) == kernel_distance(a[:11], b)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert kernel_distance(a[:9], b) is None


def test_whom_swaps_show_by_hand():
    # Swaps of structures 0 0 1 in appearances 1 2 2 look like persons 0, 2 and 0; the gallery shows 0 1 2 2.
    painted, real, gallery = EYE[[0, 2, 0]], EYE[[0, 1, 1]], EYE[[0, 1, 2, 2]]
    persons = tuple(np.array(rows) for rows in ([0, 0, 1], [1, 2, 2], [0, 1, 2, 2]))
    kept = kept_identity(painted, real, gallery, persons)
    assert (kept.structure, kept.appearance) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert kept.chance == pytest.approx(1 / 4)
    assert kept.real == pytest.approx(2 / 3)


def test_donors_who_are_not_in_the_gallery_do_not_count():
    persons = tuple(np.array(rows) for rows in ([0, 1], [1, 2], [0, 1, 1]))
    kept = kept_identity(EYE[[0, 0]], EYE[[0, 0]], EYE[[0, 1, 1]], persons)
    assert (kept.structure, kept.real, kept.chance) == (1, 1, pytest.approx(1 / 3))
    assert kept_identity(EYE[:2], EYE[:2], EYE[:2], (np.array([0, 1]), np.array([7, 7]), np.array([0, 1]))) is None


def structure_only(images, light):
    """A judge who sees what is left without the mean colour: the structure of the toy."""
    return F.normalize((images - images.mean(dim=(2, 3), keepdim=True)).flatten(1))


def colour_only(images, light):
    mean = images.mean(dim=(2, 3))
    return F.normalize(torch.cat([mean, 1 - mean], dim=1) - 0.5)


def numbers_by(judge):
    sides = [shown(light, PERSONS) for light in Modality]
    return painted_numbers(Toy(), judge, *sides)


def test_a_painter_that_keeps_structure_exactly():
    found = numbers_by(structure_only)
    assert (found.pictures, found.persons) == (6, 3)
    assert found.again.psnr > 80
    assert found.again.ssim == pytest.approx(1, abs=1e-4)
    assert found.partner.psnr < 40
    assert found.edges_structure == pytest.approx(1, abs=1e-3)
    assert found.edges_appearance < 0.2
    # Patterns are the persons' in both lights, so this judge sees every swap's structure.
    assert (found.kept.structure, found.kept.appearance, found.kept.real) == (1, 0, 1)
    assert found.kept.chance == pytest.approx(1 / 3)
    assert found.usage.own == pytest.approx(0, abs=1e-5)
    assert found.usage.change > 0.01
    assert found.kid_real is None, "three persons are too few"


def test_the_kernel_distance_is_of_one_picture_of_each_person():
    rgb, ir = (shown(light, [*range(24), *range(24)]) for light in Modality)
    found = painted_numbers(Toy(), colour_only, rgb, ir)
    vectors = colour_only(rgb.pictures.images, Modality.RGB)[:24].tolist()
    assert found.kid_real == pytest.approx(slow_distance(vectors[::2], vectors[1::2]), abs=1e-4)
    assert found.kid_again == pytest.approx(found.kid_real, abs=1e-4), "the toy paints the very picture"
    # A swap looks to this judge like its appearance's donor, the next of another person, who must be in the half too:
    # of 0 ... 23 in turn the next one is odd, so that none is left.
    assert found.kid_swaps is None


def test_the_partner_is_another_picture_of_the_same_person():
    # The toy's levels are 0.30, 0.36 ... 0.60, so partners lie 0.18 apart: 10 log10(1 / 0.18^2) = 14.9 dB.
    assert numbers_by(structure_only).partner.psnr == pytest.approx(-20 * math.log10(0.18), abs=0.3)


def test_another_judge_sees_the_appearance():
    assert numbers_by(colour_only).kept.appearance > numbers_by(colour_only).kept.structure


class Judge(Embedder):
    def embed(self, images, modality):
        self.seen = images.shape, modality
        return images.flatten(1)


def test_a_judge_sees_pictures_of_its_own_size():
    judge = Judge()
    vectors = reader(judge, (8, 4))(torch.full((2, 3, 16, 12), 0.25), Modality.IR)
    assert judge.seen == ((2, 3, 8, 4), Modality.IR)
    assert (vectors - 0.25).abs().max() < 1e-6
