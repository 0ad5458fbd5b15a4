"""A recipe that learns the tiny dataset of conftest.py in seconds."""

from __future__ import annotations

from typing import Any

from tapetum.recipe import Recipe

TINY: dict[str, Any] = {
    "method": "two_stream",
    "settings": {
        "trunk": "resnet10",
        "weights": "none",
        "width": 8,
        "strips": 2,
        "embedding": 32,
        "metric": "batch_hard",
        "margin": None,
        "pooling": "average",
    },
    "data": {"dataset": "sysu_mm01"},
    "image": {"height": 32, "width": 16},
    "batch": {"persons": 4, "crops": 2, "steps_per_epoch": 12},
    "augmentation": {"padding": 1},
    "optimisers": {"model": {"kind": "adamw", "learning_rate": 0.003}},
    "schedule": {"epochs": 4, "warmup_epochs": 1, "shape": "cosine"},
    "validation": {"every": 2, "trials": 2},
}


def tiny_recipe(**changes: Any) -> Recipe:
    """The recipe, with some of its parts replaced."""
    return Recipe.model_validate({**TINY, **changes})
