"""Runs of generative methods with drawn weights, small enough for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from tapetum.core import Dataset, Modality
from tapetum.data.catalogue import read_dataset
from tapetum.embedding_table import EmbeddingTable
from tapetum.model_file import save_model
from tapetum.recipe import read_recipe
from tapetum.report.look import Look
from tapetum.run_folder import begin, finish
from tapetum.training import build_method

RECIPES = Path(__file__).parents[2] / "recipes"
GENERATIVE = ("case_net", "cmpig", "dgnet", "hi_cmd", "structure_identity", "unet_disentangling")
QUICK = Look(measured=10)


def draw_run(method: str, root: Path, run: Path) -> Path:
    """A finished run that was never trained, without embeddings: the CPU recipe's settings on pictures of 64 x 32."""
    recipe = read_recipe(RECIPES / method / "synthetic.yaml", ["image.height=64", "image.width=32"])
    torch.manual_seed(0)
    begin(run, recipe, read_dataset("sysu_mm01", root))
    facts = {"method": method, "settings": recipe.settings, "persons": 4, "height": 64, "width": 32}
    finish(run, {"epoch": 1}, save_model(run, build_method(recipe, 4).eval(), facts))
    return run


def table_of(
    dataset: Dataset, root: Path | None = None, lights: Sequence[Modality] = tuple(Modality)
) -> EmbeddingTable:
    """The dataset's test crops with vectors of no meaning."""
    crops = tuple(dataset.crops[row] for row in dataset.rows("test") if dataset.crops[row].modality in lights)
    record = {"root": str(root or dataset.root), "split": "test"}
    return EmbeddingTable(np.eye(len(crops), 4, dtype=np.float32), crops, record)
