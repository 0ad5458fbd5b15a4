"""Which files RESULT means, what their rows are called, and what is said of a file that holds no results."""

from __future__ import annotations

import json

import pytest
from compared_runs import write_run

from tapetum.errors import RunError
from tapetum.report.comparison_inputs import read_runs


def names(*given):
    return [run.name for run in read_runs([str(word) for word in given])]


def test_a_run_a_file_or_a_folder_of_runs(tmp_path):
    for name in ("b", "a"):
        write_run(tmp_path / "runs" / name)
    (tmp_path / "runs" / "unfinished").mkdir()
    agw = tmp_path / "runs" / "a" / "agw.json"
    agw.write_text((tmp_path / "runs" / "a" / "results.json").read_text())
    assert names(tmp_path / "runs" / "b") == ["b"]
    assert names(tmp_path / "runs" / "b" / "results.json", agw) == ["b", "a/agw"]
    assert names(tmp_path / "runs") == ["a", "b"]
    assert names(f"ours={agw}", tmp_path / "runs" / "a") == ["ours", "a"]


def test_a_run_in_the_present_folder_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(write_run(tmp_path / "first"))
    assert names(".") == names("results.json") == ["first"]


def test_equal_names_become_paths_and_a_path_may_hold_an_equals_sign(tmp_path):
    one, other = write_run(tmp_path / "x" / "run"), write_run(tmp_path / "y" / "run")
    assert names(one, other) == [str(one / "results.json"), str(other / "results.json")]
    assert names(f"p={one}", other) == ["p", "run"]
    assert names(write_run(tmp_path / "lr=3")) == ["lr=3"]


def test_what_a_run_says_of_itself(tmp_path):
    record = {"method": "bdtr", "dataset": "regdb", "options": {"trial": 3, "val_persons": 20}}
    (run,) = read_runs([str(write_run(tmp_path / "a", record=record, dataset="generated people in regdb's layout"))])
    assert (run.method, run.dataset, run.data) == ("bdtr", "regdb", "generated people in regdb's layout, trial 3")
    (bare,) = read_runs([str(write_run(tmp_path / "b"))])
    assert (bare.method, bare.dataset, bare.data) == (None, "sysu_mm01", "sysu_mm01")


def test_paths_that_hold_nothing_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=r"empty holds no results\.json, nor does a folder in it\. Make one with"):
        names(tmp_path / "empty")
    with pytest.raises(RunError, match=r"nowhere does not exist\. Give a file of results, or a run"):
        names(f"a={tmp_path / 'nowhere'}")


def test_one_name_is_for_one_result(tmp_path):
    one, other = write_run(tmp_path / "runs" / "a"), write_run(tmp_path / "runs" / "b")
    with pytest.raises(RunError, match="two results are called 'x'"):
        names(f"x={one}", f"x={other}")
    with pytest.raises(RunError, match="two results are called"):
        names(one, one)
    with pytest.raises(RunError, match="holds 2 runs, which cannot all be called 'x'"):
        names(f"x={tmp_path / 'runs'}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw.pop("protocol"), "'protocol': field required"),
        (lambda raw: raw["all_single"]["mean"].update(mAP=64.6), "'mean.mAP'"),
        (lambda raw: raw["all_single"]["std"].pop("r1"), "'std.r1'"),
        (lambda raw: raw["all_single"].pop("chance"), "'chance'"),
        (lambda raw: raw["all_single"].update(trials=[]), "'trials'"),
        (lambda raw: raw.pop("all_single"), "it has no setting"),
    ],
)
def test_a_file_of_something_else_is_refused_by_name(tmp_path, change, said):
    path = write_run(tmp_path / "a") / "results.json"
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(RunError, match="holds no results") as refused:
        names(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe\x00"])
def test_a_file_that_is_no_json_is_refused_by_name(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"results\.json (is not JSON|holds no results)\. Make it again"):
        names(path)
