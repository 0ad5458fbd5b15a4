"""The two-stream frame: published sizes, which term reaches which part, and what each setting changes."""

from __future__ import annotations

import math

import pytest
import torch

from tapetum.core import Batch, Modality
from tapetum.methods.method import Progress
from tapetum.methods.two_stream import TwoStream, TwoStreamSettings

TINY = {"trunk": "resnet10", "weights": "none", "width": 8}


def made(persons: int = 4, **settings) -> TwoStream:
    torch.manual_seed(0)
    return TwoStream(TwoStreamSettings.model_validate({**TINY, **settings}), persons)


def batch(persons: int = 4, size: tuple[int, int] = (32, 16)) -> Batch:
    generator = torch.Generator().manual_seed(0)
    rgb, ir = (torch.rand(2 * persons, 3, *size, generator=generator) for _ in range(2))
    return Batch(rgb, ir, torch.arange(persons).repeat_interleave(2))


def terms(method: TwoStream, given: Batch) -> dict[str, torch.Tensor]:
    ((player, found),) = method.step(given, Progress(0, 1))
    assert player == "model"
    return dict(found)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_common_frame_has_the_published_sizes():
    # METHODS section 12: trunk with own stems 23,517,568; neck 4,096; classifier of 395 persons 808,960.
    method = TwoStream(TwoStreamSettings(weights="none"), 395)
    assert count(method.trunk) == 23_517_568
    assert count(method.neck.norm) == 4_096
    assert count(method.neck.classifier) == 808_960
    assert count(method) == 23_517_568 + 4_096 + 808_960
    assert method.eval().embed(torch.rand(1, 3, 288, 144), Modality.IR).shape == (1, 2048)


def test_agw_adds_five_non_local_blocks():
    method = TwoStream(TwoStreamSettings(weights="none", non_local_channels=1), 395)
    # A block on C channels with 1 inside: theta, phi, g 3 (C + 1), out 2 C, norm 2 C = 7 C + 3.
    assert count(method.trunk) - 23_517_568 == 2 * (7 * 512 + 3) + 3 * (7 * 1024 + 3)


def test_at_the_start_the_identity_loss_is_that_of_guessing():
    # Classifier weights of deviation 0.001 give logits near zero: log 4 for four persons.
    assert terms(made(), batch())["identity"].item() == pytest.approx(math.log(4), abs=0.02)


@pytest.mark.parametrize("metric", ["batch_hard", "weighted", "hetero_centre"])
def test_the_metric_has_its_name_and_weight(metric):
    once = terms(made(metric=metric), batch())
    twice = terms(made(metric=metric, metric_weight=2.0, identity_weight=0.5), batch())
    assert set(once) == {"identity", metric}
    assert twice[metric].item() == pytest.approx(2 * once[metric].item(), rel=1e-5)
    assert twice["identity"].item() == pytest.approx(0.5 * once["identity"].item(), rel=1e-5)


def test_the_discrepancy_has_its_weight_and_gate_and_is_off_in_the_common_frame():
    given = batch()
    assert "discrepancy" not in terms(made(), given)
    once, half = (terms(made(discrepancy_weight=w, discrepancy_gate=0.0), given)["discrepancy"] for w in (1.0, 0.5))
    # Two rows of each light and four persons: 0 < MMD^2 <= 10 - 2 sum_j exp(-6 / 2^j) = 7.04 each.
    assert 0 < once.item() < 7.05
    assert half.item() == pytest.approx(0.5 * once.item(), rel=1e-5)
    assert terms(made(discrepancy_weight=1.0, discrepancy_gate=7.05), given)["discrepancy"].item() == 0


def test_mmd_reid_has_the_published_sizes():
    # A second stem (9,536), layer1 (215,808) and layer2 (1,219,584) beside the shared trunk.
    with torch.device("meta"):
        method = TwoStream(TwoStreamSettings(weights="none", share_from="layer3", discrepancy_weight=0.25), 395)
    assert count(method.trunk) == 23_508_032 + 9_536 + 215_808 + 1_219_584
    assert count(method.neck) == 4_096 + 808_960


GRADIENT_FLOW = {
    # term: which parts of the network its gradient reaches
    "identity": {"own.rgb": True, "own.ir": True, "shared": True, "norm": True, "classifier": True},
    "batch_hard": {"own.rgb": True, "own.ir": True, "shared": True, "norm": False, "classifier": False},
    "discrepancy": {"own.rgb": True, "own.ir": True, "shared": True, "norm": False, "classifier": False},
}


@pytest.mark.parametrize("term", GRADIENT_FLOW)
def test_gradient_flow(term):
    method = made(metric="batch_hard", discrepancy_weight=1.0, discrepancy_gate=0.0)
    terms(method, batch())[term].backward()
    parts = {
        "own.rgb": method.trunk.own["rgb"],
        "own.ir": method.trunk.own["ir"],
        "shared": method.trunk.shared,
        "norm": method.neck.norm,
        "classifier": method.neck.classifier,
    }
    reached = {
        name: any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())
        for name, part in parts.items()
    }
    assert reached == GRADIENT_FLOW[term]


def test_each_modality_has_a_stem_of_its_own():
    method = made().eval()
    with torch.no_grad():
        for parameter in method.trunk.own["ir"].parameters():
            parameter.mul_(2.0)
    images = batch().rgb
    with torch.inference_mode():
        assert not torch.allclose(method.embed(images, Modality.RGB), method.embed(images, Modality.IR))


def test_all_shared_treats_both_alike():
    method = made(share_from="stem").eval()
    images = batch().rgb
    with torch.inference_mode():
        assert torch.equal(method.embed(images, Modality.RGB), method.embed(images, Modality.IR))


def test_edges_do_not_see_polarity():
    # What is dark in RGB may be bright in infrared: the negative of a picture has the same edges.
    method = made(edges=True, share_from="stem").eval()
    images = batch().rgb
    with torch.inference_mode():
        assert torch.allclose(method.embed(images, Modality.RGB), method.embed(1 - images, Modality.IR), atol=1e-4)


def test_strips_and_embedding_set_the_length():
    method = made(strips=2, embedding=24).eval()
    assert method.embed(batch().rgb, Modality.RGB).shape == (8, 24)


def test_with_mirror_a_picture_and_its_mirror_image_are_the_same():
    method, images = made(mirror=True).eval(), batch().rgb
    with torch.inference_mode():
        one, other = (method.embed(seen, Modality.RGB) for seen in (images, images.flip(3)))
        assert torch.allclose(one, other, atol=1e-6)
        assert not torch.allclose(one, made().eval().embed(images, Modality.RGB), atol=1e-3)
