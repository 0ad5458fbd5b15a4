"""SDL: published sizes, the terms by hand, which term reaches which head, and what each setting changes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from tapetum.core import Batch, Modality
from tapetum.methods.method import Progress
from tapetum.methods.sdl import Sdl, SdlSettings
from tapetum.optimisation import learning_rate_factor
from tapetum.recipe import read_recipe

RECIPES = Path(__file__).parents[2] / "recipes" / "sdl"
TINY = {"trunk": "resnet10", "weights": "none", "width": 8, "embedding": 12, "dropout": 0.0}


def made(persons: int = 4, **settings) -> Sdl:
    torch.manual_seed(0)
    return Sdl(SdlSettings.model_validate({**TINY, **settings}), persons)


def batch(persons: int = 4, crops: int = 2, size: tuple[int, int] = (32, 16)) -> Batch:
    generator = torch.Generator().manual_seed(0)
    rgb, ir = (torch.rand(crops * persons, 3, *size, generator=generator) for _ in range(2))
    return Batch(rgb, ir, torch.arange(persons).repeat_interleave(crops))


def terms(method: Sdl, given: Batch) -> dict[str, torch.Tensor]:
    ((player, found),) = method.step(given, Progress(0, 1))
    assert player == "model"
    return dict(found)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_published_sizes():
    # METHODS section 5: two complete ResNet-50; heads of 2048 -> 512 with a norm, and a classifier of 395 persons each.
    with torch.device("meta"):
        method = Sdl(SdlSettings(weights="none"), 395)
    head = 2048 * 512 + 2 * 512 + 512 * 395 + 395
    assert {name: count(part) for name, part in method.V.items()} == {"rgb": head, "ir": head}
    assert count(method.X) == count(method.U) == head
    assert count(method) == 2 * 23_508_032 + 4 * head


def test_at_the_start_the_classifiers_guess():
    found = terms(made(), batch())
    assert found["identity_x"].item() == pytest.approx(math.log(4), abs=0.02)
    assert found["identity_u"].item() == pytest.approx(math.log(4), abs=0.02)
    assert found["dispeller"].item() == pytest.approx(0, abs=1e-3)


def test_the_terms_by_hand():
    # Two rows a light, two codes long, with what the heads put out given: the sums over lights of means over rows.
    method = made(persons=2, additive_weight=0.5, dispeller_weight=3.0)
    out = {
        "X": (torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0], [0.0, 0.0]]), torch.zeros(4, 2)),
        "U": (
            torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]),
            torch.log(torch.tensor([3.0, 1.0])).expand(4, 2),
        ),
        "rgb": (torch.zeros(2, 2), torch.log(torch.tensor([[3.0, 1.0], [1.0, 1.0]]))),
        "ir": (torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.zeros(2, 2)),
    }
    method.X, method.U = Told(out["X"]), Told(out["U"])
    method.V = torch.nn.ModuleDict({"rgb": Told(out["rgb"]), "ir": Told(out["ir"])})
    found = terms(method, batch(persons=2, crops=1))
    # u's answers 3:1 for person 0: right on two rows of four, log 4/3 and log 4 by turns.
    assert found["identity_x"].item() == pytest.approx(math.log(2))
    assert found["identity_u"].item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)
    # x - u - v: RGB (0 0) and (0 1), infrared (0 0) and (-2 0): means 1/2 and 2, halved by the weight.
    assert found["additive"].item() == pytest.approx(0.5 * (0.5 + 2))
    # KL of 3:1 is 1/2 log 4/3, on one of the two RGB rows; the infrared answers are uniform.
    assert found["dispeller"].item() == pytest.approx(3 * 0.5 * math.log(4 / 3) / 2, rel=1e-5)


class Told(torch.nn.Module):
    """A head that puts out what it was told."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def forward(self, features):
        assert len(features) == len(self.values[0])
        return self.values


GRADIENT_FLOW = {
    # term: which parts of the network its gradient reaches
    "identity_x": {"own.rgb": True, "own.ir": True, "X": True, "U": False, "V.rgb": False, "V.ir": False},
    "identity_u": {"own.rgb": True, "own.ir": True, "X": False, "U": True, "V.rgb": False, "V.ir": False},
    "additive": {"own.rgb": True, "own.ir": True, "X": True, "U": True, "V.rgb": True, "V.ir": True},
    "dispeller": {"own.rgb": True, "own.ir": True, "X": False, "U": False, "V.rgb": True, "V.ir": True},
}


@pytest.mark.parametrize("term", GRADIENT_FLOW)
def test_gradient_flow(term):
    method = made()
    terms(method, batch())[term].backward()
    parts = {
        "own.rgb": method.trunk.own["rgb"],
        "own.ir": method.trunk.own["ir"],
        "X": method.X.project,
        "U": method.U.project,
        "V.rgb": method.V["rgb"].project,
        "V.ir": method.V["ir"].project,
    }
    reached = {
        name: any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())
        for name, part in parts.items()
    }
    assert reached == GRADIENT_FLOW[term]


@pytest.mark.parametrize("code", ["u", "x"])
def test_the_search_uses_the_chosen_code(code):
    method, images = made(code=code).eval(), batch().ir
    head = {"u": method.U, "x": method.X}[code]
    with torch.inference_mode():
        expected, _ = head(method.pool(method.trunk.single(method._input(images), Modality.IR)))
        found = method.embed(images, Modality.IR)
    torch.testing.assert_close(found, expected / expected.norm(dim=1, keepdim=True))


def test_edges_and_strips():
    method = made(edges=True, strips=2).eval()
    assert method.U.project.weight.shape == (12, 2 * 64)
    images = batch().rgb
    with torch.inference_mode():
        one, negative = (method.embed(seen, Modality.RGB) for seen in (images, 1 - images))
    torch.testing.assert_close(one, negative, atol=1e-4, rtol=0)


def test_published_settings_of_the_recipe():
    # METHODS section 5: as the 512-d frame (288 x 144, 32 persons x 1 crop, SGD), at a constant 0.01 for 301 epochs.
    recipe = read_recipe(RECIPES / "sysu_mm01.yaml")
    assert (recipe.image.height, recipe.image.width, recipe.data.split) == (288, 144, "trainval")
    assert (recipe.batch.persons, recipe.batch.crops, recipe.batch.steps_per_epoch) == (32, 1, None)
    model = recipe.optimisers["model"]
    assert (model.kind, model.learning_rate, model.momentum, model.weight_decay) == ("sgd", 0.01, 0.9, 5e-4)
    assert model.groups == {"trunk": 0.1}
    assert recipe.schedule.epochs == 301
    assert [learning_rate_factor(recipe.schedule, 7 * epoch, 7) for epoch in (0, 60, 300)] == [1, 1, 1]
    settings = SdlSettings.model_validate(recipe.settings)
    assert (settings.trunk, settings.weights, settings.share_from) == ("resnet50", "imagenet", "head")
    assert (settings.embedding, settings.strips, settings.additive_weight, settings.code) == (512, 1, 1e-4, "u")
