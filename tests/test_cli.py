"""The command line as a user meets it: one pass through every command, and one sentence for whatever goes wrong."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from small_model import write_model
from tapetum.cli import main
from tapetum.data.image_check import open_all
from tiny_recipe import TINY

RECIPE = {
    **TINY,
    "batch": {"persons": 4, "crops": 6, "steps_per_epoch": 6},  # K = 6 is more than a person's 4 infrared crops
    "schedule": {"epochs": 2, "warmup_epochs": 1, "shape": "cosine"},
    "validation": None,
}


def tapetum(*words: object, **more) -> subprocess.CompletedProcess[str]:
    """The real command line in a process of its own."""
    command = [sys.executable, "-m", "tapetum.cli", *map(str, words)]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, **more)


@pytest.fixture(scope="module")
def way(tmp_path_factory) -> Path:
    """A folder in which every command has run, one after another; their outputs are kept in `said`."""
    folder = tmp_path_factory.mktemp("way")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    commands = [
        "data synthesize --preset tiny --seed 1 --workers 1 people",
        "data check people --workers 1",
        "train tiny.yaml --root people --output run",
        "embed run --root people",
        "evaluate run/embeddings.parquet",
        "search people/cam3/0009/0001.jpg people/cam6/0010/0002.jpg --gallery run/embeddings.parquet --model run",
        "report run --queries 2",
    ]
    said = {}
    for command in commands:
        done = tapetum(*command.split(), cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        said[command.split(" -")[0].split()[0]] = {"out": done.stdout, "err": done.stderr}
    (folder / "said.json").write_text(json.dumps(said))
    return folder


def test_one_pass_through_every_command(way):
    said = {name: streams["out"] for name, streams in json.loads((way / "said.json").read_text()).items()}
    assert "Images opened: 144." in said["data"]
    assert "Next: tapetum embed run --root people" in said["train"]
    assert said["embed"] == "The vectors are in run/embeddings.parquet.\n"
    assert pq.read_table(way / "run" / "embeddings.parquet").num_rows == 48
    results = json.loads((way / "run" / "results.json").read_text())
    assert all(len(results[name]["trials"]) == 10 for name in ("all_single", "all_multi", "indoor_single"))
    assert "indoor_multi" in said["evaluate"]
    assert "by chance" in said["evaluate"]
    assert said["search"].count("rank") == 2
    assert Image.open(way / "search.png").width > 1000
    assert "all_single" in said["report"]
    assert (way / "run" / "report.html").stat().st_size > 10_000


def test_drawing_with_replacement_is_said_once(way):
    lines = json.loads((way / "said.json").read_text())["train"]["err"].splitlines()
    assert [line for line in lines if "drawn with replacement" in line] == [
        "tapetum: K = 6 is more than the 4 infrared crops of person 1 (and 7 more): drawn with replacement"
    ]


@pytest.fixture
def say(way, tmp_path, monkeypatch, capsys):
    """Run a command line in this process, in a folder that holds the way's `people` and `run`: (exit code, stderr)."""
    for name in ("people", "run", "tiny.yaml"):
        (tmp_path / name).symlink_to(way / name)
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(line: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tapetum", *shlex.split(line)])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code or 0, capsys.readouterr().err

    return run


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
    ("evaluate", "what shall be tested? Give a file of embeddings, or --features-mat with --root."),
    ("evaluate nope", "nope does not exist. Give the file that `tapetum embed` has written."),
    ("evaluate run", "run is a folder. Give the file that `tapetum embed` has written."),
    ("evaluate tiny.yaml", "tiny.yaml is not a readable Parquet file. Make it again with `tapetum embed`."),
    ("evaluate run/embeddings.parquet --draw agv", "no draw is called 'agv'. Did you mean 'agw'? Known: agw, official"),
    ("evaluate run/embeddings.parquet --distance l2", "no distance is called 'l2'. Known: cosine, euclidean."),
    ("evaluate run/embeddings.parquet --permutations nope.mat", "nope.mat does not exist. It comes with the official"),
    ("evaluate run/embeddings.parquet -o empty", "empty is a folder, and a file is to be written there."),
    ("evaluate --features-mat empty --root people", "empty has 0 files *_cam1.mat. Expected one for each camera"),
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
        ("evaluate run/embeddings.parquet -o out/r.json", "out/r.json"),
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


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        ("embed run --root people --workers 0 -o e.parquet", "tapetum.embedding._embed_batch"),
        ("evaluate run/embeddings.parquet -o r.json", "tapetum.evaluation.evaluate.score_trials"),
        ("report run -o r.html", "tapetum.report.run_report.write_report"),
    ],
)
def test_ctrl_c_is_one_line_and_130(say, line, stage, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, interrupt)
    code, error = say(line)
    assert (code, error) == (
        130,
        "tapetum: interrupted. Nothing half-written stays behind; the same command goes on from what was finished.\n",
    )
    assert not Path(line.split()[-1]).exists()


def interrupted(line: str, ready: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Start a command in a session of its own and send Ctrl-C to all of its processes once `ready` exists."""
    command = [sys.executable, "-m", "tapetum.cli", *line.split()]
    process = subprocess.Popen(
        command, cwd=folder, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        while process.poll() is None and not ready.exists():
            time.sleep(0.005)
        assert process.poll() is None, "it ended before it could be interrupted"
        os.killpg(process.pid, signal.SIGINT)
        out, error = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, process.returncode, out, error)


def living(session: str) -> list[str]:
    found = []
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = status.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if session in words:
            found.append(words)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_an_interrupted_training_ends_quietly_and_goes_on(way, tmp_path, say):
    line = f"train {way}/tiny.yaml --root {way}/people --output {tmp_path}/stopped --set schedule.epochs=8"
    stopped = interrupted(line, tmp_path / "stopped" / "last.ckpt", tmp_path)
    assert stopped.returncode == 130
    assert stopped.stderr.splitlines()[-1].startswith("tapetum: interrupted. Nothing half-written stays behind")
    assert "Traceback" not in stopped.stdout + stopped.stderr
    assert not living(str(tmp_path / "stopped")), "no process is left"
    assert not list((tmp_path / "stopped").rglob("*.part"))
    assert json.loads((tmp_path / "stopped" / "run.json").read_text())["finished"] is False
    assert say(line)[0] == 0
    assert json.loads((tmp_path / "stopped" / "run.json").read_text())["finished"] is True


def test_workers_that_open_pictures_do_not_hear_ctrl_c(way, monkeypatch):
    # Ctrl-C goes to every process of a terminal; a worker that hears it prints a traceback while it starts.
    pictures = sorted((way / "people").glob("cam*/*/*.jpg"))
    held: list[bool] = []
    real = signal.pthread_sigmask

    def watched(how, signals):
        held.append(how == signal.SIG_BLOCK and signal.SIGINT in signals)
        return real(how, signals)

    monkeypatch.setattr(signal, "pthread_sigmask", watched)
    open_all([(path, frozenset()) for path in pictures], workers=2)
    assert held
    assert held[0]
    assert signal.SIGINT not in real(signal.SIG_BLOCK, set()), "and it is heard again afterwards"


def test_the_output_of_a_command_can_be_cut_off(way):
    command = f"{shlex.quote(sys.executable)} -m tapetum.cli evaluate run/embeddings.parquet -o again.json | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=way, capture_output=True, text=True, timeout=60)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    (way / "again.json").unlink()


@pytest.mark.parametrize("words", [[], ["data"], *([*c.split(), "--help"] for c in ("train", "embed", "data check"))])
def test_help_fits_the_terminal_and_shows_examples(words, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["tapetum", *words])
    with pytest.raises(SystemExit):
        main()
    text, error = capsys.readouterr()
    assert error == ""
    assert "Usage: tapetum" in text
    assert max(map(len, text.splitlines())) <= 80
    assert words == ["data"] or "Example" in text


def test_help_is_quick():
    # Seconds of processor, not of the clock: other work on the machine does not count.
    code = (
        "import sys, time; sys.argv = ['tapetum', '--help']\n"
        "from tapetum.cli import main\n"
        "try: main()\n"
        "finally: print(time.process_time(), file=sys.stderr)"
    )
    fastest = min(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr) for _ in range(3)
    )
    assert fastest < 0.5


def test_the_version_is_told(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tapetum", "--version"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code
    assert re.fullmatch(r"tapetum \d+\.\d+\.\d+\n", capsys.readouterr().out)
