"""Training that goes on from a run's vectors: it learns, resumes exactly, and leaves a model that stands alone."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from tapetum.base_run import read_base
from tapetum.cli import main
from tapetum.core import Dataset
from tapetum.data.sysu_mm01 import read
from tapetum.embedding import embed_crops, embed_dataset
from tapetum.embedding_table import read_embeddings
from tapetum.errors import RecipeError, RunError
from tapetum.model_file import load_model, read_description
from tapetum.recipe import Recipe
from tapetum.selection import validation_scores
from tapetum.training import train
from tapetum.training_log import read_log
from tiny_recipe import tiny_recipe

SETTINGS = {
    "vector_length": 32,
    "encoder_layers": [64, 32],
    "decoder_layers": [64],
    "classifier_layer": 32,
    "reconstruction_weight": 0.2,
    "shared": True,
}
SPLIT = {
    "method": "embedding_disentangling",
    "settings": SETTINGS,
    "data": {"dataset": "sysu_mm01"},
    "batch": {"persons": 4, "crops": 2, "steps_per_epoch": 10},
    "optimisers": {"model": {"kind": "adam", "learning_rate": 0.005}},
    "schedule": {"epochs": 3, "warmup_epochs": 0},
    "validation": {"every": 1, "trials": 2},
}


def recipe(**changes) -> Recipe:
    return Recipe.model_validate({**SPLIT, **changes})


@pytest.fixture(scope="module")
def dataset(tiny_sysu) -> Dataset:
    return read(tiny_sysu)


@pytest.fixture(scope="module")
def base(dataset, tmp_path_factory) -> Path:
    """A run of the tiny recipe, one epoch long."""
    return train(
        tiny_recipe(schedule={"epochs": 1, "warmup_epochs": 0}), dataset, tmp_path_factory.mktemp("base"), workers=0
    )


@pytest.fixture(scope="module")
def run(dataset, base, tmp_path_factory) -> Path:
    return train(recipe(), dataset, tmp_path_factory.mktemp("runs") / "split", workers=0, start=base)


def values(run: Path, name: str) -> list[float]:
    return [value for _, _, found, value in read_log(run / "log.csv") if found == name]


def test_it_learns_and_says_where_it_comes_from(run, base):
    simple = values(run, "model/simple")
    assert simple[-1] < 0.9 * simple[0]
    assert len(values(run, "model/classifier")) == 1, "of 30 steps, the first 3 are the classifier's alone"
    assert len(values(run, "val/spread")) == 3
    assert values(run, "val/mAP")[-1] > 0.5
    record, model = json.loads((run / "run.json").read_text()), json.loads((run / "model.json").read_text())
    assert record["finished"] is True
    assert record["base"] == {"run": str(base), "fingerprint": read_description(base).fingerprint}
    assert model["base"] == {**json.loads((base / "model.json").read_text()), "base": None}
    assert (model["height"], model["width"]) == (32, 16), "those of the base"
    assert not (run / "base_vectors.parquet").exists(), "what only training needed is gone"
    as_run = yaml.safe_load((run / "recipe.yaml").read_text())
    assert (as_run["image"], as_run["augmentation"]["flip"]) == ({"height": 32, "width": 16}, 0.0)


def test_the_model_stands_alone_and_reads_pictures(run, dataset, tmp_path, base):
    copy = shutil.copytree(run, tmp_path / "copy")
    embed_dataset(copy, dataset, "test", copy / "embeddings.parquet", workers=0)
    table = read_embeddings(copy / "embeddings.parquet")
    assert table.vectors.shape == (60, 32)
    # By hand: the base's vectors, standardised by those of the training crops, through the encoder of s.
    first, _ = load_model(base)
    crops = [dataset.crops[row] for row in dataset.rows("train")]
    learnt = embed_crops(first, crops, dataset.root, (32, 16), workers=0).vectors.astype(np.float64)
    raw = embed_crops(first, table.crops, dataset.root, (32, 16), workers=0).vectors
    x = torch.from_numpy((raw - learnt.mean(0)) / learnt.std(0)).float()
    weights = load_file(run / "model.safetensors")
    for number in (0, 2):
        name = f"method.E_s.both.{number}"
        x = torch.relu(x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])
    assert np.allclose(table.vectors, torch.nn.functional.normalize(x).numpy(), atol=1e-4)


def test_the_base_is_not_trained_further(run, base):
    before, after = load_file(base / "model.safetensors"), load_file(run / "model.safetensors")
    assert before
    assert all(torch.equal(value, after[f"base.{name}"]) for name, value in before.items())


def test_selection_sees_what_embedding_gives(run, dataset):
    # The validation persons' score in the log, from vectors at hand, is that of the saved model on their pictures.
    model, _ = load_model(run)
    crops = [dataset.crops[row] for row in dataset.rows("val")]
    vectors = embed_crops(model, crops, dataset.root, (32, 16), workers=0).vectors
    scores = validation_scores(vectors, dataset, 2, 0)
    selected = json.loads((run / "run.json").read_text())["selected"]
    assert scores == pytest.approx({name: selected[name] for name in scores}, abs=1e-4)


def test_interrupted_it_ends_with_the_same_weights(run, dataset, base, tmp_path, monkeypatch):
    looks = []

    def stop_at_the_second(*given):
        looks.append(given)
        if len(looks) == 2:
            raise ConnectionError("the power is gone")
        return validation_scores(*given)

    monkeypatch.setattr("tapetum.training.validation_scores", stop_at_the_second)
    with pytest.raises(ConnectionError):
        train(recipe(), dataset, tmp_path / "run", workers=0, start=base)
    assert (tmp_path / "run" / "base_vectors.parquet").is_file()
    # Gone on with, it takes the vectors from there.
    monkeypatch.setattr("tapetum.base_run.embed_crops", lambda *_, **__: pytest.fail("embedded again"))
    train(recipe(), dataset, tmp_path / "run", workers=0, start=base)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    assert (tmp_path / "run" / "log.csv").read_text() == (run / "log.csv").read_text()


def test_vectors_of_another_model_are_not_taken(run, dataset, base, tmp_path):
    # A folder left before its recipe was written may hold vectors of an earlier try.
    other = train(tiny_recipe(seed=1, schedule={"epochs": 0}), dataset, tmp_path / "other", workers=0)
    read_base(other).vectors(dataset.without("test"), ["train", "val"], tmp_path / "run" / "base_vectors.parquet", 0)
    train(recipe(), dataset, tmp_path / "run", workers=0, start=base)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_what_cannot_be_gone_on_from_is_refused_in_a_sentence(dataset, base, tmp_path):
    def refused(given: Recipe, start: Path | None) -> str:
        with pytest.raises(RecipeError) as caught:
            train(given, dataset, tmp_path / "run", workers=0, start=start)
        return str(caught.value)

    assert refused(recipe(), None) == ("'embedding_disentangling' goes on from a trained run. Name it with --from RUN.")
    plain = tiny_recipe(augmentation={"padding": 0, "flip": 0.0, "erasing": 0.0})
    assert "'two_stream' learns from pictures, not from the vectors of a run. Drop --from." in refused(plain, base)
    longer = recipe(settings={**SETTINGS, "vector_length": 512})
    assert "makes vectors of 32 numbers, and 'embedding_disentangling' is set to 512. Pass --set settings.vector_l" in (
        refused(longer, base)
    )
    assert "at its image size (32 x 16)" in refused(recipe(image={"height": 64, "width": 32}), base)
    assert "without augmentation. Remove 'augmentation' from" in refused(recipe(augmentation={"flip": 0.5}), base)
    with pytest.raises(RunError, match="holds no model.json"):
        train(recipe(), dataset, tmp_path / "run", workers=0, start=tmp_path)
    assert not any(tmp_path.iterdir()), "a refused recipe must leave no folder behind"


def test_another_base_in_the_same_folder_is_refused(run, dataset, tmp_path):
    other = train(tiny_recipe(seed=1, schedule={"epochs": 0}), dataset, tmp_path / "other", workers=0)
    with pytest.raises(RunError, match="holds a run from another run. Give another --output"):
        train(recipe(), dataset, run, workers=0, start=other)


def test_known_persons_are_warned_of(dataset, base, tmp_path, caplog):
    whole = tiny_recipe(data={"dataset": "sysu_mm01", "split": "trainval"}, schedule={"epochs": 0}, validation=None)
    knows_all = train(whole, dataset, tmp_path / "all", workers=0)
    short = recipe(schedule={"epochs": 0})
    train(short, dataset, tmp_path / "a", workers=0, start=knows_all)
    assert "was trained on the validation persons too" in caplog.text
    caplog.clear()
    fewer = Dataset(dataset.name, dataset.root, dataset.crops[:-1], {**dataset.splits, "test": ()})
    train(short, fewer, tmp_path / "b", workers=0, start=base)
    assert "was trained on other data; make sure that its persons are not tested on" in caplog.text


@pytest.mark.parametrize("validation", [{"every": 1, "trials": 1}, None])
def test_a_collapse_is_said(dataset, base, tmp_path, caplog, validation):
    short = recipe(schedule={"epochs": 1, "warmup_epochs": 0}, validation=validation)
    train(short, dataset, tmp_path / "healthy", workers=0, start=base)
    assert "collapsed" not in caplog.text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tapetum.selection.spread", lambda *_: 0.004)
        patch.setattr("tapetum.training.spread", lambda *_: 0.004)
        train(short, dataset, tmp_path / "run", workers=0, start=base)
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert (
        "training has collapsed: at its end, all vectors of one light are nearly one point (spread 0.004). The kept"
        in (record.getMessage())
    )


def test_the_command_line_takes_a_run_to_go_on_from(tiny_sysu, run, base, tmp_path, monkeypatch, capsys):
    (tmp_path / "split.yaml").write_text(yaml.safe_dump(SPLIT))
    words = ["train", tmp_path / "split.yaml", "--from", base, "--root", tiny_sysu, "--output", tmp_path / "run"]
    monkeypatch.setattr(sys, "argv", ["tapetum", *map(str, words), "--workers", "0"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code, capsys.readouterr().err
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
