import random

import numpy as np
import pytest

from tapetum.core import Crop, Modality
from tapetum.errors import DataError, RecipeError
from tapetum.evaluation.draws import cameras_of, rows_of
from tapetum.evaluation.protocols import (
    between_cameras,
    cmc_rule,
    llcm,
    pku_reid_74,
    protocol_for,
    query_gallery,
    regdb,
    validation,
)

RGB, IR = Modality.RGB, Modality.IR


def paths(crops, rows):
    return [crops[row].path for row in rows]


def hidden_pairs(crops, trial):
    pairs = zip(*np.nonzero(trial.query_group[:, None] == trial.gallery_group), strict=True)
    return [(crops[trial.query[i]].path, crops[trial.gallery[j]].path) for i, j in pairs]


def test_regdb_asks_everything_of_everything_in_both_directions():
    crops = [Crop("v/1", 1, "1", RGB), Crop("t/1", 1, "2", IR), Crop("v/2", 2, "1", RGB)]
    protocol = regdb(crops)
    assert (protocol.name, protocol.draw, cmc_rule(protocol)) == ("regdb", "none", "images")
    (forth,), (back,) = protocol.settings["visible_to_thermal"], protocol.settings["thermal_to_visible"]
    assert (forth.query.tolist(), forth.gallery.tolist(), forth.query_group) == ([0, 2], [1], None)
    assert (back.query.tolist(), back.gallery.tolist(), back.gallery_group) == ([1], [0, 2], None)
    with pytest.raises(DataError, match="RegDB has 2 queries and 0 gallery images"):
        regdb([crops[0], crops[2]])


def test_pku_asks_grey_crops_of_one_camera_in_the_other():
    # Every picture stands there twice; within a camera the grey query would find its own original.
    crops = [
        Crop(f"{person}/{camera}", person, camera, light) for light in (RGB, IR) for person in (4, 7) for camera in "12"
    ]
    protocol = pku_reid_74(crops)
    assert (protocol.name, cmc_rule(protocol)) == ("pku_reid_74", "images")
    assert protocol_for("pku_reid_74", crops).settings.keys() == {"camera_1_to_2", "camera_2_to_1"}
    (forth,), (back,) = protocol.settings["camera_1_to_2"], protocol.settings["camera_2_to_1"]
    assert paths(crops, forth.query) == ["4/1", "7/1"]
    assert paths(crops, forth.gallery) == ["4/2", "7/2"]
    assert {crops[row].modality for row in (*forth.query, *back.query)} == {IR}
    assert {crops[row].modality for row in (*forth.gallery, *back.gallery)} == {RGB}


def llcm_crops():
    cells = [(RGB, "vis", 3, "2", 4), (RGB, "vis", 3, "10", 3), (RGB, "vis", 1, "2", 5), (IR, "nir", 3, "2", 2),
             (IR, "nir", 1, "4", 3)]  # fmt: skip
    return [
        Crop(f"{folder}/{person:04d}/{person:04d}_c{int(camera):02d}_f{n}.jpg", person, camera, modality)
        for modality, folder, person, camera, count in cells
        for n in range(count)
    ]


def test_llcm_draws_as_published_code_does():
    crops = llcm_crops()
    protocol = llcm(crops)
    assert (protocol.name, cmc_rule(protocol)) == ("llcm", "identities")
    folders = [[c.path for c in crops if (c.modality, c.person, c.camera) == cell]
               for cell in ((RGB, 1, "2"), (RGB, 3, "2"), (RGB, 3, "10"))]  # fmt: skip
    assert len(protocol.settings["infrared_to_visible"]) == len(protocol.settings["visible_to_infrared"]) == 10
    for number, trial in enumerate(protocol.settings["infrared_to_visible"]):
        random.seed(number)
        assert paths(crops, trial.gallery) == [random.choice(folder) for folder in folders]
        assert len(trial.query) == 5
        # Only person 3 in camera 2 meets itself there.
        pairs = {(one.split("_f")[0], other.split("_f")[0]) for one, other in hidden_pairs(crops, trial)}
        assert pairs == {("nir/0003/0003_c02", "vis/0003/0003_c02")}


def test_own_images_hide_the_neighbours_of_the_query():
    crops = [Crop("a", 1, "1", IR), Crop("b", 1, "1", IR), Crop("c", 1, "1", RGB), Crop("d", 2, "1", IR)]
    trial = query_gallery(crops, [0], [0, 1, 2, 3]).settings["all"][0]
    assert hidden_pairs(crops, trial) == [("a", "a"), ("a", "b")]
    with pytest.raises(DataError, match="e has no person"):
        query_gallery([*crops, Crop("e", None, "1", IR)], [0], [1, 4])


def test_camera_against_camera():
    crops = [Crop("a", 1, "1", IR), Crop("b", 1, "2", RGB), Crop("c", 2, "3", RGB)]
    trial = between_cameras(crops, ["1"], ["2"]).settings["all"][0]
    assert (trial.query.tolist(), trial.gallery.tolist()) == ([0], [1])
    with pytest.raises(DataError, match="no crop is of camera '9'"):
        between_cameras(crops, ["1"], ["9"])


def test_validation_draws_one_image_per_person_and_camera_by_its_seed():
    cells = [(IR, 7, "3"), (IR, 8, "3"), (RGB, 8, "2"), (RGB, 7, "4"), (RGB, 8, "4"), (RGB, 7, "5")]
    crops = [Crop(f"cam{c}/{p}/{n}.jpg", p, c, m) for m, p, c in cells for n in range(6)]
    places = {"2": "hall", "3": "hall"}
    protocol = validation(crops, places, seed=4, trials=3)
    trials = protocol.settings["validation"]
    assert [len(trial.gallery) for trial in trials] == [4, 4, 4]
    assert [path[:6] for path in paths(crops, trials[0].gallery)] == ["cam4/7", "cam5/7", "cam2/8", "cam4/8"]
    assert len({tuple(trial.gallery) for trial in trials}) == 3
    assert (
        trials[1].gallery.tolist()
        == validation(crops, places, seed=5, trials=1).settings["validation"][0].gallery.tolist()
    )
    assert {other[:4] for _, other in hidden_pairs(crops, trials[0])} == {"cam2"}
    with pytest.raises(DataError, match="the validation split has 12 queries and 0"):
        validation(crops[:12], places)


def test_cameras_stand_by_number_and_then_by_name():
    crops = [Crop("", 1, camera, RGB) for camera in ("gate", "10", "2", "9", "door")]
    assert cameras_of(crops, range(5)) == ["2", "9", "10", "door", "gate"]


def test_the_dataset_names_its_protocol(tmp_path):
    assert protocol_for("regdb", [Crop("v", 1, "1", RGB), Crop("t", 1, "2", IR)]).name == "regdb"
    assert protocol_for("llcm", llcm_crops()).name == "llcm"
    own = [Crop("a", 1, "1", IR), Crop("b", 1, "2", RGB), Crop("c", None, "2", RGB)]
    assert protocol_for("folder", own).settings["all"][0].gallery.tolist() == [1]
    declared = protocol_for("folder", own, declared=([1], [0])).settings["all"][0]
    assert (declared.query.tolist(), declared.gallery.tolist()) == ([1], [0])
    sysu = [Crop("cam3/0001/0001.jpg", 1, "3", IR), Crop("cam1/0001/0001.jpg", 1, "1", RGB)]
    assert protocol_for("sysu_mm01", sysu, draw="agw").draw == "agw"
    with pytest.raises(RecipeError, match=r"no draw is called 'oficial'\. Did you mean 'official'"):
        protocol_for("sysu_mm01", sysu, draw="oficial")
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "test_id.txt").write_text("1\n")
    with pytest.raises(DataError, match="rand_perm_cam"):
        protocol_for("sysu_mm01", sysu, root=tmp_path)


@pytest.mark.parametrize("name", ["regdb", "llcm", "pku_reid_74", "folder"])
def test_the_order_of_the_table_changes_no_trial(name):
    crops = [
        Crop(f"{light}/{person}/{camera}_{n}.png", person, camera, light)
        for light in (RGB, IR)
        for person in (3, 1)
        for camera in "12"
        for n in range(3)
    ]
    turned = crops[::-1]
    one, other = protocol_for(name, crops), protocol_for(name, turned)
    assert list(one.settings) == list(other.settings)
    for setting, trials in one.settings.items():
        for here, there in zip(trials, other.settings[setting], strict=True):
            assert paths(crops, here.query) == paths(turned, there.query)
            assert paths(crops, here.gallery) == paths(turned, there.gallery)
            if here.query_group is not None:
                assert hidden_pairs(crops, here) == hidden_pairs(turned, there)


def test_one_picture_of_two_modalities_has_one_order():
    crops = [Crop("x", 1, "1", IR), Crop("x", 1, "1", RGB), Crop("a", 2, "1", IR)]
    assert rows_of(crops).tolist() == [2, 1, 0]
    assert rows_of(crops, IR).tolist() == [2, 0]
