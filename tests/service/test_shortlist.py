"""Shortlists: chosen answers with their provenance, harmless in a spreadsheet and in a browser."""

from __future__ import annotations

import csv
import re
from datetime import datetime
from io import StringIO

import pytest
from api_calls import logged, search

from tapetum.core import Modality
from tapetum.service.messages import FoundCrop
from tapetum.service.shortlist import shortlist_csv, shortlist_html

HIT = FoundCrop(
    rank=1,
    id=7,
    score=-0.25,
    probability=None,
    camera="=HYPERLINK('x')",
    site="<script>alert(1)</script>",
    time=datetime(2026, 3, 1, 8),
    modality=Modality.IR,
    path='@cmd|"/c calc"!A1',
    thumbnail=None,
    folded=[8, 9],
)
PROVENANCE = {"search": "ab" * 16, "who": "desk", "filter": {"cameras": ["1"]}, "note": "-1 is <b>not</b>\r\n=2+2"}


def test_a_table_row_tells_the_answer_and_its_search():
    (row,) = csv.DictReader(StringIO(shortlist_csv([HIT], PROVENANCE), newline=""))
    assert (row["rank"], row["id"], row["score"], row["probability"]) == ("1", "7", "-0.25", "")
    assert (row["time"], row["modality"], row["folded"]) == ("2026-03-01T08:00:00", "ir", "[8, 9]")
    assert (row["search"], row["who"], row["filter"]) == ("ab" * 16, "desk", '{"cameras": ["1"]}')


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_of_text_is_a_formula(start):
    hit = HIT.model_copy(update={"camera": f"{start}1+1"})
    (row,) = csv.DictReader(StringIO(shortlist_csv([hit], {**PROVENANCE, "note": f"{start}cmd"}), newline=""))
    assert row["camera"] == f"'{start}1+1"
    assert row["note"] == f"'{start}cmd"
    assert row["path"].startswith("'@cmd")


def test_the_page_escapes_whatever_came_from_outside():
    page = shortlist_html([HIT], [b"\xff\xd8jpeg"], PROVENANCE)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "-1 is &lt;b&gt;not&lt;/b&gt;" in page
    assert "data:image/jpeg;base64,/9hqcGVn" in page
    assert "not measured" in page
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)  # nothing from elsewhere


def test_a_shortlist_is_of_ones_own_search(serving, folder, keys):
    client = serving()
    found = search(client, headers=keys["search"], ids=[1], k=5, cameras=["2", "3"]).json()
    chosen = [found["hits"][2]["id"], found["hits"][0]["id"]]
    asked = {"search": found["search"], "ids": chosen, "format": "csv", "note": "for the file"}
    answer = client.post("/api/shortlist", json=asked, headers=keys["search"])
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="shortlist-{found["search"][:8]}.csv"'
    rows = list(csv.DictReader(StringIO(answer.text, newline="")))
    assert [int(row["id"]) for row in rows] == chosen[::-1]  # in the order of the list
    assert {(row["who"], row["gallery"], row["note"]) for row in rows} == {("search-key", "gallery", "for the file")}
    assert {row["filter"] for row in rows} == {'{"cameras": ["2", "3"]}'}
    assert {row["query_ids"] for row in rows} == {"[1]"}
    header = answer.text.splitlines()[0].split(",")
    assert len(set(header)) == len(header)
    entry = logged(folder)[-1]
    assert (entry["action"], entry["search"], entry["ids"]) == ("shortlist", found["search"], sorted(chosen))
    page = client.post("/api/shortlist", json={**asked, "format": "html"}, headers=keys["search"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "sandbox" in page.headers["content-security-policy"]
    assert page.text.count("data:image/jpeg;base64,") == 2

    other = client.post("/api/shortlist", json=asked, headers=keys["admin"])
    assert other.status_code == 404
    strange = client.post("/api/shortlist", json={**asked, "ids": [1]}, headers=keys["search"])
    assert (strange.status_code, "crop 1 is no answer of search" in strange.json()["error"]) == (422, True)
    for wrong in ({"ids": []}, {"search": "../etc/passwd"}, {"format": "exe"}, {"note": "x" * 2001}, {"more": 1}):
        assert client.post("/api/shortlist", json={**asked, **wrong}, headers=keys["search"]).status_code == 422


def test_only_the_last_searches_are_kept(serving):
    client = serving()
    first = search(client, ids=[1], k=1).json()
    kept = client.app.state.service.searches
    search_ = kept.find(first["search"], next(iter(kept._kept.values())).caller)
    for number in range(256):
        kept.keep(type(search_)(f"{number:032x}", search_.caller, search_.time, {}, ()))
    asked = {"search": first["search"], "ids": [first["hits"][0]["id"]]}
    assert client.post("/api/shortlist", json=asked).status_code == 404
