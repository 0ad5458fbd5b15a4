"""The stage from a recipe to a run: train a method, select on validation persons, leave a model behind.

A run's folder holds recipe.yaml (as it was run), log.csv and tensorboard/ (every loss term by name), last.ckpt (to go
on from), model.safetensors and model.json (the selected weights), and run.json (the record, written when it is done).
Killed at any moment and started again, a run ends with the same weights as without the kill: every batch and every
random number is a function of the seed and the step, and an epoch begins from the last finished one's checkpoint.
"""

from __future__ import annotations

import logging
import math
import pickle
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import RichProgressBar

from tapetum.base_run import read_base
from tapetum.core import Dataset, Modality
from tapetum.errors import DataError, OutputError, RecipeError, RunError
from tapetum.evaluation.spread import COLLAPSED, spread
from tapetum.methods.method import Generative, Method, MethodSettings, Pictures, find_method, reconstruct
from tapetum.model_file import read_description, save_model
from tapetum.recipe import Recipe, on_vectors, validate
from tapetum.run_folder import BASE_VECTORS, CHECKPOINT, PIXELS, begin, finish, is_begun, read_record
from tapetum.selection import validation_scores
from tapetum.training_data import training_data
from tapetum.training_log import TrainingLog
from tapetum.training_loop import Loop

_LEARNT_LOOKED_AT = 1000  # crops, when there are no validation persons to look at
_LOG = logging.getLogger(__name__)


def train(
    recipe: Recipe,
    dataset: Dataset,
    output: Path,
    *,
    workers: int = 1,
    devices: int | None = None,
    start: Path | None = None,
) -> Path:
    """Train `recipe` on `dataset` and leave a run in the folder `output`; returns that folder.

    A finished run of the same recipe and data is left as it is; an unfinished one goes on from its last epoch.
    workers: processes that decode and augment (0: none). devices: how many to train on; None: every GPU, or one CPU.
    start: the run that the method goes on from, whose model is frozen and becomes part of this run's.
    Raises RunError when `output` holds another recipe's run, RecipeError and DataError for what cannot be trained.
    """
    dataset = dataset.without("test")
    base = None if start is None else read_base(start)
    if base is not None:
        recipe = on_vectors(recipe, base.description.height, base.description.width)
    origin = None if base is None else base.origin
    if is_begun(output, recipe, dataset, origin) and read_record(output)["finished"]:
        return output
    torch.manual_seed(recipe.seed)
    method = build_method(recipe, _number_of_persons(recipe, dataset))
    _try_painting(method, recipe)
    data = training_data(method, recipe, dataset, base, output, workers)
    epoch_end = _EpochEnd(Loop(method, recipe, data), dataset, output, origin)
    if recipe.schedule.epochs == 0:
        begin(output, recipe, dataset, origin)
        epoch_end.keep(0, {})
        epoch_end.finish()
        return output
    trainer = _trainer(recipe, devices, epoch_end)
    checkpoint = _readable(output / CHECKPOINT)
    try:
        trainer.fit(epoch_end.loop, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as stop:  # Lightning turns Ctrl-C into an exit of its own
        if trainer.interrupted:
            raise KeyboardInterrupt from stop
        raise
    if trainer.is_global_zero:
        epoch_end.finish()
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
            f" the recipe names {', '.join(sorted(given)) or 'none'}. Give each player one optimiser;"
            " --set optimisers.NAME=null strikes one that is too many."
        )
    return method


def _try_painting(method: Method, recipe: Recipe) -> None:
    """Raise the method's RecipeError for a picture size that it cannot paint, before anything is written."""
    if isinstance(method, Generative):
        blank = torch.zeros(1, 3, recipe.image.height, recipe.image.width)
        method.eval()
        with torch.no_grad():
            reconstruct(method, Pictures(blank, Modality.RGB))
        method.train()


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


class _EpochEnd(pl.Callback):
    """After an epoch: look at the validation persons, keep the best weights, write the checkpoint to go on from."""

    def __init__(self, loop: Loop, dataset: Dataset, output: Path, origin: Mapping[str, str] | None) -> None:
        self.loop, self.recipe, self.dataset, self.output = loop, loop.recipe, dataset, output
        self.origin = origin
        self.best: dict[str, float] = {}
        self.record: TrainingLog | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            begin(self.output, self.recipe, self.dataset, self.origin)
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
                self._say_if_collapsed(self._spread_of_learnt())
            return
        if not last and epoch % look.every:
            return
        scores = validation_scores(
            self.loop.data.embedded(self.dataset.rows("val")), self.dataset, look.trials, self.recipe.seed
        )
        step = epoch * self.loop.steps_per_epoch - 1
        log.add(step, epoch - 1, {f"val/{name}": value for name, value in scores.items()})
        if scores["mAP"] > self.best.get("mAP", -1.0):
            self.keep(epoch, scores)
        if last:
            self._say_if_collapsed(scores["spread"])

    def _spread_of_learnt(self) -> float:
        """For a method on vectors, which are at hand; pictures would have to be read once more."""
        if self.origin is None:
            return math.inf
        learnt = self.dataset.rows(self.recipe.data.split)
        rows = learnt[:: -(-len(learnt) // _LEARNT_LOOKED_AT)]
        return spread(self.loop.data.embedded(rows), [self.dataset.crops[row].modality for row in rows])

    def _say_if_collapsed(self, found: float) -> None:
        if found < COLLAPSED:
            _LOG.warning(
                "%s: training has collapsed: at its end, all vectors of one light are nearly one point (spread %.3f)."
                " The kept weights are those of epoch %d",
                self.output,
                found,
                self.best["epoch"],
            )

    def keep(self, epoch: int, scores: Mapping[str, float]) -> None:
        """Make the weights as they are now, after `epoch` epochs, the run's model."""
        self.best = {"epoch": epoch, **scores}
        facts = {
            "method": self.recipe.method,
            # In full, so that a default that changes one day does not change this model.
            "settings": find_method(self.recipe.method).Settings(**self.recipe.settings).model_dump(mode="json"),
            "persons": len(self.dataset.persons(self.recipe.data.split)),
            **self.recipe.image.model_dump(),
            **self.loop.data.facts,
        }
        save_model(self.output, self.loop.data.model, facts)

    def finish(self) -> None:
        """Say in the record that the run is done, and remove what only training needed."""
        finish(self.output, self.best, read_description(self.output).fingerprint)
        shutil.rmtree(self.output / PIXELS, ignore_errors=True)
        (self.output / BASE_VECTORS).unlink(missing_ok=True)


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
