"""The handcrafted floor: its length, a direction worked out by hand, and its way through `tapetum evaluate`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from tapetum.data.sysu_mm01 import read
from tapetum.embedding_table import read_embeddings
from tapetum.evaluation.evaluate import evaluate_embeddings

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "hog.py"
pytest.importorskip("skimage", reason="scikit-image (extra: benchmarks) is not installed")


@pytest.fixture(scope="module")
def hog():
    return runpy.run_path(str(SCRIPT))


def picture(grey: np.ndarray) -> np.ndarray:
    return np.broadcast_to(grey.astype(np.uint8), (3, *grey.shape))


def test_the_published_length(hog):
    # Dalal and Triggs: 128 x 64, 15 x 7 blocks of 2 x 2 cells of 9 directions: 3,780 values.
    assert hog["hog_vector"](picture(np.zeros((128, 64)))).shape == (3780,)


def test_an_even_slope_has_one_direction(hog):
    # Brightness rises by 4 a column and not at all down the rows. Each row of pixels points straight across, the first
    # of nine directions, hence one of nine values of each cell is not 0. The 16 x 16 block's outermost columns have no
    # neighbour on both sides and no gradient: 8 x 7 pixels in each of four like cells, 1/2 each once normed.
    slope = np.tile(4 * np.arange(16), (16, 1))
    found = hog["hog_vector"](picture(slope)).reshape(4, 9)
    assert np.count_nonzero(found) == 4
    assert len(set(found.argmax(axis=1))) == 1
    assert found.max(axis=1) == pytest.approx(0.5, abs=1e-4)


def test_neither_brightness_nor_contrast_nor_polarity_matters(hog):
    grey = np.random.default_rng(0).integers(40, 100, (32, 16))
    expected = hog["hog_vector"](picture(grey))
    for changed in (grey + 20, 2 * grey, 255 - grey):
        assert hog["hog_vector"](picture(changed)) == pytest.approx(expected, abs=1e-3)


def test_from_a_dataset_to_results(hog, tiny_sysu, tmp_path, monkeypatch, capsys):
    output = tmp_path / "hog.parquet"
    monkeypatch.setattr(sys, "argv", ["hog.py", str(tiny_sysu), str(output), "--height", "32", "--width", "16"])
    hog["main"]()
    assert f"tapetum evaluate {output}" in capsys.readouterr().out
    table, dataset = read_embeddings(output), read(tiny_sysu)
    assert [crop.path for crop in table.crops] == [dataset.crops[row].path for row in dataset.rows("test")]
    assert table.vectors.shape == (60, 3 * 36)
    results = evaluate_embeddings(output, tmp_path / "results.json", draw="agw")
    # Stripes that are the same in both lights are what HOG sees: far above the chance of one in five.
    assert results["all_single"]["mean"]["r1"] > 0.8


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--height", "8"], "a picture of 8 x 64 holds no block. Give 16 x 16 or more."),
        (["--split", "gone"], "has no split 'gone'"),
        (["--option", "trial"], "expected NAME=VALUE"),
    ],
)
def test_what_cannot_be_used(hog, tiny_sysu, tmp_path, monkeypatch, options, sentence):
    output = tmp_path / "hog.parquet"
    monkeypatch.setattr(sys, "argv", ["hog.py", str(tiny_sysu), str(output), *options])
    with pytest.raises(SystemExit, match=sentence):
        hog["main"]()
    assert not output.exists()
