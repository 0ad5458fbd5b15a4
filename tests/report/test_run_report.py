"""From a run's folder to its page: it works at every state of a run, and never mixes two of them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from small_model import write_model
from tapetum.core import Modality
from tapetum.data.catalogue import read_dataset
from tapetum.data.folder import read_unlabelled
from tapetum.data.sysu_mm01 import read
from tapetum.embedding import embed_dataset
from tapetum.errors import EmbeddingError, OutputError, RunError
from tapetum.evaluation.evaluate import evaluate_embeddings, evaluate_features
from tapetum.evaluation.query_results import query_results_path, read_query_results, write_query_results
from tapetum.evaluation.rules import Rules
from tapetum.report.run_report import report_run
from tapetum.run_folder import begin, finish
from tiny_recipe import tiny_recipe


@pytest.fixture(scope="module")
def whole(tiny_sysu, tmp_path_factory):
    """A finished run (of drawn weights) with embeddings and results."""
    run = tmp_path_factory.mktemp("runs") / "run"
    dataset = read(tiny_sysu)
    begin(run, tiny_recipe(), dataset)
    fingerprint = write_model(run)
    (run / "log.csv").write_text("step,epoch,name,value\n9,0,model/total,2.5\n19,1,model/total,1.5\n")
    finish(run, {"epoch": 2}, fingerprint)
    embed_dataset(run, dataset, "test", run / "embeddings.parquet", workers=0)
    evaluate_embeddings(run / "embeddings.parquet", run / "results.json", draw="agw")
    return run


@pytest.fixture
def run(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def page_of(run) -> str:
    _, page = report_run(run, run / "report.html")
    return page.read_text(encoding="utf-8")


def test_a_whole_run_becomes_a_page_with_its_results(run):
    results, page = report_run(run, run / "report.html", queries=2)
    text = page.read_text(encoding="utf-8")
    assert "two_stream on sysu_mm01" in text
    assert f"{100 * results['all_single']['mean']['mAP']:.2f}" in text
    assert text.count("data:image/") > 10, "ranked strips hold their pictures"


@pytest.mark.parametrize("missing", ["results.json", "embeddings.parquet", "log.csv", "model.safetensors"])
def test_what_is_not_there_yet_is_no_error(run, missing):
    (run / missing).unlink()
    assert "two_stream on sysu_mm01" in page_of(run)


def test_an_unfinished_run_has_a_page(run):
    for name in ("results.json", "embeddings.parquet", "log.csv", "model.json"):
        (run / name).unlink()
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "finished": False}))
    assert report_run(run, run / "report.html")[0] is None


def test_pictures_that_moved_away_are_no_error(run, tiny_sysu, tmp_path):
    moved = shutil.copytree(tiny_sysu, tmp_path / "data")
    embed_dataset(run, read(moved), "test", run / "embeddings.parquet", workers=0)
    evaluate_embeddings(run / "embeddings.parquet", run / "results.json", draw="agw")
    shutil.rmtree(moved)
    assert "two_stream on sysu_mm01" in page_of(run)


def test_what_is_no_run_is_said(tmp_path):
    with pytest.raises(RunError, match="has no run.json. Give the folder of a run that `tapetum train` has written"):
        report_run(tmp_path, tmp_path / "report.html")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("results.json", "{", "results.json is not JSON. Make it again with `tapetum evaluate`"),
        ("results.json", "[]", "results.json holds no results. Make it again"),
        ("run.json", "{}", "run.json is no record of a run"),
        ("recipe.yaml", "a: [", "recipe.yaml cannot be read"),
    ],
)
def test_damaged_files_are_named_and_nothing_is_written(run, name, content, sentence):
    (run / name).write_text(content)
    with pytest.raises(RunError, match=sentence):
        report_run(run, run / "report.html")
    assert not (run / "report.html").exists()


def test_a_damaged_table_is_named_and_a_damaged_log_is_no_reason(run):
    (run / "log.csv").write_bytes(b"\xff\xfe\x00")
    page_of(run)
    whole = (run / "embeddings.parquet").read_bytes()
    (run / "embeddings.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EmbeddingError, match="embeddings.parquet is not a readable Parquet file"):
        report_run(run, run / "report.html")


def test_results_of_other_embeddings_and_embeddings_of_another_model_are_refused(run, tiny_sysu):
    embed_dataset(run, read(tiny_sysu), "trainval", run / "embeddings.parquet", workers=0)
    with pytest.raises(RunError, match="results.json was made from other embeddings than embeddings.parquet"):
        report_run(run, run / "report.html")
    write_model(run, seed=1)
    embed_dataset(run, read(tiny_sysu), "test", run / "embeddings.parquet", workers=0)
    with pytest.raises(RunError, match=r"embeddings.parquet was made by another model than .* Run `tapetum embed` ag"):
        report_run(run, run / "report.html")


@pytest.mark.parametrize(
    ("rules", "query", "gallery"),
    [
        (Rules(draw="agw"), "camera 3", "gallery 1"),
        (Rules(draw="agw", direction="rgb-to-ir"), "camera 1", "gallery 3"),
        (Rules(protocol="mixed"), "camera 1", "gallery 6"),
    ],
)
def test_the_diagnosis_is_of_the_protocol_that_was_evaluated(run, rules, query, gallery):
    evaluate_features([run / "embeddings.parquet"], run / "results.json", rules=rules)
    text = page_of(run)
    assert f'<th scope="row">{query} ' in text
    assert f'<th scope="col">{gallery} ' in text


def test_declared_queries_of_own_data_are_diagnosed_as_they_were_evaluated(run, tiny_sysu, tmp_path):
    dataset = read(tiny_sysu)
    crops = [dataset.crops[row] for row in dataset.rows("test") if dataset.crops[row].camera in "36"]
    sides = {"3": "query", "6": "gallery"}
    lines = [f"{tiny_sysu / c.path},{c.person},{c.camera},ir,{sides[c.camera]}" for c in crops]
    table = tmp_path / "crops.csv"
    table.write_text("\n".join(["path,person,camera,modality,split", *lines]))
    embed_dataset(run, read_dataset("folder", table), "test", run / "embeddings.parquet", workers=0)
    results = evaluate_embeddings(run / "embeddings.parquet", run / "results.json")
    assert (results["direction"], results["notes"]) == ("declared", [])
    text = page_of(run)
    assert '<th scope="row">camera 3 ' in text
    assert '<th scope="col">gallery 6 ' in text
    table.unlink()
    assert "<h3>By camera</h3>" not in page_of(run), "nobody can say any more who asks whom"


def test_results_of_a_time_without_single_queries_are_diagnosed_all_the_same(run):
    with_queries = page_of(run)
    query_results_path(run / "results.json").unlink()
    assert page_of(run) == with_queries


def test_single_queries_of_another_model_are_refused(run):
    path = query_results_path(run / "results.json")
    queries = read_query_results(path)
    write_query_results(path, replace(queries, record={**queries.record, "fingerprint": "0123"}))
    with pytest.raises(RunError, match="queries.parquet was made from the embeddings of another model than"):
        page_of(run)


def test_people_whom_nobody_knows_are_shown_and_not_evaluated(run, tiny_sysu):
    pictures = read_unlabelled(tiny_sysu / "cam3" / "0012", Modality.IR, "gate")
    embed_dataset(run, pictures, "all", run / "embeddings.parquet", workers=0)
    (run / "results.json").unlink()
    assert "two_stream on sysu_mm01" in page_of(run)
    with pytest.raises(EmbeddingError, match="holds 2 crops of persons whom nobody knows, .* `tapetum search`"):
        evaluate_embeddings(run / "embeddings.parquet", run / "results.json")
    assert not (run / "results.json").exists()


def test_a_page_that_cannot_be_written_is_said(run):
    with pytest.raises(OutputError, match="is a folder"):
        report_run(run, run)
