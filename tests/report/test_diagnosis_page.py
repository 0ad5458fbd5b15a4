"""The page's diagnosis: the numbers of the run, and a sentence in place of each part that nothing is there for."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tapetum.core import Crop, Modality, Protocol, Trial
from tapetum.embedding_table import EmbeddingTable
from tapetum.evaluation.calibration import Calibration
from tapetum.evaluation.metrics import score_trials
from tapetum.evaluation.query_results import collect_queries
from tapetum.report.diagnosis import diagnosis_view, subject_of
from tapetum.report.page import ReportedRun, write_report


@pytest.fixture(scope="module")
def run() -> ReportedRun:
    """12 persons, two crops each in camera 3 (infrared), which asks, and in cameras 1 and 10 (visible)."""
    random = np.random.default_rng(0)
    crops, vectors = [], []
    for person in range(12):
        for camera in ("1", "3", "10"):
            for number in range(2):
                modality = Modality.IR if camera == "3" else Modality.RGB
                crops.append(Crop(f"cam{camera}/{person}/{number}.png", person, camera, modality))
                vectors.append(np.eye(12)[person] + 0.5 * random.normal(size=12))
    table = EmbeddingTable(np.array(vectors, dtype=np.float32), tuple(crops), {"root": "nowhere"})
    query = np.flatnonzero([crop.camera == "3" for crop in crops])
    gallery = np.flatnonzero([crop.camera != "3" for crop in crops])
    trials = (Trial(query, gallery), Trial(query, gallery[::2]))
    return ReportedRun("Demo", table=table, protocol=Protocol("sysu_mm01", "official", {"all_single": trials}))


@pytest.fixture(scope="module")
def view(run):
    subject = subject_of(run.table, run.protocol, "all_single", "euclidean")
    return diagnosis_view(subject, None, "all_single", 0)


def section(tmp_path, run) -> str:
    text = write_report(tmp_path / "report.html", run).read_text()
    found = re.search(r"<section>\s*<h2>Diagnosis.*?</section>", text, re.DOTALL)
    return " ".join(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", found.group(), flags=re.DOTALL).split())


def test_every_part_is_on_the_page(tmp_path, run, view):
    text = section(tmp_path, run)
    for words in ("By camera", "By person", "By score", "Maps of the embeddings", "means over its 2 trials"):
        assert words in text
    pair = view["cameras"]["cells"]["3", "10"]
    assert f"{100 * pair.mAP:.1f} r1 {100 * pair.r1:.1f} · 24" in text
    worst = view["persons"]["worst"][0]
    assert f"person {worst.person} 2 {100 * worst.r1:.1f} {100 * worst.mAP:.1f}" in text
    assert "48 first answers to queries of 12 persons" in text
    assert "dealt to 5 folds" in text
    assert f"expected calibration error is {100 * view['scores']['ece']:.1f} %" in text
    assert "72 crops of 12 persons, drawn with seed 0" in text


def test_cameras_stand_in_the_order_of_their_numbers(view):
    cameras = view["cameras"]
    assert (cameras["query"], cameras["gallery"]) == (["3"], ["1", "10"])
    assert cameras["lights"] == {"1": "visible", "3": "infrared", "10": "visible"}
    # Two and one right images of 24 and 12 in trials 1 and 2: E[CMC_1] = 1/12 both times.
    assert cameras["chance"]["rank 1"] == "8.3 %"


def test_persons_are_the_same_from_single_queries_and_from_embeddings(run, view):
    persons = np.array([crop.person for crop in run.table.crops])
    scored = score_trials(run.table.vectors, persons, run.protocol.settings["all_single"])
    queries = collect_queries({"all_single": scored, "other": scored[:1]}, [run.table.crops], {})
    alone = diagnosis_view(None, queries, "all_single", 0)
    assert alone["persons"]["worst"] == view["persons"]["worst"]
    assert alone["cameras"] is alone["scores"] is alone["map"] is None


def test_single_queries_alone_make_the_part_of_persons(tmp_path, run):
    persons = np.array([crop.person for crop in run.table.crops])
    scored = score_trials(run.table.vectors, persons, run.protocol.settings["all_single"])
    queries = collect_queries({"all_single": scored}, [run.table.crops], {})
    results = {"all_single": {"trials": [{}], "mean": {"mAP": 0.5}}}
    text = section(tmp_path, ReportedRun("Bare", results=results, queries=queries))
    assert "By person" in text
    assert "By camera" not in text
    assert "No diagnosis is shown" not in text


def test_the_curve_on_the_page_is_a_calibration(view):
    curve = Calibration.from_json(json.loads(view["scores"]["curve"]))
    assert curve.answers == 48


def test_without_embeddings_a_sentence_stands_there(tmp_path, run):
    assert "No diagnosis is shown: it needs the table of embeddings" in section(tmp_path, replace(run, table=None))


def test_without_a_query_that_counts_a_sentence_stands_there(tmp_path, run):
    nobody = Protocol("sysu_mm01", "official", {"all_single": (Trial(np.array([2]), np.array([6])),)})
    assert subject_of(run.table, nobody, "all_single", "euclidean") is None
    assert "No diagnosis is shown" in section(tmp_path, replace(run, protocol=nobody))


def test_one_person_asked_for_is_too_few_for_a_probability(tmp_path, run):
    few = Protocol("sysu_mm01", "official", {"all_single": (Trial(np.array([2]), np.array([0, 6])),)})
    text = section(tmp_path, replace(run, protocol=few))
    assert "What a score means is not shown: it takes queries of two persons or more." in text
    assert "By camera" in text


def test_reranked_figures_have_columns_of_their_own(tmp_path):
    plain = {"trials": [{}, {}], "mean": {"mAP": 0.5, "r1": 0.4}, "std": {"mAP": 0.02}}
    reranked = {"mean": {"mAP": 0.61, "r1": 0.45}, "std": {"mAP": 0.01}, "k1": 20, "k2": 6, "weight": 0.3}
    output = tmp_path / "report.html"
    text = write_report(output, ReportedRun("Bare", results={"all": {**plain, "reranked": reranked}})).read_text()
    (row,) = re.findall(r"<th scope=\"row\">this run</th>(.*?)</tr>", text, flags=re.DOTALL)
    cells = [" ".join(re.sub("<[^>]+>", "", cell).split()) for cell in re.findall("<td[^>]*>(.*?)</td>", row)]
    assert cells == ["40.00", "–", "–", "–", "50.00 ± 2.00", "–", "45.00", "61.00 ± 1.00", "–"]
    assert '<th class="first" scope="colgroup" colspan="3">re-ranked</th>' in text
    assert "Compare it\n  with other re-ranked figures only" in text
    without = write_report(output, ReportedRun("Bare", results={"all": plain})).read_text()
    assert "re-ranked" not in without
