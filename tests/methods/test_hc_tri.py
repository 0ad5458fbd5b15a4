"""HC-Tri and HC: published sizes, which term reaches which part, what each weight does, how parts make the vector."""

from __future__ import annotations

import math

import pytest
import torch

from tapetum.core import Batch, Modality
from tapetum.losses.hetero_centre import hetero_centre_distance, hetero_centre_triplet
from tapetum.methods.hc_tri import HCTri, HCTriSettings
from tapetum.methods.method import Progress

TINY = {"trunk": "resnet10", "weights": "none", "width": 8, "strips": 2, "embedding": 16}


def made(persons: int = 4, **settings) -> HCTri:
    torch.manual_seed(0)
    return HCTri(HCTriSettings.model_validate({**TINY, **settings}), persons)


def batch(persons: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(0)
    rgb, ir = (torch.rand(2 * persons, 3, 32, 16, generator=generator) for _ in range(2))
    return Batch(rgb, ir, torch.arange(persons).repeat_interleave(2))


def terms(method: HCTri, given: Batch) -> dict[str, torch.Tensor]:
    ((player, found),) = method.step(given, Progress(0, 1))
    assert player == "model"
    return dict(found)


def test_published_sizes():
    # ResNet-50 with a second stem (9,536) and layer1 (215,808), and six heads of 2048 -> 256 -> 395.
    with torch.device("meta"):
        method = HCTri(HCTriSettings(weights="none"), 395)
    assert sum(p.numel() for p in method.trunk.parameters()) == 23_508_032 + 9_536 + 215_808
    assert sum(p.numel() for p in method.heads.parameters()) == 6 * (2048 * 256 + 2 * 256 + 256 * 395)
    assert method.heads.strips.pooling.p == 3
    pictures = torch.empty(1, 3, 288, 144, device="meta")
    assert method.eval().embed(pictures, Modality.IR).shape == (1, 6 * 256)


def test_at_the_start_each_strip_guesses():
    # Two strips, four persons, logits near zero: 2 log 4.
    assert terms(made(), batch())["identity"].item() == pytest.approx(2 * math.log(4), abs=0.02)


@pytest.mark.parametrize(
    ("centres", "loss"), [("triplet", hetero_centre_triplet), ("distance", hetero_centre_distance)]
)
def test_the_terms_are_those_of_the_parts_and_of_all_parts_joined(centres, loss):
    given = batch()
    found = terms(made(centres=centres, metric_weight=2.0, joint_weight=0.5, margin=0.1), given)
    again = made(centres=centres)
    parts, _ = again.heads(again.trunk(again._input(given.rgb), again._input(given.ir)))
    rgb, ir = parts[:8], parts[8:]
    strips = sum(loss(rgb[:, k], ir[:, k], given.person, 0.1) for k in range(2))
    joint = loss(rgb.flatten(1), ir.flatten(1), given.person, 0.1)
    assert found["strip_centres"].item() == pytest.approx(2.0 * strips.item(), rel=1e-5)
    assert found["joint_centres"].item() == pytest.approx(0.5 * joint.item(), rel=1e-5)


def test_without_a_joint_weight_there_is_no_such_term():
    assert set(terms(made(joint_weight=0.0), batch())) == {"identity", "strip_centres"}


GRADIENT_FLOW = {
    # term: which parts of the network its gradient reaches
    "identity": {"own.rgb": True, "own.ir": True, "shared": True, "embeddings": True, "classifiers": True},
    "strip_centres": {"own.rgb": True, "own.ir": True, "shared": True, "embeddings": True, "classifiers": False},
    "joint_centres": {"own.rgb": True, "own.ir": True, "shared": True, "embeddings": True, "classifiers": False},
}


@pytest.mark.parametrize("term", GRADIENT_FLOW)
def test_gradient_flow(term):
    method = made()
    terms(method, batch())[term].backward()
    parts = {
        "own.rgb": method.trunk.own["rgb"],
        "own.ir": method.trunk.own["ir"],
        "shared": method.trunk.shared,
        "embeddings": method.heads.embeddings,
        "classifiers": method.heads.classifiers,
    }
    reached = {
        name: any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())
        for name, part in parts.items()
    }
    assert reached == GRADIENT_FLOW[term]


def test_own_stages_end_before_layer2():
    method = made()
    assert [name for name, _ in method.trunk.own["ir"].named_children()] == ["stem", "layer1"]


def test_the_vector_is_the_strips_end_to_end_at_unit_length():
    method, images = made().eval(), batch().ir
    with torch.inference_mode():
        parts, _ = method.heads(method.trunk.single(method._input(images), Modality.IR))
        joined = torch.cat([parts[:, 0], parts[:, 1]], dim=1)
        expected = joined / joined.norm(dim=1, keepdim=True)
        torch.testing.assert_close(method.embed(images, Modality.IR), expected)


def test_with_mirror_a_picture_and_its_mirror_image_are_the_same():
    method, images = made(mirror=True).eval(), batch().rgb
    with torch.inference_mode():
        one, other = (method.embed(seen, Modality.RGB) for seen in (images, images.flip(3)))
        assert torch.allclose(one, other, atol=1e-6)
        assert not torch.allclose(one, made().eval().embed(images, Modality.RGB), atol=1e-3)


def test_edges_do_not_see_polarity():
    method, images = made(edges=True, share_from="stem").eval(), batch().rgb
    with torch.inference_mode():
        assert torch.allclose(method.embed(images, Modality.RGB), method.embed(1 - images, Modality.IR), atol=1e-4)
