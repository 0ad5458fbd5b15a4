"""The command line as a user meets it: one pass through every command, Ctrl-C, and help."""

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
from PIL import Image

from tapetum.cli import main
from tapetum.data.image_check import open_all


def test_one_pass_through_every_command(way):
    said = {name: streams["out"] for name, streams in json.loads((way / "said.json").read_text()).items()}
    assert "Images opened: 144." in said["data"]
    assert "Next: tapetum embed run --root people" in said["train"]
    assert said["embed"] == "The vectors are in run/embeddings.parquet.\n"
    assert pq.read_table(way / "run" / "embeddings.parquet").num_rows == 48
    results = json.loads((way / "run" / "results.json").read_text())
    assert all(len(results[name]["trials"]) == 10 for name in ("all_single", "all_multi", "indoor_single"))
    assert pq.read_table(way / "run" / "results.queries.parquet").num_rows > 100
    assert "indoor_multi" in said["evaluate"]
    assert "by chance" in said["evaluate"]
    assert "ranked" in said["evaluate"]
    assert "run − cosine: paired test" in said["compare"]
    assert said["search"].count("rank") == 2
    assert Image.open(way / "search.png").width > 1000
    assert "all_single" in said["report"]
    assert (way / "run" / "report.html").stat().st_size > 10_000


def test_drawing_with_replacement_is_said_once(way):
    lines = json.loads((way / "said.json").read_text())["train"]["err"].splitlines()
    assert [line for line in lines if "drawn with replacement" in line] == [
        "tapetum: K = 6 is more than the 4 infrared crops of person 1 (and 7 more): drawn with replacement"
    ]


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
