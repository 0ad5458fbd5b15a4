"""The table of all methods: every row's network fits the pictures of the budget, and the table says what was found."""

from __future__ import annotations

import argparse
import json
import runpy
from pathlib import Path

import pytest
import torch

from tapetum.core import Modality
from tapetum.training import build_method

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytest.importorskip("skimage", reason="scikit-image (extra: benchmarks) is not installed")


@pytest.fixture(scope="module")
def script():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return runpy.run_path(str(BENCHMARKS / "methods.py"))


def test_every_rows_network_reads_the_budgets_pictures(script, tmp_path):
    for name, row in script["ROWS"].items():
        recipe = script["recipe_of"](name, 1, tmp_path, [])
        method = build_method(recipe, persons=3).eval()
        assert recipe.seed == 1
        assert (method.vector_length is None) == (row.start is None), name
        shape = (3, 64, 32) if method.vector_length is None else (method.vector_length,)
        with torch.inference_mode():
            assert method.embed(torch.rand(2, *shape), Modality.IR).norm(dim=1) == pytest.approx(1, abs=1e-5), name


def test_all_rows_have_the_same_budget_but_for_what_they_are_about(script, tmp_path):
    recipes = {name: script["recipe_of"](name, 0, tmp_path, []) for name in script["ROWS"]}
    on_pictures = [recipe for name, recipe in recipes.items() if script["ROWS"][name].start is None]
    assert len({repr((r.data, r.image, r.batch, r.schedule)) for r in on_pictures}) == 1
    one_player = [recipes[n] for n, row in script["ROWS"].items() if row.start is None and row.recipe is None]
    assert len({repr(recipe.optimisers) for recipe in one_player}) == 1
    other = {name for name, recipe in recipes.items() if recipe.augmentation != recipes["512-d frame"].augmentation}
    assert other == {"CAJ, no tone", "CAJ, exchange for tone", "embedding disentangling"}
    trunks = [recipe.settings for recipe in on_pictures]
    assert all((s["trunk"], s["weights"], s["width"]) == ("resnet10", "none", 16) for s in trunks)
    assert all(s.get("last_stride", 1) == 1 for s in trunks)


def test_what_goes_on_from_a_run_reads_the_length_of_its_vectors(script, tmp_path):
    row = script["ROWS"]["embedding disentangling"]
    frame = build_method(script["recipe_of"](row.start, 0, tmp_path, []), persons=3).eval()
    later = build_method(script["recipe_of"]("embedding disentangling", 0, tmp_path, []), persons=3)
    assert frame.embed(torch.rand(1, 3, 64, 32), Modality.RGB).shape[1] == later.vector_length


def test_the_table_is_ordered_by_mean_with_its_spread_and_chance(script, tmp_path):
    found = {"SDL": (0.30, 0.40), "BDTR": (0.50, 0.50)}
    for name, values in found.items():
        for seed, value in enumerate(values):
            folder = script["place"](tmp_path, name, seed)
            folder.mkdir(parents=True)
            figures = dict.fromkeys(("r1", "mAP", "mINP"), value)
            chance = {f"chance {figure}": 0.02 for figure in figures}
            (folder / "test.json").write_text(json.dumps({**figures, **chance, "seconds": 3, "parameters": 1_500_000}))
    given = argparse.Namespace(output=tmp_path, seeds=2, on="test")
    lines = script["table"](given, list(found)).splitlines()[2:]
    # The standard deviation of 30 and 40, one degree of freedom: 10 / sqrt 2.
    assert lines == [
        "| BDTR | 50.0 ± 0.0 | 50.0 ± 0.0 | 50.0 ± 0.0 | 1.50 | 3 |",
        "| SDL | 35.0 ± 7.1 | 35.0 ± 7.1 | 35.0 ± 7.1 | 1.50 | 3 |",
        "| by chance | 2.0 | 2.0 | 2.0 | | |",
    ]
