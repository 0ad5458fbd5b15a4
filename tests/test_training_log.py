"""The log: values by name, written anew from the step that a resumed run begins with."""

from __future__ import annotations

from tapetum.training_log import TrainingLog, read_log


def write(folder, first_step, lines):
    log = TrainingLog(folder, first_step)
    for step, epoch, values in lines:
        log.add(step, epoch, values)
    log.close()


def test_what_is_added_is_read_back_exactly(tmp_path):
    write(tmp_path, 0, [(9, 0, {"model/total": 0.1 + 0.2, "model/identity": 1e-30}), (19, 1, {"val/mAP": 1 / 3})])
    assert read_log(tmp_path / "log.csv") == [
        (9, 0, "model/total", 0.1 + 0.2), (9, 0, "model/identity", 1e-30), (19, 1, "val/mAP", 1 / 3),
    ]  # fmt: skip
    assert (tmp_path / "log.csv").read_text().splitlines()[0] == "step,epoch,name,value"
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_resumed_run_writes_its_lines_anew(tmp_path):
    write(tmp_path, 0, [(9, 0, {"a": 1.0}), (19, 1, {"a": 2.0}), (29, 2, {"a": 3.0})])
    write(tmp_path, 19, [(19, 1, {"a": 20.0})])
    assert [(step, value) for step, _, _, value in read_log(tmp_path / "log.csv")] == [(9, 1.0), (19, 20.0)]


def test_a_cut_or_foreign_line_is_left_out(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"step,epoch,name,value\n9,0,a,1.5\n\xff\xfe,x\n19,1,a\n29,1,a,2.5\n39,1,a,")
    assert read_log(path) == [(9, 0, "a", 1.5), (29, 1, "a", 2.5)]
    assert read_log(tmp_path / "missing.csv") == []
