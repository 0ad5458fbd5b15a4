"""A recipe: everything that a training run sets, in one YAML file without inheritance."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tapetum.data.transforms import Augmentation
from tapetum.errors import RecipeError

_Model = TypeVar("_Model", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSettings(_Part):
    """Which crops are learnt from."""

    dataset: str = Field(description="name of a file in tapetum.data: sysu_mm01, regdb, llcm, folder ...")
    root: Path | None = Field(None, description="where the dataset lies; usually given with --root")
    split: str = Field("train", description="the persons learnt from; never 'test'")
    options: dict[str, int | str] = Field(default_factory=dict, description="what the reader takes: trial, fold ...")
    attributes: Path | None = Field(None, description="table of what persons wear and carry, from the root on")
    cache: bool = Field(False, description="decode each crop once, into a file that is removed when the run is done")

    @model_validator(mode="after")
    def _never_the_test_split(self) -> DataSettings:
        if self.split in ("test", "query", "gallery"):
            raise ValueError(f"split '{self.split}' is for `tapetum evaluate` alone; train on 'train' or 'trainval'")
        return self


class ImageSettings(_Part):
    """The size, in pixels, that every crop is brought to."""

    height: int = Field(288, ge=16, le=2048)
    width: int = Field(144, ge=16, le=2048)


class BatchSettings(_Part):
    """P persons x K crops of each modality per step."""

    persons: int = Field(8, ge=2)
    crops: int = Field(4, ge=1)
    steps_per_epoch: int | None = Field(None, ge=1, description="None: as many as cover the larger modality once")


class OptimiserSettings(_Part):
    """How one player's weights move."""

    kind: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float = Field(0.1, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD's Nesterov momentum; Adam's first beta")
    second_momentum: float = Field(0.999, ge=0, lt=1, description="Adam's second beta")
    weight_decay: float = Field(5e-4, ge=0)
    groups: dict[str, float] = Field(
        default_factory=dict,
        description="prefix of a parameter's name inside the player -> factor on its learning rate; longest wins",
    )
    clip_norm: float | None = Field(None, gt=0, description="largest norm of the player's gradient")


class ScheduleSettings(_Part):
    """How long, and how the learning rate goes."""

    epochs: int = Field(60, ge=0, description="0: the first weights are the model, to see what they give untrained")
    warmup_epochs: float = Field(10, ge=0, description="the rate rises linearly from a hundredth over these epochs")
    shape: Literal["steps", "cosine"] = "steps"
    steps: dict[int, float] = Field(
        default_factory=dict, description="epoch -> factor on the first rate from there on (shape: steps)"
    )


class ValidationSettings(_Part):
    """Selection on validation persons: the weights with the best mAP on them are the run's model."""

    every: int = Field(5, ge=1, description="epochs between two looks at the validation persons")
    trials: int = Field(5, ge=1, description="gallery draws averaged at each look")


class Recipe(_Part):
    """What a run sets. `method` names a file of tapetum.methods; `settings` are that method's own."""

    method: str
    settings: dict[str, Any] = Field(default_factory=dict)
    data: DataSettings
    image: ImageSettings = ImageSettings()
    batch: BatchSettings = BatchSettings()
    augmentation: Augmentation = Augmentation()
    optimisers: dict[str, OptimiserSettings]
    schedule: ScheduleSettings = ScheduleSettings()
    validation: ValidationSettings | None = Field(
        ValidationSettings(), description="null: no selection, the last weights are the model"
    )
    seed: int = Field(0, ge=0)
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 where the device computes with it, float32 elsewhere"
    )

    @field_validator("optimisers", mode="before")
    @classmethod
    def _without_null(cls, given: Any) -> Any:
        """A player that the settings leave out is struck from a recipe with `--set optimisers.NAME=null`."""
        return {name: one for name, one in given.items() if one is not None} if isinstance(given, dict) else given


def on_vectors(recipe: Recipe, height: int, width: int) -> Recipe:
    """The recipe of a method that goes on from a run: pictures as that run reads them (height x width), unaugmented.

    Raises RecipeError where the recipe wants them otherwise.
    """
    fixed = {
        "image": ImageSettings(height=height, width=width),
        "augmentation": Augmentation(padding=0, flip=0.0, erasing=0.0),
    }
    for name, value in fixed.items():
        if name in recipe.model_fields_set and getattr(recipe, name) != value:
            raise RecipeError(
                f"{name}: '{recipe.method}' learns from vectors that another run makes, at its image size"
                f" ({height} x {width}) and without augmentation. Remove '{name}' from the recipe."
            )
    return recipe.model_copy(update=fixed)


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply `changes` of the form "a.b=c" (the value is YAML).

    Raises RecipeError naming the file, the dotted path of the first wrong entry and the remedy.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise RecipeError(f"{path} {what}. Give the path of a recipe; recipes/ holds one per method and dataset.")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not YAML: {' '.join(str(error).split())}. Mend the file.") from error
    if not isinstance(raw, dict):
        raise RecipeError(f"{path} holds no settings. Start from one of the files in recipes/.")
    for change in changes:
        _apply(raw, change)
    return validate(Recipe, raw, str(path))


def validate(model: type[_Model], raw: Mapping[str, Any], where: str) -> _Model:
    """`raw` as a `model`. Raises RecipeError: file, dotted path, what was given and what was expected."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "the whole"
        if first["type"] == "extra_forbidden":
            raise RecipeError(f"{where}: unknown setting '{name}'. {_nearest(model, first['loc'])}") from error
        if first["type"] == "missing":
            raise RecipeError(f"{where}: '{name}' is missing. Add it, or pass --set {name}=VALUE.") from error
        reason = first["msg"].removeprefix("Value error, ")
        given = "" if isinstance(first["input"], dict) else f" = {first['input']!r}"
        raise RecipeError(f"{where}: {name}{given}: {reason}.") from error


def _apply(raw: dict[str, Any], change: str) -> None:
    name, separator, value = change.partition("=")
    if not separator or not name:
        raise RecipeError(f"--set {change}: expected NAME=VALUE, such as --set schedule.epochs=10.")
    *outer, last = name.split(".")
    place = raw
    for part in outer:
        if place.get(part) is None:  # missing, or switched off with null
            place[part] = {}
        inner = place[part]
        if not isinstance(inner, dict):
            raise RecipeError(f"--set {change}: '{part}' has no settings inside it.")
        place = inner
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {change}: the value is not YAML.") from error


def _nearest(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    inner: Any = model
    for part in location[:-1]:
        field = inner.model_fields.get(str(part)) if hasattr(inner, "model_fields") else None
        inner = field.annotation if field is not None else None
    fields = sorted(getattr(inner, "model_fields", {}))
    near = difflib.get_close_matches(str(location[-1]), fields, n=1)
    guess = f"Did you mean '{near[0]}'? " if near else ""
    return f"{guess}Known here: {', '.join(fields)}." if fields else "Remove it."
