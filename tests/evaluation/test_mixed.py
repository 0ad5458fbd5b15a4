import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_reference import distance

from tapetum.core import Crop, Modality
from tapetum.errors import DataError
from tapetum.evaluation.metrics import score_trials
from tapetum.evaluation.mixed import answerable, joined, mixed
from tapetum.evaluation.protocols import cmc_rule
from tapetum.evaluation.results import Problem, chance_of, score

RGB, IR = Modality.RGB, Modality.IR
LIGHTS = {"rgb": {RGB}, "ir": {IR}, "any": {RGB, IR}}


def slow_mixed(vectors, crops, places, setting):
    """The module's text, read out loud: who asks, who answers, which right answers count."""
    words = setting.split("_to_")
    asking, answering, *right = (words[0], *words[1].split("_"))
    gallery = [row for row, crop in enumerate(crops) if crop.modality in LIGHTS[answering]]
    averages, penalties, hits = [], [], []
    asked = [row for row, crop in enumerate(crops) if crop.modality in LIGHTS[asking]]
    for query in asked:
        me = crops[query]
        seen = []
        for row in sorted(gallery, key=lambda row: (distance(vectors[query], vectors[row]), crops[row].path)):
            same = crops[row].person == me.person
            here = places.get(crops[row].camera, crops[row].camera) == places.get(me.camera, me.camera)
            out = same and (here or (right and crops[row].modality not in LIGHTS[right[0]]))
            if not out:
                seen.append(same)
        ranks = [rank for rank, same in enumerate(seen, start=1) if same]
        if ranks:
            averages.append(np.mean([number / rank for number, rank in enumerate(ranks, start=1)]))
            penalties.append(len(ranks) / ranks[-1])
            hits.append(ranks[0])
    return averages, penalties, hits, len(asked), len(gallery)


@st.composite
def tables(draw):
    count = draw(st.integers(2, 14))
    crops = [
        Crop(f"{row:02d}", draw(st.integers(0, 3)), draw(st.sampled_from("1234")), draw(st.sampled_from([RGB, IR])))
        for row in range(count)
    ]
    order = draw(st.permutations(range(count)))
    vectors = np.array([[draw(st.integers(-2, 2)), draw(st.integers(-2, 2))] for _ in range(count)], dtype=np.float64)
    return [crops[row] for row in order], vectors


@settings(max_examples=40)
@given(tables(), st.sampled_from([{}, {"2": "hall", "3": "hall"}]))
def test_every_setting_as_its_text_says_in_any_order_of_the_table(table, places):
    crops, vectors = table
    try:
        protocol, notes = mixed(crops, places)
    except DataError:
        protocol, notes = None, []
    scored = {} if protocol is None else score(Problem(vectors, crops, protocol), images)
    lights = ("rgb", "ir")
    every = ["any_to_any", *(f"{a}_to_any_{b}" for a in lights for b in lights)]
    for setting in (*every, *(f"{a}_to_{b}" for a in lights for b in lights)):
        averages, penalties, hits, asked, gallery = slow_mixed(vectors, crops, places, setting)
        if not hits:
            assert setting not in scored
            assert protocol is None or any(note.startswith(f"{setting}:") for note in notes)
            continue
        (result,) = scored[setting]
        assert result.mAP == pytest.approx(np.mean(averages), abs=1e-12)
        assert result.mINP == pytest.approx(np.mean(penalties), abs=1e-12)
        assert sorted(result.hit.tolist()) == sorted(hits)
        assert result.cmc.tolist() == pytest.approx([np.mean([h <= k for h in hits]) for k in range(1, gallery + 1)])
        assert (result.valid_queries, result.queries, result.gallery) == (len(hits), asked, gallery)


def images(vectors, persons, trials):
    return score_trials(vectors, persons, trials, cmc="images")


def crop(path, person, camera, modality):
    return Crop(path, person, camera, modality)


# On a line: the infrared query of person 1 at 0; infrared images of persons 2 and 1 at 1 and 2; RGB of 2 and 1 at 3, 4.
LINE = [
    crop("query", 1, "3", IR),
    crop("ir of 2", 2, "6", IR),
    crop("ir of 1", 1, "6", IR),
    crop("rgb of 2", 2, "1", RGB),
    crop("rgb of 1", 1, "1", RGB),
    crop("rgb of 1 beside", 1, "2", RGB),
]
AT = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [0.5]])


def of_the_query(scored, setting):
    (result,) = scored[setting]
    place = result.query.tolist().index(0)
    return result.ap[place], result.hit[place]


def test_the_query_at_0_by_hand():
    # Cameras 2 and 3 share a room, so that "rgb of 1 beside" does not count; nor does the query itself.
    protocol, notes = mixed(LINE, {"2": "2", "3": "2"})
    assert (protocol.name, protocol.draw, cmc_rule(protocol), notes) == ("mixed", "none", "images", [])
    scored = score(Problem(AT, LINE, protocol), images)
    # It sees 2 1 2 1: hits at ranks 2 and 4.
    assert of_the_query(scored, "any_to_any") == (pytest.approx((1 / 2 + 2 / 4) / 2), 2)
    # Infrared right answers taken out: 2 2 1. RGB ones taken out: 2 1 2.
    assert of_the_query(scored, "ir_to_any_rgb") == (pytest.approx(1 / 3), 3)
    assert of_the_query(scored, "ir_to_any_ir") == (pytest.approx(1 / 2), 2)
    # RGB alone: 2 1. Infrared alone: 2 1.
    assert of_the_query(scored, "ir_to_rgb") == (pytest.approx(1 / 2), 2)
    assert of_the_query(scored, "ir_to_ir") == (pytest.approx(1 / 2), 2)


def test_the_query_s_own_modality_costs_a_system_that_prefers_it():
    # Every infrared image is nearer to an infrared query than any RGB one.
    crops = [crop(f"{light}{person}{camera}", person, f"{light}{camera}", light)
             for light in (RGB, IR) for person in range(4) for camera in "12"]  # fmt: skip
    vectors = np.array([[one.person / 10, 5.0 * (one.modality is IR)] for one in crops])
    scored = score(Problem(vectors, crops, mixed(crops, {})[0]), images)
    assert scored["ir_to_rgb"][0].mAP == scored["any_to_any"][0].cmc[0] == 1
    # The six infrared images of the others stand before the two right RGB ones.
    assert scored["ir_to_any_rgb"][0].mAP == pytest.approx((1 / 7 + 2 / 8) / 2)
    assert scored["ir_to_any_ir"][0].mAP == 1


def test_chance_by_hand():
    protocol, _ = mixed(LINE, {"2": "2", "3": "2"})
    guess = chance_of(Problem(AT, LINE, protocol), "images")
    # ir_to_any_rgb: the query sees one right of three; "ir of 1" two (RGB) of four; "ir of 2" one of five.
    assert guess["ir_to_any_rgb"]["r1"] == pytest.approx((1 / 3 + 2 / 4 + 1 / 5) / 3)
    # rgb_to_rgb: "rgb of 1" one of two, and so "rgb of 1 beside"; "rgb of 2" has no match.
    assert guess["rgb_to_rgb"]["r1"] == pytest.approx(1 / 2)


def test_settings_without_a_match_are_left_out_and_named():
    crops = [crop("v", 1, "1", RGB), crop("t", 1, "2", IR)]
    protocol, notes = mixed(crops, {})
    assert set(protocol.settings) == {"any_to_any", "rgb_to_any_ir", "ir_to_any_rgb", "rgb_to_ir", "ir_to_rgb"}
    assert [note.split(":")[0] for note in notes] == ["rgb_to_any_rgb", "ir_to_any_ir", "rgb_to_rgb", "ir_to_ir"]
    with pytest.raises(DataError, match="no person was seen in two places"):
        mixed(crops, {"1": "hall", "2": "hall"})


def test_crops_of_unknown_persons_neither_ask_nor_answer():
    protocol, _ = mixed([*LINE, crop("x", None, "1", RGB)], {})
    assert all(len(LINE) not in (*part.query, *part.gallery) for parts in protocol.settings.values() for part in parts)


def test_parts_are_joined_in_their_order():
    protocol, _ = mixed(LINE, {})
    persons = np.array([one.person for one in LINE])
    parts = answerable(protocol.settings["ir_to_any_rgb"], persons)
    assert [part.query.tolist() for part in parts] == [[2, 1], [0]]
    results = images(AT, persons, parts)
    both = joined(results, 3)
    assert both.query.tolist() == [2, 1, 0]
    assert both.mAP == pytest.approx(np.mean([*results[0].ap, *results[1].ap]))
