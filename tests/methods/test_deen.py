"""DEEN: the six similarities in one vector, which term reaches which part, and that its parts can be left out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tapetum.core import Batch, Modality
from tapetum.losses.expansion import centre_pair_mining, orthogonality
from tapetum.losses.triplet import batch_hard_triplet
from tapetum.methods.deen import DEEN, DEENSettings
from tapetum.methods.method import Progress

TINY = {"trunk": "resnet10", "weights": "none", "width": 8, "dropout": 0.0}


def made(persons: int = 4, **settings) -> DEEN:
    torch.manual_seed(0)
    return DEEN(DEENSettings.model_validate({**TINY, **settings}), persons)


def batch(persons: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(0)
    rgb, ir = (torch.rand(2 * persons, 3, 32, 16, generator=generator) for _ in range(2))
    return Batch(rgb, ir, torch.arange(persons).repeat_interleave(2))


def terms(method: DEEN, given: Batch) -> dict[str, torch.Tensor]:
    ((player, found),) = method.step(given, Progress(0, 1))
    assert player == "model"
    return dict(found)


def copies(method: DEEN, images: torch.Tensor, modality: Modality) -> tuple[torch.Tensor, torch.Tensor]:
    """f and z of each copy: (3, B, D) both."""
    f = method._pooled(method.trunk.single(method._input(images), modality))
    return f, torch.stack([method.neck(part)[0] for part in f])


@pytest.mark.parametrize("strips", [1, 2])
def test_the_cosine_is_the_sum_of_the_six_similarity_matrices_over_six(strips):
    method, given = made(strips=strips).eval(), batch()
    with torch.inference_mode():
        query, gallery = copies(method, given.ir, Modality.IR), copies(method, given.rgb, Modality.RGB)
        total = sum(
            F.normalize(q[k]) @ F.normalize(g[k]).T for q, g in zip(query, gallery, strict=True) for k in range(3)
        )
        one, other = method.embed(given.ir, Modality.IR), method.embed(given.rgb, Modality.RGB)
        assert one.shape == (8, 6 * 64 * strips)
        torch.testing.assert_close(one @ other.T, total / 6)


def test_the_plain_copy_is_the_frame_alone():
    # The first of the six parts is the pooled feature that the trunk gives without expansion.
    method, images = made().eval(), batch().rgb
    with torch.inference_mode():
        plain = method.trunk.trunk.single(method._input(images), Modality.RGB)
        expected = F.normalize(method.pool(plain).flatten(1)) / 6**0.5
        torch.testing.assert_close(method.embed(images, Modality.RGB)[:, :64], expected)


def test_the_terms_are_those_of_the_docstring():
    given = batch()
    found = terms(made(pair_weight=0.5, pair_margin=0.4, orthogonal_weight=0.1, margin=0.6), given)
    assert set(found) == {"identity", "triplet", "pairs", "orthogonality"}
    method = made()
    f = method._pooled(method.trunk(method._input(given.rgb), method._input(given.ir)))  # (3, 16, 64)
    every, y = torch.cat([f[0], f[1], f[2]]), given.person.repeat(6)
    assert found["triplet"].item() == pytest.approx(batch_hard_triplet(every, y, 0.6).item(), rel=1e-5)
    pairs = sum(centre_pair_mining(f[0, :8], f[0, 8:], f[k, :8], f[k, 8:], given.person, 0.4) for k in (1, 2))
    assert found["pairs"].item() == pytest.approx(0.5 * pairs.item(), rel=1e-5)
    assert found["orthogonality"].item() == pytest.approx(0.1 * orthogonality(f[1], f[2]).item(), rel=1e-5)


GRADIENT_FLOW = {
    # term: which parts of the network its gradient reaches
    "identity": {"own": True, "layer4": True, "branch 1": True, "branch 2": True, "norm": True, "classifier": True},
    "triplet": {"own": True, "layer4": True, "branch 1": True, "branch 2": True, "norm": False, "classifier": False},
    "pairs": {"own": True, "layer4": True, "branch 1": True, "branch 2": True, "norm": False, "classifier": False},
    "orthogonality": {
        "own": True, "layer4": True, "branch 1": True, "branch 2": True, "norm": False, "classifier": False,
    },
}  # fmt: skip


@pytest.mark.parametrize("term", GRADIENT_FLOW)
def test_gradient_flow(term):
    method = made()
    terms(method, batch())[term].backward()
    parts = {
        "own": method.trunk.trunk.own,
        "layer4": method.trunk.trunk.shared.layer4,
        "branch 1": method.trunk.expansion.branches[0],
        "branch 2": method.trunk.expansion.branches[1],
        "norm": method.neck.norm,
        "classifier": method.neck.classifier,
    }
    reached = {
        name: any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())
        for name, part in parts.items()
    }
    assert reached == GRADIENT_FLOW[term]


def test_the_fusions_begin_to_learn_with_their_norms():
    # Their norms start at zero: after a step of those, all of a fusion has a gradient.
    method, given = made(), batch()
    for expected in (False, True):
        method.zero_grad()
        sum(terms(method, given).values()).backward()
        for fusion in method.trunk.fusions.values():
            assert fusion.channels.norm.weight.grad.abs().sum() > 0
            assert bool(fusion.positions.theta.weight.grad.abs().sum() > 0) is expected
        with torch.no_grad():
            for fusion in method.trunk.fusions.values():
                for attention in (fusion.channels, fusion.positions):
                    attention.norm.weight -= 0.1 * attention.norm.weight.grad.sign()


def test_without_expansion_two_similarities_remain():
    method, given = made(expansion=False).eval(), batch()
    with torch.inference_mode():
        assert method.embed(given.rgb, Modality.RGB).shape == (8, 2 * 64)
    assert set(terms(made(expansion=False), given)) == {"identity", "triplet"}


def test_without_layer4_features_are_never_negative():
    # GeM keeps the maps that the expansion puts out at or above zero, so that orthogonality has a floor.
    method, given = made(layer4=False).eval(), batch()
    with torch.inference_mode():
        f, _ = copies(method, given.rgb, Modality.RGB)
        assert f.shape == (3, 8, 32)
        assert f.min() >= 0
        assert method.embed(given.rgb, Modality.RGB).shape == (8, 6 * 32)


def test_with_mirror_a_picture_and_its_mirror_image_are_the_same():
    method, images = made(mirror=True).eval(), batch().rgb
    with torch.inference_mode():
        one, other = (method.embed(seen, Modality.RGB) for seen in (images, images.flip(3)))
    assert torch.allclose(one, other, atol=1e-5)


def test_edges_do_not_see_polarity():
    method, images = made(edges=True, share_from="stem").eval(), batch().rgb
    with torch.inference_mode():
        assert torch.allclose(method.embed(images, Modality.RGB), method.embed(1 - images, Modality.IR), atol=1e-4)
