"""Run by test_training.py in processes of its own: train a two-player toy method on one or two devices.

    python toy_training.py DATASET OUTPUT DEVICES

Two linear players without batch norm: a mean over persons, so that two devices with P persons each take the very step
that one device with 2 P persons takes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tapetum.core import Batch, Modality
from tapetum.data.sysu_mm01 import read
from tapetum.methods.method import Method, MethodSettings, Progress, Terms
from tapetum.recipe import Recipe
from tapetum.training import train


class Toy(Method):
    """A critic that tells RGB codes from infrared ones, and an encoder that learns to look alike to it."""

    Settings = MethodSettings

    def __init__(self, settings: MethodSettings, persons: int) -> None:
        super().__init__(settings, persons)
        self.encoder = nn.Linear(3 * 8 * 4, 6)
        self.critic = nn.Linear(6, 1)
        self.follower = nn.Parameter(torch.zeros(6, 96), requires_grad=False)

    def players(self) -> dict[str, nn.Module]:
        return {"critic": self.critic, "encoder": self.encoder}

    def step(self, batch: Batch, progress: Progress) -> Iterator[tuple[str, Terms]]:
        rgb, ir = self._code(batch.rgb), self._code(batch.ir)
        apart = F.softplus(-self.critic(rgb.detach())).mean() + F.softplus(self.critic(ir.detach())).mean()
        yield "critic", {"apart": apart}
        before = self.encoder.weight.detach().clone()
        alike = F.softplus(-self.critic(ir)).mean()
        yield "encoder", {"alike": alike, "same": 0.5 * (rgb - ir).square().mean()}
        if torch.equal(before, self.encoder.weight):
            raise RuntimeError("the code after a yield must see the moved weights")
        self.follower.lerp_(self.encoder.weight.detach(), 0.5)

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        return F.normalize(self._code(images))

    def _code(self, images: Tensor) -> Tensor:
        return self.encoder(F.adaptive_avg_pool2d(images, (8, 4)).flatten(1))


def recipe(devices: int) -> Recipe:
    """4 persons a step in all, nothing drawn at random but the persons and crops."""
    still = {"padding": 0, "flip": 0.0, "erasing": 0.0}
    rate = {"kind": "sgd", "learning_rate": 0.05, "clip_norm": 1.0}
    return Recipe.model_validate(
        {
            "method": "toy",
            "data": {"dataset": "sysu_mm01"},
            "image": {"height": 32, "width": 16},
            "batch": {"persons": 4 // devices, "crops": 2, "steps_per_epoch": 3},
            "augmentation": still,
            "optimisers": {"critic": rate, "encoder": rate},
            "schedule": {"epochs": 2, "warmup_epochs": 0},
            "validation": {"every": 1},
        }
    )


if __name__ == "__main__":
    with mock.patch("tapetum.training.find_method", lambda name: Toy):
        devices = int(sys.argv[3])
        train(recipe(devices), read(Path(sys.argv[1])), Path(sys.argv[2]), workers=0, devices=devices)
