"""CAJ: the exchanged view, the three-way batch, which term reaches which part, and that its parts can be left out."""

from __future__ import annotations

import pytest
import torch

from tapetum.core import Batch, Modality
from tapetum.losses.triplet import enhanced_triplet, weighted_triplet
from tapetum.methods.caj import CAJ, CAJSettings, exchanged
from tapetum.methods.method import Progress

TINY = {"trunk": "resnet10", "weights": "none", "width": 8, "non_local_channels": 0}


def made(persons: int = 4, **settings) -> CAJ:
    torch.manual_seed(0)
    return CAJ(CAJSettings.model_validate({**TINY, **settings}), persons)


def batch(persons: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(0)
    rgb, ir = (torch.rand(2 * persons, 3, 32, 16, generator=generator) for _ in range(2))
    return Batch(rgb, ir, torch.arange(persons).repeat_interleave(2))


def terms(method: CAJ, given: Batch) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    ((player, found),) = method.step(given, Progress(0, 1))
    assert player == "model"
    return dict(found)


def test_an_exchanged_picture_is_one_of_its_channels_thrice():
    images = torch.arange(3.0)[None, :, None, None].expand(3000, 3, 2, 2)  # red 0, green 1, blue 2
    torch.manual_seed(0)
    seen = exchanged(images)
    assert seen.shape == images.shape
    assert torch.equal(seen, seen[:, :1, :1, :1].expand_as(seen))
    shares = [(seen[:, 0, 0, 0] == channel).double().mean().item() for channel in range(3)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.03)  # three standard deviations: 0.026
    grey = torch.rand(4, 1, 3, 2).expand(-1, 3, -1, -1)
    assert torch.equal(exchanged(grey), grey)


def test_published_sizes():
    # The AGW network: own stems, five non-local blocks of 7 C + 3 parameters, neck 4,096, classifier 808,960.
    with torch.device("meta"):
        method = CAJ(CAJSettings(weights="none"), 395)
    assert sum(p.numel() for p in method.trunk.parameters()) == 23_517_568 + 2 * (7 * 512 + 3) + 3 * (7 * 1024 + 3)
    assert sum(p.numel() for p in method.neck.parameters()) == 4_096 + 808_960


def views(method: CAJ, given: Batch) -> torch.Tensor:
    """The features of [x; x_ch; x_ir], each view from the pictures that `terms` drew."""
    torch.manual_seed(1)
    rgb = torch.cat([given.rgb, exchanged(given.rgb)])
    return method.pool(method.trunk(method._input(rgb), method._input(given.ir)))


@pytest.mark.parametrize(
    ("metric", "loss"), [("enhanced", lambda f, y: enhanced_triplet(f, y, 5.0)), ("weighted", weighted_triplet)]
)
def test_the_losses_see_all_three_views(metric, loss):
    given = batch()
    found = terms(made(metric=metric, cap=5.0), given)
    assert set(found) == {"identity", metric}
    f, y = views(made(), given), given.person.repeat(3)
    assert f.shape == (24, 64)
    assert found[metric].item() == pytest.approx(loss(f, y).item(), rel=1e-5)


def test_both_rgb_views_take_the_rgb_stem():
    method, given, seen = made(), batch(), {}
    for modality in Modality:
        stem = method.trunk.own[modality].stem.conv1
        stem.register_forward_pre_hook(lambda _, inputs, modality=modality: seen.update({modality: len(inputs[0])}))
    terms(method, given)
    assert seen == {Modality.RGB: 16, Modality.IR: 8}


def test_without_exchange_it_is_the_two_way_batch():
    method, given, seen = made(exchange=False), batch(), []
    method.neck.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    terms(method, given)
    assert seen == [16]


def test_the_divergence_has_its_weight_and_is_off_as_published():
    given = batch()
    assert "divergence" not in terms(made(), given)
    once, twice = (terms(made(kl_weight=weight), given)["divergence"].item() for weight in (1.0, 2.0))
    assert once > 0
    assert twice == pytest.approx(2 * once, rel=1e-4)
    assert terms(made(kl_weight=1.0, temperature=30.0), given)["divergence"].item() != pytest.approx(once, rel=1e-3)


GRADIENT_FLOW = {
    # term: which parts of the network its gradient reaches
    "identity": {"own.rgb": True, "own.ir": True, "shared": True, "norm": True, "classifier": True},
    "enhanced": {"own.rgb": True, "own.ir": True, "shared": True, "norm": False, "classifier": False},
    "divergence": {"own.rgb": True, "own.ir": True, "shared": True, "norm": True, "classifier": True},
}


@pytest.mark.parametrize("term", GRADIENT_FLOW)
def test_gradient_flow(term):
    method = made(kl_weight=1.0)
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


def test_strips_embedding_and_mirror():
    method, images = made(strips=2, embedding=24, mirror=True).eval(), batch().rgb
    with torch.inference_mode():
        one, other = (method.embed(seen, Modality.RGB) for seen in (images, images.flip(3)))
    assert one.shape == (8, 24)
    assert torch.allclose(one, other, atol=1e-6)


def test_edges_do_not_see_polarity():
    method, images = made(edges=True, share_from="stem").eval(), batch().rgb
    with torch.inference_mode():
        assert torch.allclose(method.embed(images, Modality.RGB), method.embed(1 - images, Modality.IR), atol=1e-4)
