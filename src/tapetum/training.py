"""The stage from a recipe to a run: train a method, select on validation persons, leave a model behind.

A run's folder holds recipe.yaml (as it was run), log.csv and tensorboard/ (every loss term by name), last.ckpt (to go
on from), model.safetensors and model.json (the selected weights), and run.json (the record, written when it is done).
Killed at any moment and started again, a run ends with the same weights as without the kill: every batch and every
random number is a function of the seed and the step, and an epoch begins from the last finished one's checkpoint.
"""

from __future__ import annotations

import hashlib
import logging
import math
import pickle
import shutil
import warnings
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import RichProgressBar

from tapetum.core import Batch, Dataset
from tapetum.data.loading import Loading, TrainingLoader, training_loader
from tapetum.data.sampling import BatchShape, Share
from tapetum.errors import DataError, OutputError, RecipeError, RunError
from tapetum.methods.method import Method, MethodSettings, Progress, Terms, find_method
from tapetum.model_file import read_description, save_model
from tapetum.optimisation import build_optimiser, learning_rate_factor, set_learning_rate
from tapetum.recipe import Recipe, validate
from tapetum.run_folder import CHECKPOINT, PIXELS, begin, finish, is_begun, read_record
from tapetum.selection import validation_scores
from tapetum.training_log import TrainingLog

_LOG_EVERY = 10


def train(recipe: Recipe, dataset: Dataset, output: Path, *, workers: int = 1, devices: int | None = None) -> Path:
    """Train `recipe` on `dataset` and leave a run in the folder `output`; returns that folder.

    A finished run of the same recipe and data is left as it is; an unfinished one goes on from its last epoch.
    workers: processes that decode and augment (0: none). devices: how many to train on; None: every GPU, or one CPU.
    Raises RunError when `output` holds another recipe's run, RecipeError and DataError for what cannot be trained.
    """
    dataset = dataset.without("test")
    if is_begun(output, recipe, dataset) and read_record(output)["finished"]:
        return output
    torch.manual_seed(recipe.seed)
    method = build_method(recipe, _number_of_persons(recipe, dataset))
    pixels = output / PIXELS
    loop = _Loop(method, recipe, dataset, workers, pixels if recipe.data.cache else None)
    epoch_end = _EpochEnd(loop, dataset, output)
    if recipe.schedule.epochs == 0:
        begin(output, recipe, dataset)
        epoch_end.keep(0, {})
        finish(output, epoch_end.best, read_description(output).fingerprint)
        return output
    trainer = _trainer(recipe, devices, epoch_end)
    checkpoint = _readable(output / CHECKPOINT)
    try:
        trainer.fit(loop, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as stop:  # Lightning turns Ctrl-C into an exit of its own
        if trainer.interrupted:
            raise KeyboardInterrupt from stop
        raise
    if trainer.is_global_zero:
        finish(output, epoch_end.best, read_description(output).fingerprint)
        shutil.rmtree(pixels, ignore_errors=True)
    return output


def _number_of_persons(recipe: Recipe, dataset: Dataset) -> int:
    """How many persons are learnt. Raises DataError for none, RecipeError where there is nobody to select on."""
    if recipe.validation is not None and not dataset.splits.get("val"):
        raise RecipeError(
            f"{dataset.root} has no validation persons to select on. Set some aside (--set data.options.val_persons=20"
            " where the reader knows it), or keep the last weights (--set validation=null)."
        )
    persons = len(dataset.persons(recipe.data.split))
    if persons == 0:
        raise DataError(
            f"split '{recipe.data.split}' of {dataset.root} has no persons to learn. Train on another split."
        )
    return persons


def _readable(checkpoint: Path) -> Path | None:
    """The checkpoint to go on from; None where there is none. Raises RunError for a damaged one."""
    if not checkpoint.is_file():
        return None
    try:
        torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise RunError(f"{checkpoint} is damaged. Remove it to begin the run again, or restore it.") from error
    return checkpoint


def build_method(recipe: Recipe, persons: int) -> Method:
    """The recipe's method with its checked settings. Raises RecipeError for an unknown method, setting or player."""
    kind = find_method(recipe.method)
    settings: MethodSettings = validate(kind.Settings, recipe.settings, "settings")
    method = kind(settings, persons)
    players, given = set(method.players()), set(recipe.optimisers)
    if players != given:
        raise RecipeError(
            f"optimisers: '{recipe.method}' has the players {', '.join(sorted(players))};"
            f" the recipe names {', '.join(sorted(given)) or 'none'}. Give each player one optimiser."
        )
    return method


def arithmetic(precision: str) -> Literal["32-true", "bf16-mixed"]:
    """Lightning's name for a recipe's precision; "auto" is bfloat16 where the device computes with it."""
    if precision == "auto":
        if torch.cuda.is_available():
            able = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
            able = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("sve_bf16"))
        precision = "bfloat16" if able else "float32"
    return "bf16-mixed" if precision == "bfloat16" else "32-true"


class _Loop(pl.LightningModule):
    """One pass of the loop per batch: for each (player, terms) that the method yields, that player moves once."""

    automatic_optimization = False

    def __init__(self, method: Method, recipe: Recipe, dataset: Dataset, workers: int, cache: Path | None) -> None:
        super().__init__()
        self.method, self.recipe = method, recipe
        self.log_file: TrainingLog | None = None
        self.steps_per_epoch = 0  # known once the loader is made
        self._dataset, self._workers, self._cache = dataset, workers, cache
        self._loader: TrainingLoader | None = None
        self._sums: dict[str, torch.Tensor] = {}
        self._counts: dict[str, int] = defaultdict(int)

    def train_dataloader(self) -> TrainingLoader:
        # Asked for once Lightning knows the devices, so that each one gets a share of the persons.
        batch, image = self.recipe.batch, self.recipe.image
        loading = Loading(
            size=(image.height, image.width),
            shape=BatchShape(batch.persons, batch.crops, batch.steps_per_epoch),
            augmentation=self.recipe.augmentation,
            workers=self._workers,
            cache=self._cache,
        )
        share = Share(self.global_rank, self.trainer.world_size)
        loader = training_loader(
            self._dataset, self.recipe.data.split, loading, self.recipe.seed, share, self.trainer.strategy.root_device
        )
        self.steps_per_epoch = len(loader)
        self._loader = loader
        return loader

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch  # the loader has put it there

    def on_train_epoch_start(self) -> None:
        if self._loader is not None:
            self._loader.set_epoch(self.current_epoch)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        players = self.method.players()
        return [build_optimiser(players[name], self.recipe.optimisers[name]) for name in players]

    def training_step(self, batch: Batch, index: int) -> None:
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
            self._write(step, {f"learning_rate/{name}": o.param_groups[0]["lr"] for name, o in by_name.items()})

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

    def _write(self, step: int, rates: Mapping[str, float]) -> None:
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
            self.log_file.add(step, self.current_epoch, {**values, **rates})


class _EpochEnd(pl.Callback):
    """After an epoch: look at the validation persons, keep the best weights, write the checkpoint to go on from."""

    def __init__(self, loop: _Loop, dataset: Dataset, output: Path) -> None:
        self.loop, self.recipe, self.dataset, self.output = loop, loop.recipe, dataset, output
        self.best: dict[str, float] = {}
        self.record: TrainingLog | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            begin(self.output, self.recipe, self.dataset)
            self.record = self.loop.log_file = TrainingLog(
                self.output, trainer.current_epoch * self.loop.steps_per_epoch
            )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.record is not None:
            self._select(self.record, trainer.current_epoch + 1)
        part = self.output / f".{CHECKPOINT}.part"
        try:
            trainer.save_checkpoint(part)
            if trainer.is_global_zero:
                part.replace(self.output / CHECKPOINT)
        except OSError as error:
            raise OutputError(
                f"cannot write {self.output / CHECKPOINT}: {error.strerror or error}. Free the disk and run the same"
                " command again: it goes on from the epoch before."
            ) from error

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.record is not None:
            self.record.close()

    def _select(self, log: TrainingLog, epoch: int) -> None:
        last = epoch == self.recipe.schedule.epochs
        look = self.recipe.validation
        if look is None:
            if last:
                self.keep(epoch, {})
            return
        if not last and epoch % look.every:
            return
        scores = validation_scores(self.loop.method, self.dataset, self.recipe.image, look.trials, self.recipe.seed)
        step = epoch * self.loop.steps_per_epoch - 1
        log.add(step, epoch - 1, {f"val/{name}": value for name, value in scores.items()})
        if scores["mAP"] > self.best.get("mAP", -1.0):
            self.keep(epoch, scores)

    def keep(self, epoch: int, scores: Mapping[str, float]) -> None:
        """Make the weights as they are now, after `epoch` epochs, the run's model."""
        self.best = {"epoch": epoch, **scores}
        facts = {
            "method": self.recipe.method,
            # In full, so that a default that changes one day does not change this model.
            "settings": find_method(self.recipe.method).Settings(**self.recipe.settings).model_dump(mode="json"),
            "persons": len(self.dataset.persons(self.recipe.data.split)),
            **self.recipe.image.model_dump(),
        }
        save_model(self.output, self.loop.method, facts)


def _trainer(recipe: Recipe, devices: int | None, epoch_end: _EpochEnd) -> pl.Trainer:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    on_gpu = torch.cuda.is_available()
    count = devices or (torch.cuda.device_count() if on_gpu else 1)
    return pl.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=count,
        strategy="ddp_find_unused_parameters_true" if count > 1 else "auto",
        precision=arithmetic(recipe.precision),
        max_epochs=recipe.schedule.epochs,
        callbacks=[RichProgressBar(), epoch_end],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )


def _step_seed(seed: int, step: int, rank: int) -> int:
    """One number for everything drawn at random in a step, so that resuming needs no saved generator."""
    digest = hashlib.blake2b(f"{seed}/{step}/{rank}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
