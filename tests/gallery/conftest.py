"""What tests of galleries share: a run with drawn weights, loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_model import write_model
from tapetum.gallery.embedder import CropEmbedder


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with a model, and nothing else."""
    folder = tmp_path_factory.mktemp("run")
    write_model(folder)
    return folder


@pytest.fixture(scope="session")
def embedder(small_run: Path) -> CropEmbedder:
    """The model of `small_run`."""
    return CropEmbedder.load(small_run)
