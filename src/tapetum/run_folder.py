"""A run's folder: recipe.yaml (as it was run), run.json (the record), and what training adds beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tapetum.core import Dataset
from tapetum.errors import OutputError, RecipeError, RunError
from tapetum.outputs import atomic_file, made_by, write_json
from tapetum.recipe import Recipe, validate

RECIPE = "recipe.yaml"
RECORD = "run.json"
CHECKPOINT = "last.ckpt"
LOG = "log.csv"
EMBEDDINGS = "embeddings.parquet"
RESULTS = "results.json"
PIXELS = "pixels"
BASE_VECTORS = "base_vectors.parquet"


def is_begun(output: Path, recipe: Recipe, dataset: Dataset, base: Mapping[str, str] | None = None) -> bool:
    """Whether `output` holds a run of this recipe and data, finished or not; it may also be free or missing.

    base: the run that it goes on from, by its folder and its model's fingerprint {"run", "fingerprint"}.
    Raises RunError for a run of another recipe, other data or another base, OutputError for a folder of something else.
    """
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file. Give the folder of a run with --output.")
    if (output / RECIPE).is_file():
        other = _difference(output, recipe, dataset, base or {})
        if other is not None:
            raise RunError(f"{output} holds a run {other}. Give another --output, or remove that folder.")
        return True
    free = {RECORD, PIXELS, BASE_VECTORS}
    if output.exists() and {path.name for path in output.iterdir() if path.suffix != ".part"} - free:
        raise OutputError(f"{output} exists, and is neither empty nor a run. Give another --output.")
    return False


def _difference(output: Path, recipe: Recipe, dataset: Dataset, base: Mapping[str, str]) -> str | None:
    """In which way the run in `output` is another one."""
    try:  # what an older version did not know of has the default, which is what it did
        begun = _plain(validate(Recipe, read_run_recipe(output), str(output / RECIPE)))
    except RecipeError:
        return "of another recipe"
    if begun != _plain(recipe):
        return "of another recipe"
    record = read_record(output)
    if record["data"] != data_fingerprint(dataset):
        return "of other data"
    # Where the base lies may change; its weights may not.
    return None if record.get("base", {}).get("fingerprint") == base.get("fingerprint") else "from another run"


def begin(output: Path, recipe: Recipe, dataset: Dataset, base: Mapping[str, str] | None = None) -> None:
    """Write recipe and record into a free folder; sweep what a killed write left in one that is begun.

    base: as for `is_begun`.
    """
    for left_over in output.glob(".*.part"):
        left_over.unlink()
    if (output / RECIPE).is_file():
        return
    facts = {"seed": recipe.seed, "dataset": dataset.name, "title": dataset.title, "root": str(dataset.root.resolve())}
    origin = {} if base is None else {"base": dict(base)}
    write_json(output / RECORD, made_by(finished=False, data=data_fingerprint(dataset), **facts, **origin))
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
