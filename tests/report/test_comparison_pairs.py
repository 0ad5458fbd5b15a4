"""The paired test on files: its numbers by hand, and a sentence for each pair that cannot be made."""

from __future__ import annotations

import pytest
from compared_runs import CHANCE, write_run

from tapetum.report.comparison_inputs import read_runs
from tapetum.report.comparison_pairs import Resampling, find_differences

HITS = ((1, 2, 1, 12), (1, 1, 30, 7))
OTHER = ((2, 2, 1, 12), (1, 1, 30, 7))


def differences(*folders, metrics=("r1", "mAP"), settings=("all_single",), resamples=500, progress=None):
    runs = read_runs([str(folder) for folder in folders])
    return find_differences(runs, settings, metrics, Resampling(resamples, 0), progress)


def test_the_difference_by_hand(tmp_path):
    # One hit of eight is second instead of first: r1 1/8, mAP (1 - 1/2) / 8, mINP half of that; in percent.
    found = differences(
        write_run(tmp_path / "a"), write_run(tmp_path / "b", OTHER), metrics=("r1", "r5", "mAP", "mINP")
    )
    assert found.refused == ()
    values = {difference.metric: difference.value for difference in found.differences}
    assert values == pytest.approx({"r1": 12.5, "r5": 0, "mAP": 6.25, "mINP": 3.125})
    first = found.differences[0]
    assert (first.first, first.second, first.setting) == ("a", "b", "all_single")
    assert (first.queries.units, first.persons.units) == (4, 3)
    # The query is one of four, drawn 0 to 4 times: half a point per time, a quarter of it on average.
    assert (first.queries.low, first.queries.high) == pytest.approx((0, 37.5), abs=12.6)
    assert first.queries.p == 1  # the only query that differs may as well have differed the other way


def test_the_difference_is_that_of_the_printed_means(tmp_path):
    runs = read_runs([str(write_run(tmp_path / "a")), str(write_run(tmp_path / "b", OTHER))])
    found = find_differences(runs, ["all_single"], ["r10", "mAP"], Resampling(100, 0))
    for difference in found.differences:
        means = [run.settings["all_single"].mean.percent(difference.metric) for run in runs]
        assert difference.value == pytest.approx(means[0] - means[1], abs=1e-9)


def test_identical_runs_and_swapped_ones(tmp_path):
    a, b, twin = write_run(tmp_path / "a"), write_run(tmp_path / "b", OTHER), write_run(tmp_path / "twin")
    for same in differences(a, twin).differences:
        assert (same.value, same.queries.low, same.queries.high, same.queries.p) == (0, 0, 0, 1)
        assert (same.persons.low, same.persons.high, same.persons.p) == (0, 0, 1)
    forth, back = differences(a, b).differences[1], differences(b, a).differences[1]
    assert back.value == pytest.approx(-forth.value)
    assert (back.persons.low, back.persons.high) == pytest.approx((-forth.persons.high, -forth.persons.low))


def test_every_further_run_is_tested_against_the_first_in_all_settings(tmp_path):
    names = ["all_single", "all_multi"]
    runs = [write_run(tmp_path / name, names=names) for name in "abc"]
    moved = []
    found = differences(*runs, settings=names, metrics=("mAP",), progress=lambda *place: moved.append(place))
    made = [(difference.first, difference.second, difference.setting) for difference in found.differences]
    assert made == [("a", other, name) for other in "bc" for name in names]
    assert moved == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert differences(*runs, resamples=0).differences == ()
    assert differences(runs[0]).differences == ()


def test_rows_in_another_order_are_the_same_queries(tmp_path):
    paths = ["cam3/0001/0001.jpg", "cam3/0001/0002.jpg", "cam6/0002/0001.jpg", "cam6/0003/0001.jpg"]
    order = [2, 0, 3, 1]
    turned = [[trial[place] for place in order] for trial in HITS]
    other = write_run(tmp_path / "b", turned, paths=[paths[place] for place in order])
    (found,) = differences(write_run(tmp_path / "a"), other, metrics=("mAP",)).differences
    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.queries.high == pytest.approx(0, abs=1e-12)


def test_queries_of_one_person_have_no_interval_over_persons(tmp_path):
    paths = [f"cam3/0001/000{number}.jpg" for number in range(4)]
    runs = [write_run(tmp_path / "a", paths=paths), write_run(tmp_path / "b", OTHER, paths=paths)]
    (found,) = differences(*runs, metrics=("mAP",)).differences
    assert found.persons is None
    assert found.queries.units == 4


REFUSED = [
    ({"draw": "agw"}, "the draw is 'official' in one and 'agw' in the other"),
    ({"dataset": "generated people"}, "the data is 'sysu_mm01' in one and 'generated people' in the other"),
    ({"protocol": "mine"}, "the protocol is 'sysu_mm01' in one and 'mine' in the other"),
    ({"direction": "rgb-to-ir"}, "the direction is '' in one and 'rgb-to-ir' in the other"),
    ({"cmc": "images"}, "the rule of hits is 'identities' in one and 'images' in the other"),
    ({"hits": HITS[:1]}, "the number of trials in all_single is '2' in one and '1' in the other"),
    ({"setting": {"chance": {**CHANCE, "mAP": 0.05}}}, "their galleries differ in all_single"),
    (
        {"paths": ["cam3/0001/0001.jpg", "cam3/0001/0009.jpg", "cam6/0002/0001.jpg", "cam6/0003/0001.jpg"]},
        "only one of them has the query cam3/0001/0002.jpg in all_single (4 such answers)",
    ),
]


@pytest.mark.parametrize(
    ("change", "said"), REFUSED, ids=lambda value: None if isinstance(value, str) else next(iter(value))
)
def test_pairs_that_cannot_be_made_are_refused_with_a_sentence(tmp_path, change, said):
    found = differences(write_run(tmp_path / "a"), write_run(tmp_path / "b", **change))
    assert found.differences == ()
    assert found.refused == (f"a and b are not paired: {said}",)


def test_results_without_their_queries_are_not_paired(tmp_path):
    a, b = write_run(tmp_path / "a"), write_run(tmp_path / "b")
    (b / "results.queries.parquet").unlink()
    (said,) = differences(a, b).refused
    assert "results.queries.parquet does not exist" in said
    # Queries of another evaluation beside the results: the means give them away.
    other = write_run(tmp_path / "c", OTHER)
    (other / "results.queries.parquet").rename(b / "results.queries.parquet")
    (said,) = differences(a, b).refused
    assert said.endswith("is not of results.json. Evaluate again: both are written together")
