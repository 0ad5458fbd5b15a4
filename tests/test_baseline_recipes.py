"""The full-size recipes of today's baselines hold the published settings (METHODS, section 12), one table for all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapetum.methods.method import find_method
from tapetum.optimisation import learning_rate_factor
from tapetum.recipe import Recipe, read_recipe

RECIPES = Path(__file__).parents[1] / "recipes"

PUBLISHED = {
    # recipe: (height x width, persons x crops, erasing, settings beside the frame's)
    "two_stream/agw_sysu_mm01": (
        (288, 144), (8, 4), 0.0,
        {"share_from": "layer1", "non_local_channels": 1, "pooling": "gem", "gem_power": 3, "metric": "weighted"},
    ),
    "two_stream/regdb": (
        (288, 144), (8, 4), 0.0,
        {"share_from": "layer1", "non_local_channels": 1, "pooling": "gem", "gem_power": 3, "metric": "weighted"},
    ),
    "two_stream/mmd_reid_sysu_mm01": (
        (288, 144), (4, 4), 0.5,
        {"share_from": "layer3", "pooling": "gem", "metric": "hetero_centre", "metric_weight": 2.0, "margin": 0.3,
         "discrepancy_weight": 0.25, "discrepancy_gate": 1.4, "identity_weight": 1.0},
    ),
    "two_stream/mmd_reid_regdb": (
        (288, 144), (4, 4), 0.5,
        {"share_from": "layer3", "pooling": "gem", "metric": "hetero_centre", "metric_weight": 2.0, "margin": 0.3,
         "discrepancy_weight": 0.25, "discrepancy_gate": 1.4, "identity_weight": 1.0},
    ),
    "hc_tri/sysu_mm01": (
        (288, 144), (6, 8), 0.0,
        {"share_from": "layer2", "strips": 6, "embedding": 256, "pooling": "gem", "gem_power": 3, "centres": "triplet",
         "margin": 0.3, "metric_weight": 1.0, "joint_weight": 1.0},
    ),
    "hc_tri/regdb": (
        (288, 144), (8, 4), 0.0,
        {"share_from": "layer2", "strips": 6, "embedding": 256, "pooling": "gem", "gem_power": 10, "centres": "triplet",
         "margin": 0.3, "metric_weight": 2.0, "joint_weight": 1.0},
    ),
    "hc_tri/hc_sysu_mm01": (
        (288, 144), (8, 4), 0.0,
        {"share_from": "layer1", "strips": 6, "centres": "distance", "margin": 0.0, "metric_weight": 0.5,
         "joint_weight": 0.0},
    ),
    "caj/sysu_mm01": (
        (288, 144), (8, 4), 0.5,
        {"share_from": "layer1", "non_local_channels": 1, "pooling": "gem", "gem_power": 3, "exchange": True,
         "metric": "enhanced", "cap": 88, "kl_weight": 0.0, "temperature": 3},
    ),
    "caj/regdb": (
        (288, 144), (8, 4), 0.5,
        {"share_from": "layer1", "non_local_channels": 1, "pooling": "gem", "gem_power": 3, "exchange": True,
         "metric": "enhanced", "cap": 88, "kl_weight": 0.0, "temperature": 3},
    ),
    "deen/sysu_mm01": (
        (384, 144), (6, 4), 0.5,
        {"share_from": "layer1", "expansion": True, "fusion": True, "layer4": True, "dropout": 0.01, "margin": 0.3,
         "pair_weight": 0.8, "pair_margin": 0.2, "orthogonal_weight": 0.01},
    ),
    "deen/regdb": (
        (384, 144), (6, 4), 0.5,
        {"share_from": "layer1", "expansion": True, "fusion": True, "layer4": False, "dropout": 0.01, "margin": 0.3,
         "pair_weight": 0.8, "pair_margin": 0.2, "orthogonal_weight": 0.01},
    ),
}  # fmt: skip

OURS = {"edges": False, "mirror": False, "smoothing": 0.0}
"""What is ours, for small trunks, is off at full size."""


def read(name: str) -> Recipe:
    return read_recipe(RECIPES / f"{name}.yaml")


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_settings(name):
    size, batch, erasing, wanted = PUBLISHED[name]
    recipe = read(name)
    assert (recipe.image.height, recipe.image.width) == size
    assert (recipe.batch.persons, recipe.batch.crops, recipe.batch.steps_per_epoch) == (*batch, None)
    assert (recipe.augmentation.padding, recipe.augmentation.flip, recipe.augmentation.erasing) == (10, 0.5, erasing)
    settings = find_method(recipe.method).Settings.model_validate(recipe.settings).model_dump()
    assert {key: settings[key] for key in wanted} == wanted
    assert {key: settings[key] for key in OURS} == OURS
    assert (settings["trunk"], settings["weights"], settings["width"]) == ("resnet50", "imagenet", 64)
    assert recipe.data.split == "trainval"
    assert recipe.validation is None


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_trunk_moves_at_a_tenth_of_the_head(name):
    # 0.1 for neck and classifier, 0.01 for the trunk; the HC loss a tenth of both.
    model = read(name).optimisers["model"]
    rate = 0.01 if name == "hc_tri/hc_sysu_mm01" else 0.1
    assert (model.kind, model.momentum, model.weight_decay) == ("sgd", 0.9, 5e-4)
    assert (model.learning_rate, model.groups) == (rate, {"trunk": 0.1})


@pytest.mark.parametrize("name", PUBLISHED)
def test_schedules(name):
    # Ten epochs of warm-up, x 0.1 from 20, x 0.01 from 50 (DEEN: 80).
    schedule = read(name).schedule
    last = 80 if name.startswith("deen") else 50
    epochs = (10, 19, 20, last - 1, last, schedule.epochs - 1)
    assert [learning_rate_factor(schedule, epoch * 7, 7) for epoch in epochs] == [1, 1, 0.1, 0.1, 0.01, 0.01]
    method, _, _ = name.partition("/")
    wanted = {"caj": {100}, "deen": {150}, "hc_tri": {80}, "two_stream": {80}}[method]
    assert schedule.epochs in ({60} if name == "hc_tri/hc_sysu_mm01" else wanted)


def test_what_is_done_to_training_crops():
    # DEEN: grey with probability 0.5, erasing of 20 to 80 % on SYSU-MM01 and 2 to 40 % elsewhere. CAJ's exchange is its
    # method's, so that the loader must not exchange channels too.
    found = {name: read(name).augmentation for name in PUBLISHED}
    grey = {name for name, augmentation in found.items() if augmentation.grayscale == 0.5}
    assert grey == {"deen/sysu_mm01", "deen/regdb"}
    assert found["deen/sysu_mm01"].erasing_area == (0.2, 0.8)
    assert {a.erasing_area for name, a in found.items() if name != "deen/sysu_mm01"} == {(0.02, 0.4)}
    assert all(augmentation.channel_exchange == augmentation.tone == 0 for augmentation in found.values())
