"""The four rows of embedding disentangling: what they set, the gain, and that collapse is said."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tapetum.methods.embedding_disentangling import EmbeddingDisentanglingSettings
from tapetum.recipe import read_recipe

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "embedding_disentangling.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


def found(script, value: float, spread: float) -> dict[str, float]:
    return {f"{setting} {name}": value for setting, name in script["FIGURES"]} | {"spread": spread, "seconds": 60.0}


def test_each_row_adds_one_loss(script):
    # METHODS 4.1: simple + dis; + cross; + random triplet; + hard triplet, here after a warm start.
    rows = {
        name: EmbeddingDisentanglingSettings.model_validate(
            read_recipe(script["RECIPE"], [f"settings.{change}" for change in changes]).settings
        )
        for name, changes in script["ROWS"].items()
    }
    assert [(row.cross, row.triplet, row.hard_after) for row in rows.values()] == [
        (False, "none", 0.5), (True, "none", 0.5), (True, "random", 0.5), (True, "hard", 0.5), (True, "hard", 0.0),
    ]  # fmt: skip
    assert all(row.dis_weight == row.reconstruction_weight == 1 for row in rows.values())


def test_the_gain_is_that_over_the_runs_own_vectors(script):
    raw = found(script, 30.0, 1.2)
    assert script["line"]("raw", [raw]) == "| raw | 30.0 | 30.0 |  | 30.0 | 30.0 |  | 1.20 |  |"
    seeds = [found(script, 32.0, 1.1), found(script, 35.0, 1.0)]
    # The standard deviation of 32 and 35, one degree of freedom: 3 / sqrt 2.
    assert script["line"]("row", seeds, raw) == (
        "| row | 33.5 ± 2.1 | 33.5 ± 2.1 | +3.5 | 33.5 ± 2.1 | 33.5 ± 2.1 | +3.5 | 1.00 | 60 |"
    )


def test_collapse_is_said(script):
    line = script["line"]("row", [found(script, 2.0, 0.4), found(script, 2.0, 0.03)], found(script, 30.0, 1.2))
    assert line.endswith("| -28.0 | 0.03, collapsed | 60 |")
