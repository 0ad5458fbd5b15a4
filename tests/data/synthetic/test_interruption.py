"""Ctrl-C and kill -9 in the middle of a real generation with two workers: nothing broken stays, nobody stays."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tapetum.data.synthetic import SynthesisSpec, generate
from tapetum.data.synthetic.processes import share_out
from tapetum.errors import InternalError

SPEC = SynthesisSpec(train=40, val=0, test=40, per_camera=1, seed=9)
PROGRAM = """
import sys
from pathlib import Path
from tapetum.data.synthetic import SynthesisSpec, generate

if __name__ == "__main__":
    spec = SynthesisSpec(train=40, val=0, test=40, per_camera=1, seed=9)
    generate(spec, Path(sys.argv[1]), workers=2, progress=lambda done, _: print(done, flush=True))
"""


def _processes_of_group(group: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == group:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z":
                    found.append(int(entry.name))
        except (OSError, IndexError):
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_generation_leaves_whole_pictures_and_no_process(tmp_path: Path, how: signal.Signals) -> None:
    program, out = tmp_path / "program.py", tmp_path / "out"
    program.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, str(program), str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    while int(process.stdout.readline()) < 6:
        pass
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does: to every process of the group
    else:
        process.kill()
    _, complaints = process.communicate(timeout=20)
    assert process.returncode != 0
    assert complaints.count("Traceback") <= (2 if how == signal.SIGINT else 20)
    patience = time.monotonic() + 10
    while _processes_of_group(process.pid) and time.monotonic() < patience:
        time.sleep(0.05)
    assert _processes_of_group(process.pid) == []
    assert not (out / "synth.json").exists()
    for picture in out.glob("cam*/*/*.jpg"):
        Image.open(picture).load()
    if how == signal.SIGINT:
        assert list((out / ".progress").glob("*.part")) == []
    marks = len(list((out / ".progress").glob("0*.json")))
    assert 6 <= marks < 80
    if how == signal.SIGKILL:
        first_calls: list[int] = []
        small = SynthesisSpec(train=40, val=0, test=40, per_camera=1, seed=9)
        with pytest.raises(StopIteration):
            generate(small, out, workers=1, progress=lambda done, _: _stop_after(first_calls, done))
        assert first_calls == [marks]


def test_a_mark_that_was_never_renamed_is_cleared(tmp_path: Path) -> None:
    small = SynthesisSpec(train=2, val=0, test=1, per_camera=1, seed=9)
    with pytest.raises(StopIteration):
        generate(small, tmp_path, workers=1, progress=lambda done, _: _stop_after([], done) if done else None)
    (tmp_path / ".progress" / ".0002.json.77.part").write_text("{")
    (tmp_path / ".progress" / "0003.part").mkdir()
    assert generate(small, tmp_path, workers=1).persons == 3
    assert not (tmp_path / ".progress").exists()


def _stop_after(calls: list[int], done: int) -> None:
    calls.append(done)
    raise StopIteration


def _die(_item: int) -> None:
    os._exit(3)


def test_a_worker_that_dies_is_reported() -> None:
    with pytest.raises(InternalError, match="worker process ended"):
        list(share_out(_die, (), [1, 2], 2))


def _fail(item: int) -> None:
    raise ValueError(f"item {item}")


def test_an_error_of_a_worker_is_raised_here() -> None:
    with pytest.raises(ValueError, match="item"):
        list(share_out(_fail, (), [1, 2], 2))
