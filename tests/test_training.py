"""Training: it learns, selects on validation persons, survives a kill, and runs on two devices."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from tapetum.core import Dataset
from tapetum.data.sysu_mm01 import read
from tapetum.errors import DataError, OutputError, RecipeError, RunError
from tapetum.recipe import read_recipe
from tapetum.training import arithmetic, build_method, train
from tapetum.training_log import read_log
from tiny_recipe import TINY, tiny_recipe

HERE = Path(__file__).parent
RECIPES = HERE.parent / "recipes"


@pytest.fixture(scope="module")
def dataset(tiny_sysu) -> Dataset:
    return read(tiny_sysu)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory) -> Path:
    """One whole run of the tiny recipe."""
    return train(tiny_recipe(), dataset, tmp_path_factory.mktemp("runs") / "tiny", workers=0)


def values(run: Path, name: str) -> list[float]:
    return [value for _, _, found, value in read_log(run / "log.csv") if found == name]


def test_it_learns_and_logs_every_term_by_name(run):
    names = {name for _, _, name, _ in read_log(run / "log.csv")}
    assert names == {
        "model/identity", "model/batch_hard", "model/total", "learning_rate/model", "val/r1", "val/mAP", "val/mINP",
        "val/spread",
    }  # fmt: skip
    total = values(run, "model/total")
    assert min(total) < 0.6 * total[0]
    assert values(run, "val/mAP")[-1] > 0.6


def test_terms_add_up_to_the_total(run):
    for total, *terms in zip(
        values(run, "model/total"), values(run, "model/identity"), values(run, "model/batch_hard"), strict=True
    ):
        assert sum(terms) == pytest.approx(total, rel=1e-5)


def test_the_best_look_at_the_validation_persons_is_kept(run):
    looks = values(run, "val/mAP")
    record = json.loads((run / "run.json").read_text())
    assert record["finished"] is True
    assert record["selected"]["mAP"] == max(looks)
    assert record["selected"]["epoch"] == 2 * (1 + looks.index(max(looks)))
    assert record["fingerprint"] == json.loads((run / "model.json").read_text())["fingerprint"]


def test_training_never_sees_the_test_persons(run, dataset, tmp_path, tiny_sysu):
    # With every picture of the test persons gone, the same recipe ends in the same log.
    for folder in tiny_sysu.glob("cam*"):
        (tmp_path / "data" / folder.name).mkdir(parents=True)
        for person in folder.iterdir():
            if int(person.name) < 12:
                (tmp_path / "data" / folder.name / person.name).symlink_to(person)
    (tmp_path / "data" / "exp").symlink_to(tiny_sysu / "exp")
    again = train(tiny_recipe(), read(tmp_path / "data"), tmp_path / "run", workers=0)
    assert (again / "log.csv").read_text() == (run / "log.csv").read_text()


def test_a_finished_run_is_left_as_it_is(run, dataset):
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    train(tiny_recipe(), dataset, run, workers=0)
    assert {path.name: path.stat().st_mtime_ns for path in run.iterdir()} == before


def test_another_recipe_or_data_in_the_same_folder_is_refused(run, dataset, tmp_path):
    with pytest.raises(RunError, match="holds a run of another recipe"):
        train(tiny_recipe(seed=1), dataset, run)
    fewer = Dataset(dataset.name, dataset.root, dataset.crops[:-1], {"train": dataset.rows("train")})
    with pytest.raises(RunError, match="holds a run of other data"):
        train(tiny_recipe(), fewer, run)
    (tmp_path / "letter.txt").write_text("Dear")
    with pytest.raises(OutputError, match="neither empty nor a run"):
        train(tiny_recipe(), dataset, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_what_cannot_be_trained_is_refused_in_a_sentence(dataset, tmp_path):
    with pytest.raises(RecipeError, match="no method is called 'two_steam'. Did you mean 'two_stream'"):
        train(tiny_recipe(method="two_steam"), dataset, tmp_path / "a")
    with pytest.raises(RecipeError, match="unknown setting 'trnk'"):
        train(tiny_recipe(settings={"trnk": "resnet10"}), dataset, tmp_path / "b")
    with pytest.raises(RecipeError, match="has the players model; the recipe names generator"):
        train(tiny_recipe(optimisers={"generator": {}}), dataset, tmp_path / "c")
    with pytest.raises(RecipeError, match="persons = 9"):
        train(tiny_recipe(batch={"persons": 9}), dataset, tmp_path / "d")
    with pytest.raises(DataError, match="no split 'trian'"):
        train(tiny_recipe(data={"dataset": "sysu_mm01", "split": "trian"}), dataset, tmp_path / "e")
    alone = Dataset(dataset.name, dataset.root, dataset.crops, {"train": dataset.rows("train")})
    with pytest.raises(RecipeError, match="has no validation persons to select on"):
        train(tiny_recipe(), alone, tmp_path / "f")
    painting = read_recipe(RECIPES / "unet_disentangling" / "synthetic.yaml", ["image.width=30"])
    with pytest.raises(RecipeError, match="64 x 30 pixels cannot be halved 3 times and painted again"):
        train(painting, dataset, tmp_path / "g")
    assert not any(tmp_path.iterdir()), "a refused recipe must leave no folder behind"


def test_a_loss_that_explodes_is_said(dataset, tmp_path):
    wild = {"model": {"kind": "sgd", "learning_rate": 1e30}}
    with pytest.raises(RecipeError, match="Lower the learning rate"):
        train(tiny_recipe(optimisers=wild), dataset, tmp_path / "run", workers=0)


def test_no_epochs_keep_the_first_weights(dataset, tmp_path):
    recipe = tiny_recipe(schedule={"epochs": 0})
    train(recipe, dataset, tmp_path / "run")
    torch.manual_seed(recipe.seed)
    first = build_method(recipe, persons=8).state_dict()
    kept = load_file(tmp_path / "run" / "model.safetensors")
    assert kept.keys() == first.keys()
    assert all(torch.equal(kept[name], first[name]) for name in kept)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["selected"] == {"epoch": 0}


@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b"no checkpoint"])
def test_a_damaged_checkpoint_is_named(run, dataset, tmp_path, damage):
    unfinished = shutil.copytree(run, tmp_path / "run")
    record = json.loads((unfinished / "run.json").read_text())
    (unfinished / "run.json").write_text(json.dumps({**record, "finished": False}))
    checkpoint = unfinished / "last.ckpt"
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    with pytest.raises(RunError, match="last.ckpt is damaged. Remove it to begin the run again"):
        train(tiny_recipe(), dataset, unfinished)


def test_bfloat16_where_the_processor_has_it(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert arithmetic("auto") == "bf16-mixed"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False}, raising=False)
    assert arithmetic("auto") == "32-true"
    short = {**TINY["batch"], "steps_per_epoch": 2}
    train(tiny_recipe(precision="bfloat16", batch=short, schedule={"epochs": 1}), dataset, tmp_path / "run", workers=0)
    assert len(values(tmp_path / "run", "model/total")) == 1


def test_killed_at_any_moment_it_ends_with_the_same_weights(run, tiny_sysu, tmp_path):
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(TINY))
    command = [sys.executable, "-m", "tapetum.cli", "train", recipe, "--root", tiny_sysu, "--output", tmp_path / "run"]
    log = tmp_path / "run" / "log.csv"
    for lines in (4, 13):  # inside the first epoch, and inside a later one
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and (not log.is_file() or len(read_log(log)) < lines):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    assert log.read_text() == (run / "log.csv").read_text()
    assert not list((tmp_path / "run").glob(".*.part"))


def toy(tiny_sysu: Path, output: Path, devices: int) -> dict[str, torch.Tensor]:
    command = [sys.executable, HERE / "toy_training.py", tiny_sysu, output, str(devices)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return load_file(output / "model.safetensors")


def test_two_devices_take_the_steps_of_one_with_twice_the_batch(tiny_sysu, tmp_path):
    one, two = (toy(tiny_sysu, tmp_path / str(devices), devices) for devices in (1, 2))
    assert one.keys() == two.keys()
    for name in one:
        assert torch.allclose(one[name], two[name], atol=1e-6), name
    assert one["follower"].abs().max() > 0
