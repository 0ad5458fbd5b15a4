"""Datasets by name: a module of `tapetum.data` that defines `read`, `survey` and `looks_like` is a dataset."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import tapetum.data
from tapetum.core import Dataset
from tapetum.discovery import find_module, module_names
from tapetum.errors import DataError, RecipeError, did_you_mean

_PROMISE = {"read", "survey", "looks_like"}


def dataset_names() -> list[str]:
    """The names of all datasets, sorted."""
    return [name for name in module_names(tapetum.data) if _keeps_promise(name)]


def find_dataset(name: str) -> ModuleType:
    """The module of a dataset. Raises RecipeError for a name that no dataset has."""
    return find_module(tapetum.data, name, dataset_names(), "dataset")


def read_dataset(name: str, root: Path, **options: int | str) -> Dataset:
    """Read the dataset called `name` under `root`.

    Raises RecipeError for an unknown name or option, DataError for a dataset that cannot be read.
    """
    module = find_dataset(name)
    dataset: Dataset = module.read(root, **checked_options(name, module.read, options))
    return dataset


def guess_dataset(root: Path) -> str:
    """The name of the dataset whose layout `root` shows. Raises DataError when none or several do."""
    if not root.exists():
        raise DataError(f"{root} does not exist. Expected the root of a dataset. Give the path of that folder.")
    known = dataset_names()
    found = [name for name in known if find_module(tapetum.data, name, known, "dataset").looks_like(root)]
    if len(found) == 1:
        return found[0]
    shown = f"shows the layouts of {' and '.join(found)}" if found else "shows the layout of no dataset"
    raise DataError(f"{root} {shown}. Name the dataset with --dataset: {', '.join(known)}.")


def checked_options(name: str, read: Callable[..., Dataset], options: Mapping[str, int | str]) -> dict[str, int | str]:
    """The options for `read`, with numbers given as text made numbers.

    Raises RecipeError for an option that the dataset does not have, or text where a number belongs.
    """
    kinds = typing.get_type_hints(read)
    known = [option for option in inspect.signature(read).parameters if option != "root"]
    checked: dict[str, int | str] = {}
    for option, value in options.items():
        if option not in known:
            knows = did_you_mean(option, known) if known else "It has none."
            raise RecipeError(f"{name} has no option '{option}'. {knows}")
        try:
            checked[option] = kinds[option](value)
        except ValueError as error:
            raise RecipeError(f"{name}: option {option} is '{value}'. Expected a whole number.") from error
    return checked


def _keeps_promise(name: str) -> bool:
    # The source is looked at rather than imported: the neighbours of the datasets import torch, which takes seconds.
    spec = importlib.util.find_spec(f"{tapetum.data.__name__}.{name}")
    if spec is None or spec.origin is None:
        return False
    tree = ast.parse(Path(spec.origin).read_bytes())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} >= _PROMISE
