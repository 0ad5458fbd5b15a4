"""Writing: whole or not at all."""

from __future__ import annotations

import errno
import json
import os

import pytest

from tapetum.errors import OutputError
from tapetum.outputs import atomic_file, made_by, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "result.json"
    write_json(target, {"mAP": 0.5})

    def fail():
        with atomic_file(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert json.loads(target.read_text()) == {"mAP": 0.5}
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_values_that_are_not_finite_are_refused(tmp_path):
    with pytest.raises(ValueError, match="nan|JSON"):
        write_json(tmp_path / "x.json", {"mAP": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_named(tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        write_json(tmp_path, {})


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write .*file/x.json: "):
        write_json(tmp_path / "file" / "x.json", {})


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device. Give another place or free this one."):
        write_json(tmp_path / "x.json", {})
    assert list(tmp_path.iterdir()) == []


def test_records_say_command_versions_and_facts():
    record = made_by(seed=3)
    assert record["seed"] == 3
    assert {"python", "numpy", "torch"} <= set(record["versions"])
    assert record["command"]
