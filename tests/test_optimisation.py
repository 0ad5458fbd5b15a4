"""Learning rates: groups of their own, and a schedule that is a function of the step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tapetum.errors import RecipeError
from tapetum.optimisation import build_optimiser, learning_rate_factor, set_learning_rate
from tapetum.recipe import OptimiserSettings, ScheduleSettings


def player() -> nn.Module:
    return nn.ModuleDict({"trunk": nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)), "neck": nn.Linear(4, 5)})


def rates(optimiser: torch.optim.Optimizer) -> dict[float, int]:
    return {group["lr"]: sum(p.numel() for p in group["params"]) for group in optimiser.param_groups}


def test_the_longest_prefix_gives_the_rate():
    settings = OptimiserSettings(learning_rate=0.1, groups={"trunk": 0.1, "trunk.1": 0.5})
    # trunk.0: 2*3+3 = 9 parameters; trunk.1: 3*4+4 = 16; neck: 4*5+5 = 25.
    assert sorted(rates(build_optimiser(player(), settings)).items()) == [(0.1 * 0.1, 9), (0.05, 16), (0.1, 25)]


def test_a_group_that_matches_nothing_is_an_error():
    with pytest.raises(RecipeError, match="begins with 'trnk'. The parts are: trunk, neck"):
        build_optimiser(player(), OptimiserSettings(groups={"trnk": 0.1}))


@pytest.mark.parametrize(
    ("kind", "cls"), [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_kinds(kind, cls):
    optimiser = build_optimiser(player(), OptimiserSettings(kind=kind, weight_decay=0.25))
    assert type(optimiser) is cls
    assert optimiser.param_groups[0]["weight_decay"] == 0.25


def test_setting_the_rate_scales_every_group():
    optimiser = build_optimiser(player(), OptimiserSettings(learning_rate=0.1, groups={"trunk": 0.1}))
    for factor in (0.5, 0.1):
        set_learning_rate(optimiser, factor)
        assert sorted(rates(optimiser)) == pytest.approx([0.01 * factor, 0.1 * factor])


def test_warm_up_then_steps_by_hand():
    # 4 steps an epoch, 2 epochs of warm-up: 0.01 + 0.99 * epoch / 2; then 1, 0.1 from epoch 3, 0.01 from epoch 5.
    schedule = ScheduleSettings(epochs=6, warmup_epochs=2, steps={5: 0.01, 3: 0.1})
    found = [learning_rate_factor(schedule, step, 4) for step in (0, 4, 8, 11, 12, 19, 20, 23)]
    assert found == pytest.approx([0.01, 0.505, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_by_hand():
    # One epoch of warm-up, then half a cosine over the other 4 epochs: at epoch 3 half of it is done.
    schedule = ScheduleSettings(epochs=5, warmup_epochs=1, shape="cosine")
    found = [learning_rate_factor(schedule, step, 10) for step in (10, 20, 30, 50)]
    assert found == pytest.approx([1.0, (1 + 2**-0.5) / 2, 0.5, 0.0], abs=1e-12)


def test_no_warm_up_starts_at_the_full_rate():
    assert learning_rate_factor(ScheduleSettings(epochs=2, warmup_epochs=0), 0, 5) == 1.0
