"""BDTR: published sizes of both frames, which term reaches which part, and what each setting changes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from tapetum.core import Batch, Modality
from tapetum.errors import RecipeError
from tapetum.losses.contrastive import contrastive_loss
from tapetum.losses.top_ranking import cross_modality_ranking, intra_modality_ranking
from tapetum.methods.bdtr import Bdtr, BdtrSettings
from tapetum.methods.method import Progress
from tapetum.optimisation import learning_rate_factor
from tapetum.recipe import Recipe, read_recipe

RECIPES = Path(__file__).parents[2] / "recipes" / "bdtr"
TINY = {"trunk": "resnet10", "weights": "none", "width": 8, "embedding": 12, "dropout": 0.0}


def made(persons: int = 4, **settings) -> Bdtr:
    torch.manual_seed(0)
    return Bdtr(BdtrSettings.model_validate({**TINY, **settings}), persons)


def on_meta(persons: int, **settings) -> Bdtr:
    """The network without memory behind its weights: enough to count."""
    with torch.device("meta"):
        return Bdtr(BdtrSettings.model_validate({"weights": "none", **settings}), persons)


def batch(persons: int = 4, crops: int = 2, size: tuple[int, int] = (32, 16)) -> Batch:
    generator = torch.Generator().manual_seed(0)
    rgb, ir = (torch.rand(crops * persons, 3, *size, generator=generator) for _ in range(2))
    return Batch(rgb, ir, torch.arange(persons).repeat_interleave(crops))


def terms(method: Bdtr, given: Batch) -> dict[str, torch.Tensor]:
    ((player, found),) = method.step(given, Progress(0, 1))
    assert player == "model"
    return dict(found)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_network_has_84_6_million_parameters():
    # METHODS 2.1, RegDB's 206 persons: 2 x (2.33 M conv + 37.75 M fc6) + 4.20 M fc7 + 0.21 M fc8. By hand:
    # 2 x (2,334,080 + 37,748,736 + 8,192 of the norm) + 4,195,328 + 211,150.
    method = on_meta(206, trunk="alexnet_grouped")
    assert count(method.trunk.own["rgb"]) == count(method.trunk.own["ir"]) == 2_334_080 + 37_748_736 + 8_192
    assert count(method.trunk.shared) == 0
    assert count(method) == 84_588_494
    assert round(count(method) / 1e6, 1) == 84.6
    # With torchvision's layout of the convolutions, 2,469,696 a stream.
    assert count(on_meta(206)) == 84_588_494 + 2 * (2_469_696 - 2_334_080)


def test_the_512_d_frame_has_two_complete_resnets():
    # METHODS 2.4: two ResNet-50 of 23,508,032; 2048 -> 512 with its norm; 512 -> 395.
    method = on_meta(395, trunk="resnet50")
    assert count(method) == 2 * 23_508_032 + 2048 * 512 + 2 * 512 + 512 * 395 + 395
    assert method.head.project.weight.shape == (512, 2048)


def test_tone_has_an_fc7_of_2048():
    assert on_meta(206, embedding=2048).head.embed[2].weight.shape == (2048, 4096)


def test_at_the_start_the_identity_loss_is_that_of_guessing():
    assert terms(made(), batch())["identity"].item() == pytest.approx(math.log(4), abs=0.02)


@pytest.mark.parametrize(
    ("ranking", "names"),
    [
        ("none", {"identity"}),
        ("contrastive", {"identity", "contrastive"}),
        ("cross", {"identity", "cross"}),
        ("cross_and_intra", {"identity", "cross", "intra"}),
    ],
)
def test_the_ranking_decides_the_terms(ranking, names):
    assert set(terms(made(ranking=ranking), batch())) == names


def test_the_terms_are_the_weighted_losses_of_unit_vectors():
    weights = {"cross_weight": 2.0, "intra_weight": 3.0, "contrastive_weight": 5.0}
    margins = {"cross_margin": 0.7, "intra_margin": 1.5, "contrastive_margin": 1.2}
    given = batch()
    method = made(**weights, **margins)
    found = terms(method, given)
    found |= terms(made(**weights, **margins, ranking="contrastive"), given)
    with torch.no_grad():
        f, _ = method.head(method.pool(method.trunk(method._input(given.rgb), method._input(given.ir))))
    v, t = F.normalize(f).chunk(2)
    expected = {
        "cross": 2 * cross_modality_ranking(v, t, given.person, 0.7),
        "intra": 3 * intra_modality_ranking(v, t, given.person, 1.5),
        "contrastive": 5 * contrastive_loss(v, t, given.person, 1.2),
    }
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-5)
        assert value > 0


GRADIENT_FLOW = {
    # term: which parts of the network its gradient reaches
    "identity": {"own.rgb": True, "own.ir": True, "embedding": True, "classifier": True},
    "cross": {"own.rgb": True, "own.ir": True, "embedding": True, "classifier": False},
    "intra": {"own.rgb": True, "own.ir": True, "embedding": True, "classifier": False},
    "contrastive": {"own.rgb": True, "own.ir": True, "embedding": True, "classifier": False},
}


@pytest.mark.parametrize("term", GRADIENT_FLOW)
def test_gradient_flow(term):
    # A margin that no two unit vectors keep, so that every term is at work.
    method = made(ranking="contrastive" if term == "contrastive" else "cross_and_intra", intra_margin=2.5)
    terms(method, batch())[term].backward()
    parts = {
        "own.rgb": method.trunk.own["rgb"],
        "own.ir": method.trunk.own["ir"],
        "embedding": method.head.project,
        "classifier": method.head.classifier,
    }
    reached = {
        name: any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())
        for name, part in parts.items()
    }
    assert reached == GRADIENT_FLOW[term]


def test_the_streams_share_nothing_but_the_head():
    method = made()
    assert sorted(name for name, _ in method.trunk.own["rgb"].named_children()) == [
        "layer1", "layer2", "layer3", "layer4", "stem",
    ]  # fmt: skip
    one = next(iter(terms(method, batch()).values()))
    one.backward()
    method.zero_grad()
    method.embed(batch().rgb, Modality.RGB).sum().backward()
    assert all(p.grad is None for p in method.trunk.own["ir"].parameters())


@pytest.mark.parametrize("share_from", ["stem", "layer1", "layer4"])
def test_more_can_be_shared(share_from):
    method, complete = made(share_from=share_from), made()
    own = count(method.trunk.own["rgb"])
    assert count(complete) - count(method) == count(complete.trunk.own["rgb"]) - own


def test_the_embedding_is_the_feature_at_unit_length():
    method = made().eval()
    with torch.inference_mode():
        f, unit = (call(batch().ir, Modality.IR) for call in (method.features, method.embed))
    assert f.shape == (8, 12)
    assert (f < 0).any()
    assert f.norm(dim=1).std() > 0.01
    torch.testing.assert_close(unit, f / f.norm(dim=1, keepdim=True))


def test_alexnet_trains_a_step_and_its_features_are_positive():
    torch.manual_seed(0)
    with torch.device("meta"):
        method = Bdtr(BdtrSettings(weights="none", embedding=8), 3)
    # A thin fc6 in place of the published one, which would take half a gigabyte to train.
    thin = {"out_features": 16, "in_features": 256 * 36}
    for stream in method.trunk.own.values():
        stream.fc6.fc6 = torch.nn.Linear(**thin, bias=False)
        stream.fc6.norm = torch.nn.BatchNorm1d(16)
    method.head.embed[2] = torch.nn.Linear(16, 8)
    method = method.to_empty(device="cpu")
    for parameter in method.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    for module in method.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.reset_running_stats()
    given = batch(persons=3, crops=1, size=(227, 227))
    torch.stack(list(terms(method, given).values())).sum().backward()
    assert method.trunk.own["ir"].stem.conv1.weight.grad.abs().sum() > 0
    with torch.inference_mode():
        assert (method.eval().features(given.rgb, Modality.RGB) >= 0).all()


def test_edges_and_strips():
    method = made(edges=True, strips=2).eval()
    assert method.head.project.weight.shape == (12, 2 * 64)
    images = batch().rgb
    with torch.inference_mode():
        one, negative = (method.embed(seen, Modality.RGB) for seen in (images, 1 - images))
    torch.testing.assert_close(one, negative, atol=1e-4, rtol=0)


def test_bad_settings():
    for wrong in ({"strips": 2}, {"width": 32}):
        with pytest.raises(RecipeError, match="alexnet has one width and no strips"):
            on_meta(4, **wrong)
    with pytest.raises(RecipeError, match="no trunk is called 'alexne'"):
        on_meta(4, trunk="alexne")


def schedule_of(recipe: Recipe, *epochs: int) -> list[float]:
    return [learning_rate_factor(recipe.schedule, 7 * epoch, 7) for epoch in epochs]


@pytest.mark.parametrize(("name", "batches"), [("regdb", 5000), ("sysu_mm01", 5000), ("tone_regdb", 1500)])
def test_published_settings_of_the_alexnet_recipes(name, batches):
    # METHODS 2.1 to 2.3: 227 x 227, 64 persons x 1 crop, SGD of momentum 0.9 at 1e-3; 5,000 batches, TONE 1,501.
    recipe = read_recipe(RECIPES / f"{name}.yaml")
    assert (recipe.image.height, recipe.image.width, recipe.data.split) == (227, 227, "trainval")
    assert (recipe.batch.persons, recipe.batch.crops) == (64, 1)
    assert recipe.schedule.epochs * recipe.batch.steps_per_epoch == batches
    model = recipe.optimisers["model"]
    assert (model.kind, model.learning_rate, model.momentum) == ("sgd", 1e-3, 0.9)
    assert schedule_of(recipe, 0, 29) == [1, 1]
    settings = BdtrSettings.model_validate(recipe.settings)
    assert (settings.trunk, settings.weights, settings.share_from) == ("alexnet", "imagenet", "head")
    if name == "tone_regdb":
        assert (settings.ranking, settings.embedding) == ("contrastive", 2048)
        assert (settings.contrastive_margin, settings.contrastive_weight) == (0.5, 0.2)
    else:
        assert (settings.ranking, settings.embedding) == ("cross_and_intra", None)
        assert (settings.cross_margin, settings.cross_weight) == (0.5, 1.0)
        assert (settings.intra_margin, settings.intra_weight) == (0.1, 0.1)


@pytest.mark.parametrize("name", ["baseline_512_sysu_mm01", "baseline_512_regdb", "resnet50_sysu_mm01"])
def test_published_settings_of_the_512_d_recipes(name):
    # METHODS 2.4: 288 x 144, 32 persons x 1 crop, SGD of momentum 0.9 and weight decay 5e-4; 0.01, a tenth of it for
    # the trunk; x 0.1 at epochs 30 and 60 of 61; identity loss alone.
    recipe = read_recipe(RECIPES / f"{name}.yaml")
    assert (recipe.image.height, recipe.image.width, recipe.data.split) == (288, 144, "trainval")
    assert (recipe.batch.persons, recipe.batch.crops, recipe.batch.steps_per_epoch) == (32, 1, None)
    assert (recipe.augmentation.padding, recipe.augmentation.flip, recipe.augmentation.erasing) == (10, 0.5, 0)
    model = recipe.optimisers["model"]
    assert (model.kind, model.learning_rate, model.momentum, model.weight_decay) == ("sgd", 0.01, 0.9, 5e-4)
    assert model.groups == {"trunk": 0.1}
    assert recipe.schedule.epochs == 61
    assert schedule_of(recipe, 0, 29, 30, 59, 60) == [1, 1, 0.1, 0.1, 0.01]
    settings = BdtrSettings.model_validate(recipe.settings)
    assert (settings.trunk, settings.weights, settings.share_from) == ("resnet50", "imagenet", "head")
    assert settings.embedding == 512
    assert settings.ranking == ("cross_and_intra" if name == "resnet50_sysu_mm01" else "none")
