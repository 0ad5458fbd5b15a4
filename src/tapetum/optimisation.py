"""Optimisers with parameter groups of their own learning rate, and the learning rate as a function of the step."""

from __future__ import annotations

import bisect
import math

import torch
from torch import nn

from tapetum.errors import RecipeError
from tapetum.recipe import OptimiserSettings, ScheduleSettings


def build_optimiser(player: nn.Module, settings: OptimiserSettings) -> torch.optim.Optimizer:
    """An optimiser over a player's parameters, one group per learning rate.

    Each group keeps its first rate as `base_learning_rate`; `set_learning_rate` scales it.
    Raises RecipeError when a prefix of `settings.groups` matches no parameter.
    """
    members: dict[float, list[nn.Parameter]] = {}
    used = set()
    for name, parameter in player.named_parameters():
        prefix = max((p for p in settings.groups if name == p or name.startswith(f"{p}.")), key=len, default=None)
        used.add(prefix)
        factor = 1.0 if prefix is None else settings.groups[prefix]
        members.setdefault(factor, []).append(parameter)
    for prefix in settings.groups:
        if prefix not in used:
            parts = ", ".join(name for name, _ in player.named_children())
            raise RecipeError(
                f"optimisers: groups: no parameter's name begins with '{prefix}'. The parts are: {parts}."
            )
    groups = [
        {
            "params": parameters,
            "lr": settings.learning_rate * factor,
            "base_learning_rate": settings.learning_rate * factor,
        }
        for factor, parameters in members.items()
    ]
    if settings.kind == "sgd":
        nesterov = settings.momentum > 0
        return torch.optim.SGD(
            groups, momentum=settings.momentum, weight_decay=settings.weight_decay, nesterov=nesterov
        )
    kind = torch.optim.Adam if settings.kind == "adam" else torch.optim.AdamW
    return kind(groups, betas=(settings.momentum, settings.second_momentum), weight_decay=settings.weight_decay)


def learning_rate_factor(schedule: ScheduleSettings, step: int, steps_per_epoch: int) -> float:
    """What the first learning rates are multiplied with at a step (0-based): a linear warm-up from 1/100, then

    steps: the factor of the last milestone that was reached (1 before the first);
    cosine: half a cosine from 1 at the end of the warm-up to 0 at the end of training.
    """
    epoch = step / steps_per_epoch
    if epoch < schedule.warmup_epochs:
        return 0.01 + 0.99 * epoch / schedule.warmup_epochs
    if schedule.shape == "steps":
        milestones = sorted(schedule.steps)
        reached = bisect.bisect_right(milestones, epoch)
        return schedule.steps[milestones[reached - 1]] if reached else 1.0
    done = (epoch - schedule.warmup_epochs) / max(schedule.epochs - schedule.warmup_epochs, 1e-12)
    return 0.5 * (1 + math.cos(math.pi * done))


def set_learning_rate(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's learning rate to `factor` times the rate that it began with."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_learning_rate"] * factor
