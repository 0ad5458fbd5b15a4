"""The full-size recipes of cmPIG and Hi-CMD hold the published settings (METHODS, sections 6 and 7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapetum.methods.method import find_method
from tapetum.optimisation import build_optimiser, learning_rate_factor
from tapetum.recipe import Recipe, read_recipe

RECIPES = Path(__file__).parents[1] / "recipes"
DATA = ("sysu_mm01", "regdb")


def of_name(method: str, data: str) -> Recipe:
    return read_recipe(RECIPES / method / f"{data}.yaml")


def settings_of(recipe: Recipe) -> dict[str, object]:
    return find_method(recipe.method).Settings.model_validate(recipe.settings).model_dump()


@pytest.mark.parametrize("data", DATA)
def test_cmpig(data):
    recipe = of_name("cmpig", data)
    assert (recipe.image.height, recipe.image.width) == (256, 128)
    assert (recipe.batch.persons, recipe.batch.crops, recipe.batch.steps_per_epoch) == (16, 4, 200)
    wanted = {
        "trunk": "resnet50", "weights": "imagenet", "width": 64, "style": 128, "style_width": 32, "style_halvings": 4,
        "decoder_width": 256, "discriminator_width": 32, "scales": 2, "painted_persons": 3, "painted_crops": 3,
        "reconstruction_weight": 10, "cycle_weight": 10, "content_weight": 1, "style_weight": 1,
        "adversarial_weight": 1, "alignment_weight": 0.01, "identity_weight": 1, "metric_weight": 1, "margin": 0.3,
        "smoothing": 0.1, "edges": False, "strips": 1, "embedding": None, "mirror": False,
    }  # fmt: skip
    settings = settings_of(recipe)
    assert {name: settings[name] for name in wanted} == wanted
    for player in ("generator", "discriminator"):
        found = recipe.optimisers[player]
        assert (found.kind, found.learning_rate, found.momentum, found.second_momentum) == ("adam", 1e-4, 0.5, 0.999)
        assert found.weight_decay == 1e-4
    reader = recipe.optimisers["identity"]
    assert (reader.kind, reader.learning_rate, reader.weight_decay) == ("adam", 4.5e-4, 5e-4)
    # 100 epochs of painting alone, 50 of everything, x 0.1 after 30 of these.
    assert settings["warmup"] == pytest.approx(100 / recipe.schedule.epochs)
    assert [learning_rate_factor(recipe.schedule, epoch, 1) for epoch in (0, 129, 130, 149)] == [1, 1, 0.1, 0.1]
    assert recipe.data.split == "trainval"


@pytest.mark.parametrize(("data", "step"), [("sysu_mm01", 50_000), ("regdb", 25_000)])
def test_hi_cmd(data, step):
    recipe = of_name("hi_cmd", data)
    assert (recipe.image.height, recipe.image.width) == (256, 128)
    wanted = {
        "trunk": "resnet50", "weights": "imagenet", "width": 64, "code_width": 32, "style_width": 512,
        "dilations": (3, 6, 9), "discriminator_width": 32, "scales": 3, "embedding": 2048, "metric_embedding": 1024,
        "dropout": 0.5, "erasing": 0.5, "painted_persons": 2, "painted_crops": 1, "reconstruction_weight": 50,
        "cross_weight": 50, "cycle_weight": 50, "adversarial_weight": 20, "r1_weight": 0.01, "r1_every": 1,
        "code_weight": 10, "excluded_weight": 1, "margin": 0.5, "smoothing": 0, "edges": False, "strips": 1,
        "mirror": False,
    }  # fmt: skip
    settings = settings_of(recipe)
    assert {name: settings[name] for name in wanted} == wanted
    for player in ("generator", "discriminator"):
        found = recipe.optimisers[player]
        assert (found.kind, found.learning_rate, found.momentum, found.second_momentum) == ("adam", 1e-4, 0.5, 0.999)
    reader = recipe.optimisers["identity"]
    assert (reader.kind, reader.learning_rate, reader.momentum, reader.weight_decay) == ("sgd", 0.001, 0.9, 1e-4)
    # Halved at each quarter of 200,000 (RegDB: 100,000) steps.
    each = recipe.batch.steps_per_epoch
    assert recipe.schedule.epochs * each == 4 * step
    places = [0, step - 1, step, 2 * step, 3 * step, 4 * step - 1]
    assert [learning_rate_factor(recipe.schedule, place, each) for place in places] == [1, 1, 0.5, 0.25, 0.125, 0.125]
    assert recipe.data.split == ("train" if data == "sysu_mm01" else "trainval")  # 296 persons of SYSU-MM01
    assert recipe.augmentation.erasing == 0  # the method erases for its identity losses alone


def test_the_proportion_of_shape_moves_at_a_hundredth():
    recipe = read_recipe(RECIPES / "hi_cmd" / "sysu_mm01.yaml")
    small = {"trunk": "resnet10", "weights": "none", "width": 8, "code_width": 1, "style_width": 4, "embedding": 8}
    method = find_method("hi_cmd")(find_method("hi_cmd").Settings.model_validate(small), 3)
    optimiser = build_optimiser(method.players()["identity"], recipe.optimisers["identity"])
    (slow,) = [group for group in optimiser.param_groups if group["lr"] == pytest.approx(1e-5)]
    assert [value.item() for value in slow["params"]] == [0.5]


@pytest.mark.parametrize("method", ["dgnet", "structure_identity"])
def test_padded_crops_repeat_their_border(method):
    # METHODS 9.3: pad 10 (edge).
    augmentation = read_recipe(RECIPES / method / "sysu_mm01.yaml").augmentation
    assert (augmentation.padding, augmentation.border, augmentation.flip) == (10, "edge", 0.5)
