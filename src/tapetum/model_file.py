"""A trained model on disk: `model.safetensors` (weights) and `model.json` (what they are the weights of).

The fingerprint, a hash over both, travels with every embedding, so that vectors of different models never meet.
"""

from __future__ import annotations

import hashlib
import json
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from tapetum.chained import Chained
from tapetum.errors import InputError, RunError
from tapetum.methods.method import Embedder, find_method
from tapetum.outputs import atomic_file, write_json

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class ModelDescription:
    """What a file of weights belongs to.

    method, settings, persons: how to build the networks. height, width: the image size in pixels.
    fingerprint: 16 hexadecimal digits over weights and all the rest.
    base: of the run that it goes on from (`tapetum train --from`), whose weights are in the same file; None: of none.
    """

    method: str
    settings: dict[str, Any]
    persons: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    fingerprint: str
    base: ModelDescription | None = None


def save_model(folder: Path, model: Embedder, description: dict[str, Any]) -> str:
    """Write weights and description into `folder`, atomically; returns the fingerprint.

    description: method, settings, persons, height, width, and base where there is one. The weights go first, so that a
    description always has weights to describe; a reader that finds them apart refuses them by the fingerprint.
    """
    weights = {name: value.detach().contiguous().cpu() for name, value in model.state_dict().items()}
    with atomic_file(folder / WEIGHTS) as temporary:
        temporary.write_bytes(save(weights))
        fingerprint = _fingerprint(temporary, description)
    write_json(folder / DESCRIPTION, {**description, "fingerprint": fingerprint})
    return fingerprint


def read_description(folder: Path) -> ModelDescription:
    """What the model of a run is. Raises RunError when the folder holds no finished model."""
    path = folder / DESCRIPTION
    if not path.is_file():
        raise RunError(f"{folder} holds no {DESCRIPTION}. Give the folder of a run that `tapetum train` has finished.")
    try:
        return TypeAdapter(ModelDescription).validate_json(path.read_bytes())
    except ValueError as error:  # no JSON, no table of names, or names and values that do not belong
        raise RunError(f"{path} is not the description of a model. Train again, or restore the file.") from error


def load_model(folder: Path) -> tuple[Embedder, ModelDescription]:
    """Build a run's method (with the run's that it goes on from) and load its weights: evaluation mode, on the CPU.

    Raises RunError for weights that are missing, truncated, or of another method or settings.
    """
    description = read_description(folder)
    path = folder / WEIGHTS
    if not path.is_file():
        raise RunError(f"{path} does not exist. Train again, or restore the file.")
    facts = {name: value for name, value in asdict(description).items() if name != "fingerprint" and value is not None}
    if _fingerprint(path, facts) != description.fingerprint:
        raise RunError(
            f"{path} is not the file that {DESCRIPTION} beside it describes (fingerprint {description.fingerprint}):"
            " it was truncated or changed. Train again, or restore both files."
        )
    try:
        model = build(description)
        model.load_state_dict(load_file(path))
    except InputError as error:
        raise RunError(f"{folder / DESCRIPTION}: {error}") from error
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = textwrap.shorten(str(error).partition(":\n")[2] or str(error), 160, placeholder=" ...").rstrip(".")
        raise RunError(
            f"{path} does not hold the weights of this '{description.method}': {reason}."
            " Train again, or restore both files."
        ) from error
    return model.eval(), description


def build(description: ModelDescription) -> Embedder:
    """A model with the settings of `description`, its networks untrained. Raises InputError for unknown settings."""
    kind = find_method(description.method)
    # The file of weights replaces every value, so nothing is fetched to begin from.
    files = ("weights", "structure_weights", "teacher_weights")
    begin = {name: "none" for name in files if name in kind.Settings.model_fields}
    try:
        settings = kind.Settings.model_validate({**description.settings, **begin})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise RunError(
            f"the setting '{name}' does not fit this '{description.method}': {first['msg']}."
            " Take the version of Tapetum that trained it, or train again."
        ) from error
    method = kind(settings, description.persons)
    if (method.vector_length is None) != (description.base is None):
        raise RunError(
            f"a '{description.method}' goes on from {'no' if description.base else 'a'} run. Train it again."
        )
    return method if description.base is None else Chained(build(description.base), method)


def _fingerprint(weights: Path, description: dict[str, Any]) -> str:
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(json.dumps(description, sort_keys=True).encode())
    return digest.hexdigest()[:16]
