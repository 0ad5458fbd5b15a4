"""The page: it holds everything it shows, says what is missing, and shows the numbers it was given."""

import csv
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tapetum.core import Crop, Modality, Protocol, Trial
from tapetum.embedding_table import EmbeddingTable
from tapetum.errors import OutputError
from tapetum.report.page import ReportedRun, write_report

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """A page taken apart: elements with attributes, and the text of table cells and of the whole."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.rows, self.words = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)
            if {"td", "th"} & set(self.open):
                self.rows[-1][-1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    @property
    def table(self):
        return [[" ".join(cell.split()) for cell in row] for row in self.rows]

    def all(self, tag, kind=""):
        return [a for name, a in self.elements if name == tag and kind in (a.get("class") or "")]


def results():
    trials = [
        {
            "cmc": [0.2 + d, 0.4, 0.6],
            "mAP": 0.24,
            "mINP": 0.1,
            "valid_queries": 1200 + n,
            "gallery": 301,
            "queries": 1300,
        }
        for n, d in enumerate((-0.05, 0.05))
    ]
    mean = {"cmc": [0.2, 0.4, 0.6], "r1": 0.2, "r5": 0.6, "r10": 0.7, "r20": 0.8, "mAP": 0.24, "mINP": 0.1}
    std = {"r1": 0.05, "r5": 0.01, "r10": 0.02, "r20": 0.03, "mAP": 0.004, "mINP": 0.0}
    setting = {"trials": trials, "mean": mean, "std": std, "chance": {"r1": 0.01, "mAP": 0.03}}
    alone = {**setting, "trials": trials[:1], "chance": {}}
    return {
        "all_single": setting,
        "day_to_night": alone,
        "protocol": "SYSU-MM01",
        "draw": "official",
        "made": {"seed": 3},
        "notes": ["a remark of the evaluation"],
    }


def make_run(folder):
    """12 persons, an infrared query and two visible gallery pictures each; the vectors tell them apart."""
    crops, vectors = [], []
    for person in range(12):
        for camera in "312":
            path = f"cam{camera}/{person}.png"
            (folder / path).parent.mkdir(exist_ok=True)
            Image.new("RGB", (24, 48), (20 * person, 90, 120)).save(folder / path)
            crops.append(Crop(path, person, camera, Modality.IR if camera == "3" else Modality.RGB))
            vectors.append(np.eye(12)[person] + 0.01)
    table = EmbeddingTable(np.asarray(vectors, dtype=np.float32), tuple(crops), {"root": str(folder)})
    rows = np.arange(36)
    trial = Trial(rows[::3], rows[rows % 3 > 0])
    log = folder / "log.csv"
    with log.open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("step", "epoch", "name", "value"),
                (0, 0, "model/total", 2.0),
                (9, 1, "model/total", 1.0),
                (9, 1, "val/mAP", 0.4),
            ]
        )
    record = {
        "command": "tapetum train recipe.yaml",
        "seed": 4,
        "versions": {"tapetum": "0.1.0", "torch": "2.8"},
        "recipe": {"method": "two_stream", "batch": {"persons": 8}},
    }
    return ReportedRun("Demo", record, results(), log, table, Protocol("sysu", "official", {"all_single": (trial,)}))


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The text of the page of an unspoilt run, two queries of each kind."""
    folder = tmp_path_factory.mktemp("demo")
    output = write_report(folder / "out" / "report.html", make_run(folder), queries=2)
    assert [path.name for path in output.parent.iterdir()] == ["report.html"]
    return output.read_text()


def page_of(output, run, **options):
    return Page(write_report(output, run, **options).read_text())


def test_nothing_is_loaded_from_elsewhere(demo):
    page = Page(demo)
    sources = [
        a[name] for _, a in page.elements for name in ("src", "href", "xlink:href", "srcset", "data") if a.get(name)
    ]
    assert sources
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert not re.search(r"@import|url\(\s*[^#)]", demo)
    assert "script" not in {tag for tag, _ in page.elements}
    assert len(demo) < 3_000_000


def test_every_tag_is_closed_and_every_name_is_used_once(demo):
    page = Page(demo)
    assert page.open == []
    names = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert max(names.values()) == 1
    used = {
        value[1:] for _, a in page.elements for key, value in a.items() if key.endswith("href") and value[:1] == "#"
    }
    assert used <= set(names)


def test_the_table_by_hand(demo):
    # r1: 20 % against 1 % is 20 times chance; mAP: 24 % against 3 % is 8 times. No chance is known for the rest.
    page = Page(demo)
    rows = page.table
    assert rows[0][1:] == ["rank 1", "rank 5", "rank 10", "rank 20", "mAP", "mINP"]
    assert rows[1] == ["All search, single-shot 2 trials, gallery 301, 1,200 to 1,201 of 1,300 queries count"]
    assert rows[2] == [
        "this run",
        "20.00 ± 5.00",
        "60.00 ± 1.00",
        "70.00 ± 2.00",
        "80.00 ± 3.00",
        "24.00 ± 0.40",
        "10.00 ± 0.00",
    ]
    assert rows[3] == ["chance", "1.00", "–", "–", "–", "3.00", "–"]
    assert rows[4] == ["times chance", "20.0 ×", "–", "–", "–", "8.0 ×", "–"]
    assert {a.get("scope") for a in page.all("th")} == {"col", "row", "rowgroup"}
    assert "20.0 times chance (1.0 %)" in page.text
    assert "protocol: SYSU-MM01 · draw: official" in page.text
    assert "a remark of the evaluation" in page.text


@pytest.mark.parametrize(
    ("rule", "words"), [("identities", "Each person of the gallery counts once"), ("images", "Every picture")]
)
def test_what_rank_k_counts_is_said(tmp_path, rule, words):
    assert words in page_of(tmp_path / "report.html", ReportedRun("Rule", results={**results(), "cmc": rule})).text


def test_one_trial_has_no_deviation_and_an_unknown_setting_its_own_name(demo):
    rows = Page(demo).table
    assert rows[5] == ["Day to night 1 trial, gallery 301, 1,200 of 1,300 queries count"]
    assert rows[6] == ["this run", "20.00", "60.00", "70.00", "80.00", "24.00", "10.00"]


def test_strips_are_marked_and_spoken(demo):
    page = Page(demo)
    # 2 drawn and 2 hardest queries, 10 answers each, of which the person's own two pictures stand first.
    assert len(page.all("figure", "strip")) == 4
    marks = [a["class"].split()[1] for a in page.all("li", "tile")]
    assert marks == (["query"] + ["right"] * 2 + ["wrong"] * 8) * 4
    pictures = page.all("img")
    assert len(pictures) == 44
    assert all(picture["alt"] for picture in pictures)
    assert pictures[0]["alt"].startswith("query: camera 3, infrared, person ")
    assert pictures[1]["alt"] == "rank 1, score 1.00, camera 1; right: the same person"
    assert "2 of 12 queries, drawn with seed 0. None was chosen by eye." in page.text
    assert (
        "Average precision 100.0 %. The first right answer stands at rank 1 of 24; 2 of them show this person."
        in page.text
    )


def test_a_missing_picture_is_said_in_its_place(tmp_path, run):
    for path in tmp_path.glob("cam1/*.png"):
        path.unlink()
    page = page_of(tmp_path / "report.html", replace(run, results=None, log=None), queries=1)
    gone = page.all("div", "gone")
    assert gone
    assert all("the picture cannot be read" in a["aria-label"] for a in gone)
    assert "no picture: cam1/" in page.text


def test_how_it_was_made_is_shown(demo):
    text = Page(demo).text
    for part in (
        "tapetum train recipe.yaml",
        "tapetum 0.1.0, torch 2.8",
        "method: two_stream batch: persons: 8",
        "seed: 3",
    ):
        assert part in text


def test_what_is_missing_is_left_out_with_a_sentence(tmp_path):
    page = page_of(tmp_path / "report.html", ReportedRun("Bare", log=tmp_path / "none.csv"))
    for sentence in (
        "No results are shown",
        "No strips are shown",
        "No training curves are shown",
        "There is no record",
        "What it is not for",
    ):
        assert sentence in page.text
    assert page.all("img") == page.all("table") == []


def test_what_comes_from_outside_is_text_and_never_markup(tmp_path, run):
    evil = '<script>alert("x")</script>'
    crops = tuple(Crop(f'{evil}"{c.path}', c.person, f'"><em>{c.camera}', c.modality) for c in run.table.crops)
    table = EmbeddingTable(run.table.vectors, crops, {"root": evil})
    run.log.write_text(f'step,epoch,name,value\n0,0,"model/{evil.replace(chr(34), chr(34) * 2)}",1.0\n')
    bad = ReportedRun(
        evil,
        {evil: evil, "deep": {evil: [evil]}},
        {**results(), evil: results()["all_single"]},
        run.log,
        table,
        run.protocol,
    )
    text = write_report(tmp_path / "report.html", bad).read_text()
    page = Page(text)
    assert "<script" not in text
    assert "<em>" not in text
    assert evil in page.text
    assert page.open == []


def test_the_same_run_gives_the_same_page(tmp_path, run):
    one, two = (write_report(tmp_path / name, run, queries=3, seed=1) for name in ("one.html", "two.html"))
    assert one.read_bytes() == two.read_bytes()
    assert "3 of 12 queries, drawn with seed 1." in Page(one.read_text()).text


def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match=r"report\.html is a folder"):
        write_report(tmp_path / "report.html", ReportedRun("Bare"))
    assert not list(tmp_path.glob(".*part"))
