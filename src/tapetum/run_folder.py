"""A run's folder: recipe.yaml (as it was run), run.json (the record), and what training adds beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tapetum.core import Dataset
from tapetum.errors import OutputError, RunError
from tapetum.outputs import atomic_file, made_by, write_json
from tapetum.recipe import Recipe

RECIPE = "recipe.yaml"
RECORD = "run.json"
CHECKPOINT = "last.ckpt"
LOG = "log.csv"
EMBEDDINGS = "embeddings.parquet"
RESULTS = "results.json"
PIXELS = "pixels"


def is_begun(output: Path, recipe: Recipe, dataset: Dataset) -> bool:
    """Whether `output` holds a run of this recipe and data, finished or not; it may also be free or missing.

    Raises RunError for a run of another recipe or other data, OutputError for a folder of something else.
    """
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file. Give the folder of a run with --output.")
    if (output / RECIPE).is_file():
        same = read_run_recipe(output) == _plain(recipe)
        if not same or read_record(output)["data"] != data_fingerprint(dataset):
            what = "other data" if same else "another recipe"
            raise RunError(f"{output} holds a run of {what}. Give another --output, or remove that folder.")
        return True
    if output.exists() and {path.name for path in output.iterdir() if path.suffix != ".part"} - {RECORD, PIXELS}:
        raise OutputError(f"{output} exists, and is neither empty nor a run. Give another --output.")
    return False


def begin(output: Path, recipe: Recipe, dataset: Dataset) -> None:
    """Write recipe and record into a free folder; sweep what a killed write left in one that is begun."""
    for left_over in output.glob(".*.part"):
        left_over.unlink()
    if (output / RECIPE).is_file():
        return
    facts = {"seed": recipe.seed, "dataset": dataset.name, "title": dataset.title, "root": str(dataset.root.resolve())}
    write_json(output / RECORD, made_by(finished=False, data=data_fingerprint(dataset), **facts))
    with atomic_file(output / RECIPE) as temporary:
        temporary.write_text(yaml.safe_dump(_plain(recipe), sort_keys=False), encoding="utf-8")


def _plain(recipe: Recipe) -> dict[str, Any]:
    # Where the data lies may change between two starts of one run; what it holds may not.
    return recipe.model_dump(mode="json", exclude={"data": {"root"}})


def read_record(output: Path) -> dict[str, Any]:
    """What a run says of itself. Raises RunError where it cannot be read."""
    try:
        record = json.loads((output / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{output / RECORD} cannot be read. Remove the folder and train again.") from error
    if not isinstance(record, dict) or not {"finished", "data", "dataset"} <= set(record):
        raise RunError(f"{output / RECORD} is no record of a run. Remove the folder and train again.")
    return record


def read_run_recipe(output: Path) -> dict[str, Any]:
    """A run's recipe as it was run, in plain values. Raises RunError where it cannot be read."""
    try:
        recipe = yaml.safe_load((output / RECIPE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RunError(f"{output / RECIPE} cannot be read. Remove the folder and train again.") from error
    if not isinstance(recipe, dict) or "method" not in recipe:
        raise RunError(f"{output / RECIPE} is no recipe. Remove the folder and train again.")
    return recipe


def finish(output: Path, best: Mapping[str, float], fingerprint: str) -> None:
    """Say in the run's record that it is done, which epoch was selected, and the fingerprint of its model."""
    write_json(output / RECORD, {**read_record(output), "finished": True, "selected": best, "fingerprint": fingerprint})


def data_fingerprint(dataset: Dataset) -> str:
    """16 hexadecimal digits over every crop's path, person, camera and modality, and the splits."""
    digest = hashlib.sha256()
    for crop in dataset.crops:
        digest.update(f"{crop.path}|{crop.person}|{crop.camera}|{crop.modality}\n".encode())
    for name in sorted(dataset.splits):
        digest.update(f"{name}:{','.join(map(str, dataset.splits[name]))}\n".encode())
    return digest.hexdigest()[:16]
