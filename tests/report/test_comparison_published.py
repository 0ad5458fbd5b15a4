"""The shipped table of published results: what it holds, and that it is what the given tables say."""

from __future__ import annotations

import csv
from collections import Counter

import pytest

from tapetum.errors import RecipeError
from tapetum.methods.method import method_names
from tapetum.report.published import EVIDENCE, FIGURES, published_of, published_results

DIRECTIONS = {
    "sysu_mm01": {"all_single", "all_multi", "indoor_single", "indoor_multi"},
    "regdb": {"visible_to_thermal", "thermal_to_visible"},
    "llcm": {"infrared_to_visible", "visible_to_infrared"},
}
# Methods of Tapetum: those that are there, and those that the architecture names.
IMPLEMENTATIONS = {*method_names(), "unet_disentangling", "embedding_disentangling", "dgnet", "structure_identity", ""}


def test_every_row_is_in_its_ranges_and_speaks_known_words():
    table = published_results()
    assert len(table) > 80
    for row in table:
        assert row.setting in DIRECTIONS[row.dataset], row
        assert row.evidence in EVIDENCE, row
        assert row.implementation in IMPLEMENTATIONS, row
        assert row.source, row
        assert "mAP" in row.figures, row
        assert set(row.figures) <= set(FIGURES), row
        assert row.year is None or 2017 <= row.year <= 2026, row
        values = {name: float(text) for name, text in row.figures.items()}
        assert all(0 < value < 100 for value in values.values()), row
        ranks = [values[name] for name in ("r1", "r10", "r20") if name in values]
        assert ranks == sorted(ranks), row
        assert values.get("mINP", 0) < values["mAP"], row


def test_no_result_stands_twice():
    keys = Counter((row.method, row.dataset, row.setting, row.evidence) for row in published_results())
    assert [key for key, count in keys.items() if count > 1] == []


def test_figures_stay_as_printed():
    (agw,) = [row for row in published_of(["AGW"]) if row.setting == "all_single"]
    assert dict(agw.figures) == {"r1": "47.50", "r10": "84.39", "mAP": "47.65", "mINP": "35.30"}
    assert (agw.year, agw.evidence, agw.implementation, agw.reranked) == (2021, "readme", "two_stream", False)


def test_reranked_results_are_marked():
    assert {row.method for row in published_results() if row.reranked} == {"MCJA"}
    for row in published_results():
        assert row.reranked == ("with re-ranking" in row.remark.lower())


def test_names_are_known_by_papers_and_by_tapetum():
    assert {row.method for row in published_of(["hicmd"])} == {"Hi-CMD"}
    assert {row.method for row in published_of(["zero_padding"])} == {"zero padding", "one-stream", "two-stream"}
    assert published_of(["all"]) == list(published_results())
    assert published_of([]) == []
    with pytest.raises(RecipeError, match=r"no published result is of 'AGV'\. Did you mean 'AGW'\?"):
        published_of(["AGV"])
    with pytest.raises(RecipeError, match="no published result is of '--'"):
        published_of(["--"])


def given_rows(shared):
    """(method, dataset, setting, figures) of both given tables."""
    with (shared / "published" / "literature.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            dataset = {"SYSU-MM01": "sysu_mm01", "RegDB": "regdb"}[row["dataset"]]
            yield row["method"], dataset, row["protocol"].replace(" ", "_"), row
    with (shared / "published" / "deck_sysu_mm01.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            method = "zero padding" if row["method"] == "deep zero padding" else row["method"]
            yield method, "sysu_mm01", f"{row['search']}_{row['shots']}", row


def test_the_given_tables_are_in_it_number_by_number(shared):
    count = 0
    for method, dataset, setting, given in given_rows(shared):
        printed = {name: given[name] for name in ("r1", "r10", "r20", "mAP") if given[name]}
        found = [
            row for row in published_results() if (row.method, row.dataset, row.setting) == (method, dataset, setting)
        ]
        same = [row for row in found if printed.items() <= row.figures.items()]
        assert len(same) == 1, (method, setting)
        assert given.get("evidence", same[0].evidence) == same[0].evidence
        assert given.get("year", str(same[0].year)) == str(same[0].year)
        count += 1
    assert count == 67
