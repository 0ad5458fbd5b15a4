"""One sentence for whatever goes wrong on the command line, and nothing half-written stays behind."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from small_model import write_model

SEARCH = "search people/cam3/0009/0001.jpg --gallery run/embeddings.parquet --model run"
LAYOUT = "Expected the SYSU-MM01 root (cam1 ... cam6, exp). Give the path of that folder."
REFUSED = [
    # the command line itself
    ("dat", "No such command 'dat'. Did you mean 'data'? See tapetum --help."),
    ("train tiny.yaml", "Missing option '--output' / '-o'. See tapetum train --help."),
    ("data check", "Missing argument 'ROOT'. See tapetum data check --help."),
    ("report run --x", "No such option: --x. See tapetum report --help."),
    ("data check people --option trial", "--option trial: expected NAME=VALUE, such as --option trial=3."),
    # datasets
    ("data check nope", "nope does not exist. Expected the root of a dataset. Give the path of that folder."),
    ("data check people --dataset sysu", "no dataset is called 'sysu'. Did you mean 'sysu_mm01'? Known: "),
    ("data check people --option trial=1", "sysu_mm01 has no option 'trial'. It has none."),
    ("data check empty", "empty shows the layout of no dataset. Name the dataset with --dataset: "),
    # synthesis
    ("data synthesize new --preset tny", "no preset is called 'tny'. Did you mean 'tiny'? Known: "),
    ("data synthesize new --mode lwir", "synthetic dataset: mode = 'lwir': Input should be 'sysu' or 'regdb'."),
    ("data synthesize file --preset tiny", "file is a file, and a folder is to be written there. Give another path."),
    ("data synthesize run --preset tiny", "run is not empty, and no synthetic dataset was begun there."),
    ("data synthesize people --preset tiny", "people holds another synthetic dataset (seed 1, 12 persons"),
    # training
    ("train nope.yaml -o new", "nope.yaml does not exist. Give the path of a recipe; recipes/ holds one per method"),
    ("train tiny.yaml -o new", "tiny.yaml does not say where sysu_mm01 lies. Pass it with --root."),
    ("train tiny.yaml -o new --root nope", f"nope does not exist. {LAYOUT}"),
    ("train tiny.yaml -o new --root empty", f"empty has no exp/train_id.txt. {LAYOUT}"),
    ("train tiny.yaml -o new --root people --set schedule.epoch=3", "unknown setting 'schedule.epoch'. Did you mean"),
    ("train tiny.yaml -o new --root people --set settings.trunk=resnet5", "no trunk is called 'resnet5'. Did you mean"),
    ("train tiny.yaml -o new --root people --set optimisers.model.learning_rate=.nan", "learning_rate = nan: "),
    ("train tiny.yaml -o new --root people --set data.split=test", "split 'test' is for `tapetum evaluate` alone"),
    ("train tiny.yaml -o new --root people --set batch.persons=9", "Set persons to 8 or less."),
    ("train tiny.yaml -o file --root people", "file is a file. Give the folder of a run with --output."),
    ("train tiny.yaml -o run --root people --set seed=1", "run holds a run of another recipe. Give another --output"),
    # embedding
    ("embed empty --root people", "empty holds no model.json. Give the folder of a run that `tapetum train` has"),
    ("embed run", "what shall be embedded? Give either --root (a dataset) or --folder (pictures)."),
    ("embed run --root people --folder empty", "what shall be embedded? Give either --root (a dataset) or --folder"),
    ("embed run --folder empty --split val", "--split says nothing beside --folder. Leave one of them out."),
    ("embed run --root people --modality ir", "--modality says nothing beside --root. Leave one of them out."),
    ("embed run --root people --split tset", "sysu_mm01 has no split 'tset'. Did you mean 'test'? Known: "),
    ("embed run --root people --split val", "split 'val' of people holds no crop. Splits with crops: test, train, tr"),
    ("embed run --folder empty", "empty holds no image. Expected files such as .jpg, .png or .bmp in this folder"),
    ("embed run --folder file", "file is not a folder. Give the folder that holds the pictures."),
    ("embed run --root people -o file/e.parquet", "is a file. Give another place."),
    # evaluation
    ("evaluate", "what shall be tested? Give a file of features, or --features-mat with --root."),
    ("evaluate nope", "nope does not exist. Give a file that `tapetum embed` has written, or .npy, .npz."),
    ("evaluate run", "run is a folder without *_cam1.mat ... *_cam6.mat. Give the file that `tapetum embed` has"),
    ("evaluate tiny.yaml", "tiny.yaml holds no features. Expected .parquet (`tapetum embed`), .npy or .npz."),
    ("evaluate run/embeddings.parquet --table tiny.yaml", "says itself whose its vectors are. Leave the table"),
    ("evaluate run/embeddings.parquet --protocol mix", "no protocol is called 'mix'. Did you mean 'mixed'? Kn"),
    ("evaluate run/embeddings.parquet --direction ir", "no direction is called 'ir'. Known: ir-to-rgb, rgb-to-ir."),
    ("evaluate run/embeddings.parquet --option trial=1", "--option says how to read the dataset. Pass --root as well."),
    ("evaluate run/embeddings.parquet --dataset llcm", "is of sysu_mm01, and --dataset says llcm. Leave"),
    ("evaluate run/embeddings.parquet run/embeddings.parquet", "is no known trial of RegDB, and several files"),
    ("evaluate run/embeddings.parquet --draw agv", "no draw is called 'agv'. Did you mean 'agw'? Known: agw, official"),
    ("evaluate run/embeddings.parquet --distance l2", "no distance is called 'l2'. Known: cosine, euclidean."),
    ("evaluate run/embeddings.parquet --permutations nope.mat", "nope.mat does not exist. It comes with the official"),
    ("evaluate run/embeddings.parquet -o empty", "empty is a folder, and a file is to be written there."),
    ("evaluate --features-mat empty --root people", "empty is a folder without *_cam1.mat ... *_cam6.mat."),
    ("evaluate --features-mat empty --root people --table file", "--table says nothing beside --features-mat."),
    ("evaluate vectors.npy", "vectors.npy has no table beside it to say whose its vectors are. Put vectors.csv or"),
    ("evaluate vectors.npy --table table.csv", "vectors.npy does not say which dataset it is of. Pass --root, or --da"),
    ("evaluate vectors.npy --table table.csv --root people", "row 1 is of nobody.jpg, which sysu_mm01 in people does"),
    # comparing
    ("compare nope", "nope does not exist. Give a file of results, or a run that holds one."),
    ("compare tiny.yaml", "tiny.yaml is not JSON. "),
    ("compare run run", "two results are called 'run/results.json'. Give each a name of its own: NAME=PATH."),
    ("compare run --setting all_singel", "none of the results has the setting 'all_singel'. Did you mean 'all_single'"),
    ("compare run --metric mAPP", "no metric is called 'mAPP'. Did you mean 'mAP'?"),
    ("compare run --published AGV", "no published result is of 'AGV'. Did you mean 'AGW'?"),
    ("compare run --format pdf", "no format is called 'pdf'. Known: csv, html, latex, markdown, terminal."),
    ("compare run -o table.doc", "--output table.doc: in which format? Pass --format with one of markdown, csv,"),
    ("compare run -o file/t.md", "is a file. Give another place."),
    # search and report
    (f"{SEARCH} --among both", "--among both names no crops. Known: all, ir, rgb."),
    (f"{SEARCH} -o file/s.png", "is a file. Give another place."),
    (SEARCH.replace("people/cam3/0009/0001.jpg", "file"), "file is empty (0 bytes)."),
    (SEARCH.replace("people/cam3/0009/0001.jpg", "tiny.yaml"), "tiny.yaml is not a picture that Pillow knows."),
    ("report empty", "empty has no run.json. Give the folder of a run that `tapetum train` has written."),
]


@pytest.mark.parametrize(("line", "sentence"), REFUSED, ids=[line for line, _ in REFUSED])
def test_what_is_wrong_is_one_line_and_nothing_is_left(say, line, sentence):
    before = sorted(path.name for path in Path().iterdir())
    code, error = say(line)
    assert code == 2
    assert error.startswith("tapetum: ")
    assert error.count("\n") == 1, "one line, and no bar that never moved"
    assert sentence in error
    assert sorted(path.name for path in Path().iterdir()) == before
    assert not list(Path("empty").iterdir())


@pytest.mark.parametrize("option", ["data check people --workers -1", f"{SEARCH} --top 0", f"{SEARCH} --modality x"])
def test_impossible_values_are_one_line(say, option):
    code, error = say(option)
    assert (code, error.count("\n")) == (2, 1)
    assert error.startswith(f"tapetum: Invalid value for '{option.split()[-2]}'")


def test_weights_that_cannot_be_fetched_are_one_line_with_the_way_out(say, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", "empty")
    monkeypatch.setattr("tapetum.nets.pretrained._download", lambda *_: (_ for _ in ()).throw(OSError("no network")))
    recipe = Path(__file__).parents[1] / "recipes" / "two_stream" / "sysu_mm01.yaml"
    code, error = say(f"train {shlex.quote(str(recipe))} --root people -o new")
    assert (code, error.count("\n")) == (2, 1)
    assert "the ImageNet weights of resnet50 could not be fetched" in error
    assert "--set settings.weights=none trains from scratch" in error
    assert not Path("new").exists()


def test_a_device_is_not_replaced_by_a_file(say):
    os.mkfifo("pipe")
    code, error = say("evaluate run/embeddings.parquet -o pipe")
    assert (code, error) == (2, "tapetum: pipe is a device, and a file is to be written there. Give another path.\n")
    assert Path("pipe").is_fifo()


def test_embeddings_of_another_model_are_refused(say):
    write_model(Path("other"))
    code, error = say(SEARCH.replace("--model run", "--model other"))
    assert code == 2
    assert re.search(
        r"run/embeddings.parquet was made by model \w{16}, and other holds \w{16}. Run `tapetum embed` ag", error
    )
    assert not Path("search.png").exists()


def test_own_pictures_of_nobody_knows_whom(say, capsys):
    Path("night").mkdir()
    for number in (1, 2):
        Path(f"night/{number}.jpg").write_bytes(Path(f"people/cam3/0009/000{number}.jpg").read_bytes())
    Path("night/broken.jpg").write_bytes(b"no picture")
    embed = "embed run --folder night --modality ir --camera gate --output night.parquet --workers 0"
    code, error = say(embed)
    assert code == 2
    assert "night/broken.jpg is not a picture that Pillow knows." in error
    assert "(1 such pictures; --skip-broken leaves them out.)" in error
    assert not Path("night.parquet").exists()
    code, error = say(f"{embed} --skip-broken")
    assert code == 0
    assert "tapetum: left out: night/broken.jpg is not a picture" in error
    table = pq.read_table("night.parquet")
    facts = [table[name].to_pylist() for name in ("path", "person", "camera", "modality")]
    assert facts == [["1.jpg", "2.jpg"], [None, None], ["gate", "gate"], ["ir", "ir"]]
    code, error = say("evaluate night.parquet")
    assert code == 2
    assert "night.parquet holds 2 crops of persons whom nobody knows" in error
    assert say("search people/cam3/0009/0002.jpg --gallery night.parquet --model run --among ir")[0] == 0
    code, error = say("search people/cam3/0009/0002.jpg --gallery night.parquet --model run")
    assert code == 2
    assert "--among rgb: night.parquet holds no such crop. Pass --among all." in error


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files, as a full disk does")
@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("embed run --root people --workers 0 -o out/e.parquet", "out/e.parquet"),
        ("evaluate run/embeddings.parquet -o out/r.json", "out/r.queries.parquet"),
        (f"{SEARCH} -o out/s.png", "out/s.png"),
        ("report run -o out/r.html", "out/r.html"),
    ],
)
def test_a_full_disk_is_one_line_and_leaves_no_file(say, line, target):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        code, error = say(line)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 2
    last = error.splitlines()[-1]
    assert last.startswith(f"tapetum: cannot write {target}: ")
    assert last.endswith("Give another place or free this one.")
    assert not list(Path("out").iterdir())
