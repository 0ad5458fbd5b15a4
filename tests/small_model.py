"""A small model on disk without training: what embedding, search and report need is vectors, not good ones."""

from __future__ import annotations

from pathlib import Path

import torch

from tapetum.methods.method import Method
from tapetum.model_file import save_model
from tapetum.training import build_method
from tiny_recipe import TINY, tiny_recipe

PERSONS = 8
FACTS = {"method": "two_stream", "settings": TINY["settings"], "persons": PERSONS, **TINY["image"]}


def small_method(seed: int = 0) -> Method:
    """The tiny recipe's method with drawn weights, ready to embed."""
    torch.manual_seed(seed)
    return build_method(tiny_recipe(), PERSONS).eval()


def write_model(folder: Path, seed: int = 0) -> str:
    """Save such a method as a run's model; returns its fingerprint."""
    return save_model(folder, small_method(seed), FACTS)
