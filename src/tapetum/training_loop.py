"""The training loop: for each (player, terms) that a method yields, that player's weights move once.

It never looks inside a method. Everything random in a step comes from one number made of seed, step and device.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch

from tapetum.core import Batch
from tapetum.data.loading import TrainingLoader
from tapetum.data.sampling import Share
from tapetum.data.vector_loading import VectorLoader
from tapetum.errors import RecipeError
from tapetum.methods.method import Method, Progress, Terms
from tapetum.optimisation import build_optimiser, learning_rate_factor, set_learning_rate
from tapetum.recipe import Recipe
from tapetum.training_data import TrainingData
from tapetum.training_log import TrainingLog

_LOG_EVERY = 10


class Loop(pl.LightningModule):
    """One pass of the loop per batch: for each (player, terms) that the method yields, that player moves once."""

    automatic_optimization = False

    def __init__(self, method: Method, recipe: Recipe, data: TrainingData) -> None:
        super().__init__()
        self.method, self.recipe, self.data = method, recipe, data
        self.log_file: TrainingLog | None = None
        self.steps_per_epoch = 0  # known once the loader is made
        self._loader: TrainingLoader | VectorLoader | None = None
        self._sums: dict[str, torch.Tensor] = {}
        self._counts: dict[str, int] = defaultdict(int)

    def train_dataloader(self) -> TrainingLoader | VectorLoader:
        """Batches for this device; asked for once Lightning knows the devices, so that each gets a share of persons."""
        share = Share(self.global_rank, self.trainer.world_size)
        self._loader = self.data.loader(share, self.trainer.strategy.root_device)
        self.steps_per_epoch = len(self._loader)
        return self._loader

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Nothing to do: the loader has put it there."""
        return batch

    def on_train_epoch_start(self) -> None:
        """Draw this epoch's batches."""
        if self._loader is not None:
            self._loader.set_epoch(self.current_epoch)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """One optimiser for each player, in the players' order."""
        players = self.method.players()
        return [build_optimiser(players[name], self.recipe.optimisers[name]) for name in players]

    def training_step(self, batch: Batch, index: int) -> None:
        """All that the method yields for one batch."""
        step = self.current_epoch * self.steps_per_epoch + index
        torch.manual_seed(_step_seed(self.recipe.seed, step, self.global_rank))
        factor = learning_rate_factor(self.recipe.schedule, step, self.steps_per_epoch)
        optimisers = self.optimizers()
        by_name = dict(
            zip(self.method.players(), optimisers if isinstance(optimisers, list) else [optimisers], strict=True)
        )
        total = self.recipe.schedule.epochs * self.steps_per_epoch
        for player, terms in self.method.step(batch, Progress(step, total)):
            self._move(player, by_name[player], terms, factor)
        if (index + 1) % _LOG_EVERY == 0 or index + 1 == self.steps_per_epoch:
            rates = {f"learning_rate/{name}": o.param_groups[0]["lr"] for name, o in by_name.items()}
            watched = {f"watched/{name}": float(value) for name, value in self.method.watched().items()}
            self._write(step, {**rates, **watched})

    def _move(self, player: str, optimiser: Any, terms: Terms, factor: float) -> None:
        loss = torch.stack([term.float() for term in terms.values()]).sum()
        set_learning_rate(optimiser, factor)
        self.toggle_optimizer(optimiser)
        optimiser.zero_grad()
        self.manual_backward(loss)
        clip = self.recipe.optimisers[player].clip_norm
        if clip is not None:
            self.clip_gradients(optimiser, gradient_clip_val=clip, gradient_clip_algorithm="norm")
        optimiser.step()
        self.untoggle_optimizer(optimiser)
        for name, term in (("total", loss), *terms.items()):
            key = f"{player}/{name}"
            self._sums[key] = self._sums.get(key, torch.zeros((), device=term.device)) + term.detach().float()
            self._counts[key] += 1

    def _write(self, step: int, also: Mapping[str, float]) -> None:
        values = {name: float(value) / self._counts[name] for name, value in self._sums.items()}
        self._sums.clear()
        self._counts.clear()
        for name, value in values.items():
            if not math.isfinite(value):
                raise RecipeError(
                    f"the loss {name} is {value} at step {step}."
                    " Lower the learning rate, lengthen the warm-up or set clip_norm."
                )
        self.log("loss", sum(v for name, v in values.items() if name.endswith("/total")), prog_bar=True)
        if self.log_file is not None:
            self.log_file.add(step, self.current_epoch, {**values, **also})


def _step_seed(seed: int, step: int, rank: int) -> int:
    """One number for everything drawn at random in a step, so that resuming needs no saved generator."""
    digest = hashlib.blake2b(f"{seed}/{step}/{rank}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
