"""Every recipe constructs and trains a step at its full image size; full-size ones hold the published settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tapetum.core import Batch, Modality
from tapetum.data.catalogue import dataset_names
from tapetum.methods.method import Progress, find_method
from tapetum.optimisation import build_optimiser, learning_rate_factor, set_learning_rate
from tapetum.recipe import Recipe, read_recipe
from tapetum.training import build_method

RECIPES = sorted((Path(__file__).parents[1] / "recipes").rglob("*.yaml"))
PUBLISHED = ["sysu_mm01", "agw_sysu_mm01", "regdb", "llcm"]


def of_name(name: str) -> Recipe:
    return read_recipe(Path(__file__).parents[1] / "recipes" / "two_stream" / f"{name}.yaml")


def alike() -> list[list[Path]]:
    """The recipes of one method with the same settings and image size: what differs is the data and the schedule."""
    found: dict[str, list[Path]] = {}
    for path in RECIPES:
        recipe = read_recipe(path)
        found.setdefault(f"{recipe.method} {sorted(recipe.settings.items())} {recipe.image}", []).append(path)
    return list(found.values())


def drawn(path: Path) -> Recipe:
    """The recipe with drawn weights, so that nothing is fetched."""
    fields = find_method(read_recipe(path).method).Settings.model_fields
    return read_recipe(path, [f"settings.{name}=none" for name in ("weights", "structure_weights") if name in fields])


def named(paths: list[Path]) -> str:
    return " ".join(f"{path.parent.name}/{path.stem}" for path in paths)


def paints(paths: list[Path]) -> bool:
    return hasattr(find_method(read_recipe(paths[0]).method), "paint")


@pytest.mark.parametrize("paths", alike(), ids=named)
def test_it_constructs_trains_a_step_and_embeds(paths):
    # 2 persons x 1 crop keep a full-size step to some seconds; recipes that are alike share it. Painting takes ten
    # times as long: here at half the height and width, and whole in the test below.
    one_step(paths, shrunk=2 if paints(paths) and read_recipe(paths[0]).image.height > 128 else 1)


@pytest.mark.long
@pytest.mark.parametrize("paths", [paths for paths in alike() if paints(paths)], ids=named)
def test_it_paints_at_its_full_size(paths):
    one_step(paths, shrunk=1)


def one_step(paths: list[Path], shrunk: int) -> None:
    recipe, *others = (drawn(path) for path in paths)
    torch.manual_seed(recipe.seed)
    method = build_method(recipe, persons=3)
    for one in (*others, recipe):
        assert one.data.dataset in dataset_names()
        optimisers = {name: build_optimiser(player, one.optimisers[name]) for name, player in method.players().items()}
    images = (3, recipe.image.height // shrunk, recipe.image.width // shrunk)
    shape = images if method.vector_length is None else (method.vector_length,)
    batch = Batch(torch.rand(2, *shape), torch.rand(2, *shape), torch.tensor([0, 2]))
    before = {name: value.clone() for name, value in method.named_parameters()}
    for player, terms in method.step(batch, Progress(9, 10)):  # near the end, when every term has begun
        loss = torch.stack(list(terms.values())).sum()
        loss.backward()
        set_learning_rate(optimisers[player], learning_rate_factor(recipe.schedule, 0, 10))
        optimisers[player].step()
        assert torch.isfinite(loss)
    changed = [name for name, value in method.named_parameters() if not torch.equal(value, before[name])]
    assert len(changed) > len(before) / 2
    with torch.inference_mode():
        assert method.eval().embed(batch.ir, Modality.IR).norm(dim=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_settings(name):
    # METHODS section 12: 288 x 144, 8 persons x 4 crops; SGD with Nesterov momentum 0.9, weight decay 5e-4,
    # 0.1 for neck and classifier and 0.01 for the trunk; 10 epochs of warm-up, x 0.1 at 20, x 0.01 at 50.
    recipe = of_name(name)
    assert (recipe.image.height, recipe.image.width) == (288, 144)
    assert (recipe.batch.persons, recipe.batch.crops, recipe.batch.steps_per_epoch) == (8, 4, None)
    model = recipe.optimisers["model"]
    assert (model.kind, model.momentum, model.weight_decay) == ("sgd", 0.9, 5e-4)
    assert (model.learning_rate, model.groups) == (0.1, {"trunk": 0.1})
    assert recipe.settings["weights"] == "imagenet"
    factors = [learning_rate_factor(recipe.schedule, epoch * 7, 7) for epoch in (10, 19, 20, 49, 50, 79)]
    assert factors == [1, 1, 0.1, 0.1, 0.01, 0.01]
    assert 60 <= recipe.schedule.epochs <= 80
    assert recipe.augmentation.padding == 10
    assert recipe.data.split == "trainval"


def test_agw_is_non_local_gem_and_weighted_without_erasing():
    recipe = of_name("agw_sysu_mm01")
    wanted = {"non_local_channels": 1, "pooling": "gem", "metric": "weighted", "share_from": "layer1"}
    assert {name: recipe.settings[name] for name in wanted} == wanted
    assert recipe.augmentation.erasing == 0
