"""What many tests share: a tiny SYSU-shaped dataset that a tiny network can learn in seconds; one pass of commands."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tapetum.cli import main
from tiny_recipe import TINY

SPLITS = {"train": range(1, 9), "val": range(9, 12), "test": range(12, 17)}
CAMERAS = "123456"
SHOTS = 2


def pytest_configure() -> None:
    """Hear Ctrl-C even where the tests were started in the background of a script, which ignores it for all it starts.

    Commands under test inherit that, and some tests interrupt them.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with official split files and golden results; the test is skipped where there is none."""
    folder = os.environ.get("TAPETUM_SHARED")
    if not folder:
        pytest.skip("TAPETUM_SHARED is not set: official split files and golden results are not here")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_sysu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 persons x 6 cameras x 2 pictures of 32 x 16: each person a pattern of stripes, tinted in RGB, grey in IR."""
    root = tmp_path_factory.mktemp("tiny_sysu")
    (root / "exp").mkdir()
    for split, persons in SPLITS.items():
        (root / "exp" / f"{split}_id.txt").write_text(",".join(str(person) for person in persons) + "\n")
        for person in persons:
            for camera in CAMERAS:
                _draw_person(root / f"cam{camera}" / f"{person:04d}", person, camera)
    return root


def _draw_person(folder: Path, person: int, camera: str) -> None:
    folder.mkdir(parents=True)
    stripes = np.random.default_rng(person).integers(0, 2, 8).repeat(4) * 150.0
    for shot in range(SHOTS):
        rng = np.random.default_rng([person, int(camera), shot])
        tint = np.ones(3) if camera in "36" else rng.uniform(0.5, 1.0, 3)
        pixels = 40 + stripes[:, None, None] * tint + rng.normal(0, 12, (32, 16, 3 if camera not in "36" else 1))
        image = Image.fromarray(np.broadcast_to(pixels, (32, 16, 3)).clip(0, 255).astype(np.uint8))
        image.save(folder / f"{shot + 1:04d}.jpg", quality=95)


RECIPE = {
    **TINY,
    "batch": {"persons": 4, "crops": 6, "steps_per_epoch": 6},  # K = 6 is more than a person's 4 infrared crops
    "schedule": {"epochs": 2, "warmup_epochs": 1, "shape": "cosine"},
    "validation": None,
}


def in_a_process(*words: object, **more) -> subprocess.CompletedProcess[str]:
    """The real command line in a process of its own."""
    command = [sys.executable, "-m", "tapetum.cli", *map(str, words)]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, **more)


@pytest.fixture(scope="session")
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
        "evaluate run/embeddings.parquet --distance cosine --rerank --output cosine.json",
        "compare run cosine=cosine.json --setting all_single --resamples 100",
        "report run --queries 2",
    ]
    said = {}
    for command in commands:
        done = in_a_process(*command.split(), cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        said[command.split(" -")[0].split()[0]] = {"out": done.stdout, "err": done.stderr}
    (folder / "said.json").write_text(json.dumps(said))
    return folder


@pytest.fixture
def say(way, tmp_path, monkeypatch, capsys):
    """Run a command line in this process, in a folder that holds the way's `people` and `run`: (exit code, stderr)."""
    for name in ("people", "run", "tiny.yaml"):
        (tmp_path / name).symlink_to(way / name)
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "vectors.npy", np.eye(2))
    (tmp_path / "table.csv").write_text("path\nnobody.jpg\nno.jpg\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(line: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tapetum", *shlex.split(line)])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code or 0, capsys.readouterr().err

    return run
