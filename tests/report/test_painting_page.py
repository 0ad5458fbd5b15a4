"""The page's part about paintings: words, pictures and files, and nothing of it for other methods."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from generative_runs import QUICK, draw_run

from small_model import write_model
from tapetum.cli import main
from tapetum.data.catalogue import read_dataset
from tapetum.data.synthetic import SynthesisSpec, generate
from tapetum.embedding import embed_dataset
from tapetum.report.run_report import report_run
from tapetum.run_folder import begin, finish
from tiny_recipe import tiny_recipe

SHEETS = {f"{name}.png" for name in ("reconstruction", "swaps", "interpolation", "structure", "edges")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run and ten generated persons, embedded."""
    folder = tmp_path_factory.mktemp("whole")
    generate(SynthesisSpec(train=1, val=0, test=10, per_camera=1), folder / "people", workers=1)
    run = draw_run("unet_disentangling", folder / "people", folder / "run")
    embed_dataset(run, read_dataset("sysu_mm01", folder / "people"), "test", run / "embeddings.parquet", workers=0)
    return run


def page_of(run: Path) -> str:
    return report_run(run, run / "report.html", look=QUICK)[1].read_text(encoding="utf-8")


def part_of(page: str) -> str:
    """The words of the part about paintings."""
    found = re.search(r"<h2>What it paints</h2>.*?</section>", page, re.DOTALL)
    return "" if found is None else " ".join(re.sub(r"<[^>]*>", " ", found[0]).split())


def test_through_the_command_line(whole, tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.html"
    monkeypatch.setattr("sys.argv", ["tapetum", "report", str(whole), "--measured", "10", "--output", str(page)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code in (0, None), capsys.readouterr().err
    assert {path.name for path in (tmp_path / "page_pictures").iterdir()} == SHEETS
    text = page.read_text(encoding="utf-8")
    assert text.count('<figure class="sheet">') == 5
    assert (
        len([alt for alt in re.findall(r'<img src="data:[^"]*" width="\d+" height="\d+" alt="([^"]*)"', text) if alt])
        == 5
    )
    words = part_of(text)
    assert "From 10 visible pictures of 10 persons and 10 infrared pictures of 10 persons." in words
    assert "split “test” with seed 0" in words
    assert "the run&#39;s own embedding" in words
    assert "Body shape known beyond a guess: structure" in words
    assert "(60 pictures of 10 persons, in five folds)" in words
    assert "folder page_pictures as PNG files" in words


def test_without_the_record_of_the_people_the_table_of_probes_is_left_out(whole, monkeypatch):
    monkeypatch.setattr("tapetum.report.code_truth.synthetic_truth", lambda root, crops: None)
    words = part_of(page_of(whole))
    assert "No table of probes is shown" in words
    assert words == part_of(page_of(whole)), "the same every time"


def test_what_is_missing_is_said_and_no_folder_is_made(whole, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run", ignore=shutil.ignore_patterns("report*", "embeddings.parquet"))
    assert "No paintings are shown: there is no table of embeddings" in part_of(page_of(run))
    assert not (run / "report_pictures").exists()


def test_a_run_that_paints_nothing_has_no_part(tiny_sysu, tmp_path):
    run = tmp_path / "run"
    begin(run, tiny_recipe(), read_dataset("sysu_mm01", tiny_sysu))
    finish(run, {"epoch": 2}, write_model(run))
    assert part_of(page_of(run)) == ""
