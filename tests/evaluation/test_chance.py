import itertools
import subprocess
import sys

import numpy as np
import pytest
from slow_reference import slow_trial
from test_sysu_protocol import crops_of

from tapetum.core import Trial
from tapetum.evaluation.chance import average_precision, chance, inverse_penalty, joint_chance
from tapetum.evaluation.protocols import protocol_for


def test_two_images_by_hand():
    # One right image of two: rank 1 or 2 alike. AP and INP are 1 or 1/2.
    assert average_precision(1, 2) == pytest.approx(0.75)
    assert inverse_penalty(1, 2) == pytest.approx(0.75)
    # Two of three: ranks 12, 13, 23. AP = (1 + 5/6 + 7/12) / 3, INP = (1 + 2/3 + 2/3) / 3.
    assert average_precision(2, 3) == pytest.approx((1 + 5 / 6 + 7 / 12) / 3)
    assert inverse_penalty(2, 3) == pytest.approx(7 / 9)
    assert average_precision(1, 1) == inverse_penalty(3, 3) == 1


@pytest.mark.parametrize("cmc", ["identities", "images"])
def test_the_mean_over_all_orders_of_a_gallery(cmc):
    # Persons 1 1 2 2 2 3 and a hidden one: the query's figures over all orders, each by the slow reference.
    persons = np.array([1, 1, 1, 2, 2, 2, 3, 4])
    gallery = np.arange(1, 8)
    trial = Trial(np.array([0]), gallery, np.array([9]), np.array([0, 0, 0, 0, 0, 0, 9]))
    curves, averages, penalties = [], [], []
    for order in set(itertools.permutations((1, 1, 2, 2, 2, 3))):
        places = {person: [rank for rank, p in enumerate(order, 1) if p == person] for person in (1, 2, 3)}
        distances = [*places[1], *places[2], *places[3], 99]
        result = slow_trial(np.array([0, *distances])[:, None], persons, trial, cmc)
        curves.append(result["cmc"])
        averages.append(result["mAP"])
        penalties.append(result["mINP"])
    expected = chance([trial], persons, cmc)
    assert expected["mAP"] == pytest.approx(np.mean(averages), abs=1e-12)
    assert expected["mINP"] == pytest.approx(np.mean(penalties), abs=1e-12)
    assert expected["r1"] == pytest.approx(np.mean(curves, axis=0)[0], abs=1e-12)
    fifth = min(5, len(curves[0])) - 1
    assert expected["r5"] == pytest.approx(np.mean(curves, axis=0)[fifth], abs=1e-12)
    assert expected["r20"] == pytest.approx(1, abs=1e-12)


def test_mean_over_queries_and_trials():
    # Queries 0 and 1 see one right of two, query 2 one of one; query 3 has no match and is left out.
    persons = np.array([1, 1, 2, 3, 1, 2])
    first = Trial(np.array([0, 1, 2, 3]), np.array([4, 5]), np.array([5, 5, 7, 5]), np.array([7, 0]))
    assert chance([first], persons, "identities")["r1"] == pytest.approx((0.5 + 0.5 + 1) / 3)
    # The second trial is sure.
    second = Trial(np.array([0]), np.array([4]))
    assert chance([first, second], persons, "images")["mAP"] == pytest.approx(((0.75 + 0.75 + 1) / 3 + 1) / 2)


def test_parts_of_one_trial_count_by_their_queries():
    # Two queries see one right of two, one query is sure: the mean over queries, not over the two parts.
    persons = np.array([1, 1, 2, 3, 1, 2])
    parts = [Trial(np.array([0, 1]), np.array([4, 5])), Trial(np.array([2, 3]), np.array([5]))]
    assert joint_chance(parts, persons, "images")["r1"] == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert chance(parts, persons, "images")["r1"] == pytest.approx((0.5 + 1) / 2)


@pytest.mark.parametrize("cmc", ["identities", "images"])
def test_groups_that_hide_a_part_of_several_persons(cmc):
    # The query sees persons 1 2 2 3 of 1 1 2 2 2 3 4: one of its own is hidden, one of 2, and all of 4.
    persons = np.array([1, 1, 1, 2, 2, 2, 3, 4])
    grouped = Trial(np.array([0]), np.arange(1, 8), np.array([9]), np.array([9, 0, 9, 0, 0, 0, 9]))
    plain = Trial(np.array([0]), np.array([2, 4, 5, 6]))
    assert chance([grouped], persons, cmc) == pytest.approx(chance([plain], persons, cmc), abs=1e-15)
    assert chance([plain], persons, cmc)["r1"] == pytest.approx(1 / 4)


def test_the_chance_level_of_sysu_mm01(shared):
    # METHODS section 0 item 3, percent: drawn scores over three trials, so one or two tenths of sampling error.
    table = {
        "all_single": {"r1": 1.03, "r10": 10.5, "r20": 20.8, "mAP": 2.95, "mINP": 1.68},
        "all_multi": {"r1": 0.95, "mAP": 1.31},
        "indoor_single": {"r1": 2.0, "r10": 17.8, "r20": 35.7, "mAP": 7.03, "mINP": 5.97},
        "indoor_multi": {"r1": 1.7, "mAP": 2.60},
    }
    root = shared / "data" / "sysu_mm01"
    rows = [line.split(",") for line in (root / "image_counts.csv").read_text().splitlines()[1:]]
    crops = crops_of({(camera, int(person)): int(n) for camera, person, _, split, n in rows if split == "test"})
    persons = np.array([crop.person for crop in crops])
    protocol = protocol_for("sysu_mm01", crops, root=root)
    for name, figures in table.items():
        found = chance(protocol.settings[name][:3], persons, "identities")
        for figure, percent in figures.items():
            assert 100 * found[figure] == pytest.approx(percent, abs=0.25), (name, figure)
        assert found["r1"] == pytest.approx(1 / (96 if name.startswith("all") else 56), abs=1e-3)


def test_evaluation_runs_without_torch():
    code = "import sys, tapetum.evaluation.evaluate, tapetum.report.tables; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
