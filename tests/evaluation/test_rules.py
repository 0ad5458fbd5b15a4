from pathlib import Path

import numpy as np
import pytest

from tapetum.core import Crop, Modality
from tapetum.errors import DataError, RecipeError
from tapetum.evaluation.matching import Matched
from tapetum.evaluation.reference import Reference
from tapetum.evaluation.reranking import ReRanking
from tapetum.evaluation.rules import Rules, choose_protocol

RGB, IR = Modality.RGB, Modality.IR
OWN = (Crop("a", 1, "1", IR), Crop("b", 1, "2", RGB), Crop("c", 2, "2", RGB))
REGDB = (Crop("Visible/1/a", 1, "1", RGB), Crop("Thermal/1/a", 1, "2", IR))
SYSU = tuple(
    Crop(f"cam{camera}/{person:04d}/0001.jpg", person, camera, IR if camera in "36" else RGB)
    for camera in "123456"
    for person in (2, 5)
)


def chosen(name, crops, declared=None, **rules):
    matched = Matched(np.ones((len(crops), 2)), crops, declared, ())
    return choose_protocol(matched, Reference(name, name, None, None, {}), Rules(**rules))


def sides(found, crops, setting):
    trial = found.protocol.settings[setting][0]
    return [crops[row].path for row in trial.query], [crops[row].path for row in trial.gallery]


def test_own_images_in_both_directions_or_as_declared():
    forth, back = chosen("folder", OWN), chosen("folder", OWN, direction="rgb-to-ir")
    assert (forth.direction, back.direction) == ("ir-to-rgb", "rgb-to-ir")
    assert sides(forth, OWN, "all") == (["a"], ["b", "c"])
    assert sides(back, OWN, "all") == (["b", "c"], ["a"])
    declared = chosen("folder", OWN, ([1], [0, 2]))
    assert (declared.direction, sides(declared, OWN, "all")) == ("declared", (["b"], ["a", "c"]))


def test_sysu_in_the_direction_that_no_official_code_has():
    found = chosen("sysu_mm01", SYSU, draw="agw", direction="rgb-to-ir")
    assert (found.direction, found.protocol.draw) == ("rgb-to-ir", "agw")
    assert list(found.protocol.settings) == ["rgb_to_ir_all_single", "rgb_to_ir_indoor_single"]
    assert "the official evaluation has no such direction" in found.notes[1]
    assert chosen("sysu_mm01", SYSU, draw="agw").notes == (
        "galleries drawn by seed (agw), not by the official permutations: single-shot only",
    )


def test_the_mixed_gallery_knows_which_cameras_share_a_place():
    found = chosen("sysu_mm01", SYSU, protocol="mixed")
    assert (found.protocol.name, found.direction) == ("mixed", "any")
    trial = found.protocol.settings["any_to_any"][0]
    group = dict(zip((SYSU[row].path for row in trial.query), trial.query_group.tolist(), strict=True))
    assert group["cam2/0002/0001.jpg"] == group["cam3/0002/0001.jpg"] != group["cam1/0002/0001.jpg"]
    assert chosen("regdb", REGDB, protocol="mixed").notes[0].startswith("rgb_to_any_rgb: no query has a match")


def test_protocols_that_say_themselves_who_asks():
    assert chosen("regdb", REGDB).direction == "both"
    grey = tuple(Crop(f"{c}{m}", 1, c, m) for c in "12" for m in (RGB, IR))
    pku = chosen("pku_reid_74", grey)
    assert (pku.direction, pku.notes) == (
        "ir-to-rgb",
        ("pseudo-infrared: the queries are grey copies of RGB images",),
    )
    assert "changed after publication" in chosen("llcm", REGDB).notes[0]


@pytest.mark.parametrize(
    ("name", "declared", "rules", "words"),
    [
        ("regdb", None, {"direction": "rgb-to-ir"}, "the protocol of regdb says itself who asks whom"),
        ("folder", ([0], [1]), {"direction": "ir-to-rgb"}, "the table says itself who asks whom"),
        ("sysu_mm01", None, {"protocol": "mixed", "direction": "ir-to-rgb"}, "the mixed gallery says itself"),
        ("llcm", None, {"draw": "agw"}, "--draw agw is for sysu_mm01's own protocol; llcm has one rule"),
        ("sysu_mm01", None, {"draw": "agw", "protocol": "mixed"}, "--draw agw is for sysu_mm01's own protocol"),
        ("sysu_mm01", None, {"draw": "agw", "permutations": Path("p.mat")}, "--permutations is for the official draw"),
        ("regdb", None, {"permutations": Path("p.mat")}, "--permutations is for the official draw of sysu_mm01 alone"),
    ],
)
def test_rules_that_a_protocol_leaves_no_room_for(name, declared, rules, words):
    crops = {"folder": OWN, "sysu_mm01": SYSU}.get(name, REGDB)
    with pytest.raises(RecipeError, match=words):
        chosen(name, crops, declared, **rules)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"protocol": "mixd"}, "no protocol is called 'mixd'. Did you mean 'mixed'?"),
        ({"direction": "rgb-to-rgb"}, "no direction is called 'rgb-to-rgb'. Did you mean"),
        ({"distance": "cosin"}, "no distance is called 'cosin'. Did you mean 'cosine'?"),
        ({"draw": "oficial"}, "no draw is called 'oficial'. Did you mean 'official'?"),
    ],
)
def test_names_that_do_not_exist(rules, words):
    with pytest.raises(RecipeError) as caught:
        Rules(**rules)
    assert words in str(caught.value)


def test_nothing_is_re_ranked_unless_asked_for():
    assert Rules().rerank is None
    assert Rules(rerank=ReRanking()).rerank == ReRanking(20, 6, 0.3)
    with pytest.raises(DataError, match="Both need at least one"):
        chosen("folder", OWN[1:])
