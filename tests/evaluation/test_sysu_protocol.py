import json
import random
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from slow_reference import slow_trial

from tapetum.core import Crop, Modality
from tapetum.errors import DataError
from tapetum.evaluation.evaluate import evaluate
from tapetum.evaluation.matlab import read_matlab_features
from tapetum.evaluation.protocols import protocol_for
from tapetum.evaluation.sysu_protocol import find_permutations, read_permutations, sysu_mm01

MINI = Path(__file__).with_name("mini_golden.json")
SETTINGS = {
    f"{mode}_{name}": f"{mode}_search_{n}" for mode in ("all", "indoor") for name, n in (("single", 1), ("multi", 10))
}


def crops_of(counts):
    """{(camera, person): images} -> crops in the layout of SYSU-MM01."""
    modality = {camera: Modality.IR if camera in "36" else Modality.RGB for camera in "123456"}
    return tuple(
        Crop(f"cam{camera}/{person:04d}/{number:04d}.jpg", person, camera, modality[camera])
        for (camera, person), images in counts.items()
        for number in range(1, images + 1)
    )


def counting(counts, trials=10):
    """Permutations that turn the numbers 1 ... n by the trial's number."""
    return {
        cell: np.stack([np.roll(np.arange(1, n + 1), -t) for t in range(trials)]) for cell, n in counts.items() if n
    }


@pytest.fixture(scope="module")
def mini():
    golden = json.loads(MINI.read_text())
    cells = [(camera, int(person), rows) for camera, of in golden["features"].items() for person, rows in of.items()]
    vectors = np.array([row for _, _, rows in cells for row in rows], dtype=np.float64)
    crops = crops_of({(camera, person): len(rows) for camera, person, rows in cells})
    permutations = {
        (camera, int(person)): np.array(values)
        for camera, of in golden["permutations"].items()
        for person, values in of.items()
    }
    return golden, vectors, crops, permutations


def assert_golden(results, golden):
    for name, key in SETTINGS.items():
        trials = results[name]["trials"]
        assert len(trials) == len(golden[key]["map"]) == 10
        for trial, cmc, average in zip(trials, golden[key]["cmc"], golden[key]["map"], strict=True):
            np.testing.assert_allclose(trial["cmc"], cmc, atol=1e-12, rtol=0)
            assert trial["mAP"] == pytest.approx(average, abs=1e-12)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_mini_golden_in_every_value(mini, kind):
    golden, vectors, crops, permutations = mini
    protocol = sysu_mm01(crops, golden["test_ids"], permutations)
    assert list(protocol.settings) == list(SETTINGS)
    assert_golden(evaluate(vectors.astype(kind), crops, protocol, dataset="sysu_mm01"), golden["results"])


def test_large_golden_in_every_value(shared):
    root = shared / "data" / "sysu_mm01"
    golden = json.loads((root / "golden" / "results.json").read_text())
    vectors, crops = read_matlab_features(root / "golden")
    protocol = protocol_for("sysu_mm01", crops, root=root)
    results = evaluate(vectors, crops, protocol, dataset="sysu_mm01")
    assert_golden(results, golden)
    for name, key in SETTINGS.items():
        trial = results[name]["trials"][0]
        for ours, theirs in (("valid_queries", "valid"), ("gallery", "gallery"), ("queries", "queries")):
            assert trial[ours] == golden[key][theirs]
    assert results["all_single"]["mean"]["r1"] == pytest.approx(0.181725, abs=5e-7)
    assert results["indoor_multi"]["mean"]["mAP"] == pytest.approx(0.211906, abs=5e-7)


COUNTS = {("1", 5): 3, ("1", 8): 12, ("2", 8): 2, ("3", 5): 2, ("4", 5): 4, ("6", 8): 1, ("6", 9): 5}


def gallery_paths(crops, protocol, setting, trial):
    return [crops[row].path for row in protocol.settings[setting][trial].gallery]


def test_official_galleries_by_hand():
    crops = crops_of(COUNTS)
    protocol = sysu_mm01(crops, [8, 5], counting(COUNTS))
    assert (protocol.name, protocol.draw) == ("sysu_mm01", "official")
    assert {name: len(trials) for name, trials in protocol.settings.items()} == dict.fromkeys(SETTINGS, 10)
    # Trial 1 begins each permutation at image 2; camera before person; person 9 is no test person.
    assert gallery_paths(crops, protocol, "all_single", 1) == [
        "cam1/0005/0002.jpg", "cam1/0008/0002.jpg", "cam2/0008/0002.jpg", "cam4/0005/0002.jpg"
    ]  # fmt: skip
    # Ten of twelve images; all three and all two where there are fewer than ten, in the permutation's order.
    multi = gallery_paths(crops, protocol, "indoor_multi", 2)
    assert multi[:3] == ["cam1/0005/0003.jpg", "cam1/0005/0001.jpg", "cam1/0005/0002.jpg"]
    assert multi[3:13] == [f"cam1/0008/{number:04d}.jpg" for number in range(3, 13)]
    assert multi[13:] == ["cam2/0008/0001.jpg", "cam2/0008/0002.jpg"]
    trial = protocol.settings["all_single"][0]
    assert [crops[row].path for row in trial.query] == [
        "cam3/0005/0001.jpg",
        "cam3/0005/0002.jpg",
        "cam6/0008/0001.jpg",
    ]
    # Cameras 2 and 3 share a place: only there are groups equal.
    assert trial.query_group.tolist() == [2, 2, 6]
    assert trial.gallery_group.tolist() == [1, 1, 2, 4]


def test_published_code_draws_the_agw_galleries():
    crops = crops_of(COUNTS)
    protocol = sysu_mm01(crops, [5, 8], None, "agw")
    assert {name: len(trials) for name, trials in protocol.settings.items()} == {"all_single": 10, "indoor_single": 10}
    names = {cell: [crop.path for crop in crops if (crop.camera, crop.person) == cell] for cell in COUNTS}
    for mode, cameras in (("all", "1245"), ("indoor", "12")):
        for trial in range(10):
            random.seed(trial)  # as the published code does
            drawn = [random.choice(names[c, p]) for p in (5, 8) for c in cameras if (c, p) in names]
            assert gallery_paths(crops, protocol, f"{mode}_single", trial) == drawn


def test_order_of_the_table_changes_no_gallery():
    crops = crops_of(COUNTS)
    turned = crops[::-1]
    for draw, permutations in (("official", counting(COUNTS)), ("agw", None)):
        one, other = (sysu_mm01(table, [5, 8], permutations, draw) for table in (crops, turned))
        for name in one.settings:
            assert gallery_paths(crops, one, name, 3) == gallery_paths(turned, other, name, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({("1", 5): 2}, "camera 1, person 5: 2 rows are given, and rand_perm_cam.mat counts 3"),
        ({("4", 5): 0}, "camera 4, person 5: 0 rows"),
        ({("6", 8): 3}, "camera 6, person 8: 3 rows"),
        ({("2", 5): 1}, "camera 2, person 5: 1 rows are given, and rand_perm_cam.mat counts 0"),
        ({("3", 5): 0, ("6", 8): 0}, "no crop of cameras 3 and 6"),
    ],
)
def test_images_that_the_permutations_do_not_count(change, words):
    with pytest.raises(DataError, match=words):
        sysu_mm01(crops_of(COUNTS | change), [5, 8], counting(COUNTS))


def test_other_complaints():
    crops = crops_of(COUNTS)
    with pytest.raises(DataError, match="has no image 1 of"):
        sysu_mm01(
            [Crop(c.path.replace("1.jpg", "9.jpg"), c.person, c.camera, c.modality) for c in crops],
            [5],
            counting(COUNTS),
        )
    with pytest.raises(DataError, match="named by its number"):
        sysu_mm01([Crop("cam1/0005/a.jpg", 5, "1", Modality.RGB), *crops], [5], counting(COUNTS))
    with pytest.raises(DataError, match=r"has the number of cam1/0005/0001\.jpg"):
        sysu_mm01([Crop("cam1/0005/0001.png", 5, "1", Modality.RGB), *crops], [5], counting(COUNTS))
    with pytest.raises(DataError, match="camera that SYSU-MM01 does not have"):
        sysu_mm01([Crop("cam7/0005/0001.jpg", 5, "7", Modality.RGB), *crops], [5], counting(COUNTS))
    with pytest.raises(DataError, match="official draw needs permutations"):
        sysu_mm01(crops, [5], None)
    with pytest.raises(DataError, match="gallery cameras 1 and 2"):
        sysu_mm01(crops_of({("3", 5): 1, ("4", 5): 1}), [5], None, "agw")


def write_permutations(path, cells, shape=(-1, 1)):
    outer = np.empty(6, dtype=object)
    for camera in range(6):
        inner = np.empty(9, dtype=object)
        for person in range(9):
            inner[person] = cells.get((str(camera + 1), person + 1), np.zeros((0, 0)))
        outer[camera] = inner.reshape(shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"rand_perm_cam": outer.reshape(shape)})


@pytest.mark.parametrize("shape", [(-1, 1), (1, -1)])
def test_permutations_are_read_from_either_shape_of_cells(tmp_path, shape):
    path = tmp_path / "exp" / "rand_perm_cam.mat"
    write_permutations(path, counting(COUNTS), shape)
    found = read_permutations(find_permutations(tmp_path))
    assert found.keys() == counting(COUNTS).keys()
    for cell, values in counting(COUNTS).items():
        np.testing.assert_array_equal(found[cell], values)


def test_permutations_are_searched_and_asked_for(tmp_path):
    with pytest.raises(DataError, match=r"exp/rand_perm_cam\.mat does not exist.*wuancong/SYSU-MM01.*--draw agw"):
        find_permutations(tmp_path)
    place = tmp_path / "data_split" / "rand_perm_cam.mat"
    write_permutations(place, counting(COUNTS))
    assert find_permutations(tmp_path) == place
    with pytest.raises(DataError, match="elsewhere"):
        find_permutations(tmp_path, tmp_path / "elsewhere.mat")


def test_permutations_that_are_none(tmp_path):
    path = tmp_path / "rand_perm_cam.mat"
    write_permutations(path, {("2", 3): np.array([[1, 2, 2]])})
    with pytest.raises(DataError, match=r"rand_perm_cam\{2\}\{3\} is no permutation"):
        read_permutations(path)
    write_permutations(path, {("2", 3): np.array([[1, 2]]), ("2", 4): np.array([[1, 2], [2, 1]])})
    with pytest.raises(DataError, match=r"\[1, 2\] trials"):
        read_permutations(path)
    scipy.io.savemat(path, {"rand_perm_cam": np.eye(3)})
    with pytest.raises(DataError, match="Expected a cell array"):
        read_permutations(path)


def test_the_agw_draw_from_files_as_the_published_code_reads_them(tmp_path):
    # Ids out of order, of which "0010" and "0009" sort as text; numbers that sort otherwise as text ("10" before "2").
    ids, cameras = [10, 9, 2], {"1": 11, "2": 3, "4": 12, "5": 1, "3": 2, "6": 10}
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "test_id.txt").write_text("10,9,2")
    crops = []
    for camera, images in cameras.items():
        for person in ids:
            if (camera, person) == ("2", 9):
                continue
            folder = tmp_path / f"cam{camera}" / f"{person:04d}"
            folder.mkdir(parents=True)
            for number in reversed(range(1, images + 1)):
                (folder / f"{number}.jpg").touch()
                modality = Modality.IR if camera in "36" else Modality.RGB
                crops.append(Crop(f"cam{camera}/{person:04d}/{number}.jpg", person, camera, modality))

    def published(named_cameras, trial):
        random.seed(trial)
        drawn = []
        text = (tmp_path / "exp" / "test_id.txt").read_text().splitlines()[0]
        for name in sorted(f"{int(word):04d}" for word in text.split(",")):
            for camera in named_cameras:
                folder = tmp_path / camera / name
                if folder.is_dir():
                    files = sorted(f"{folder}/{file.name}" for file in folder.iterdir())
                    drawn.append(Path(random.choice(files)).relative_to(tmp_path).as_posix())
        return drawn

    for asking, searches in (
        (Modality.IR, {"all_single": ["cam1", "cam2", "cam4", "cam5"], "indoor_single": ["cam1", "cam2"]}),
        (Modality.RGB, {"rgb_to_ir_all_single": ["cam3", "cam6"], "rgb_to_ir_indoor_single": ["cam3", "cam6"]}),
    ):
        protocol = sysu_mm01(crops, ids, None, "agw", asking)
        assert list(protocol.settings) == list(searches)
        for setting, named in searches.items():
            assert len(protocol.settings[setting]) == 10
            for trial in range(10):
                assert gallery_paths(crops, protocol, setting, trial) == published(named, trial)


def test_rgb_asks_infrared_by_hand():
    crops = crops_of(COUNTS)
    protocol = sysu_mm01(crops, [8, 5], counting(COUNTS), asking=Modality.RGB)
    assert list(protocol.settings) == [f"rgb_to_ir_{name}" for name in SETTINGS]
    # Trial 1 begins each permutation at image 2; person 8's only image of camera 6 is image 1.
    assert gallery_paths(crops, protocol, "rgb_to_ir_all_single", 1) == ["cam3/0005/0002.jpg", "cam6/0008/0001.jpg"]
    assert gallery_paths(crops, protocol, "rgb_to_ir_indoor_multi", 1) == [
        "cam3/0005/0002.jpg", "cam3/0005/0001.jpg", "cam6/0008/0001.jpg"
    ]  # fmt: skip
    everyone, indoor = (protocol.settings[f"rgb_to_ir_{mode}_single"][0] for mode in ("all", "indoor"))
    assert len(everyone.query) == 3 + 12 + 2 + 4
    assert {crops[row].camera for row in indoor.query} == {"1", "2"}
    assert len(indoor.query) == 3 + 12 + 2
    # A query of camera 2 does not see camera 3, which stands in the same room.
    assert indoor.query_group.tolist() == [1] * 15 + [2] * 2
    assert indoor.gallery_group.tolist() == [2, 6]


def test_permutations_of_the_query_cameras_may_be_missing_and_those_of_the_gallery_not():
    drawn = {cell: values for cell, values in counting(COUNTS).items() if cell[0] not in "36"}
    assert sysu_mm01(crops_of(COUNTS), [5, 8], drawn).draw == "official"
    with pytest.raises(DataError, match="camera 3, person 5: 2 rows are given, and rand_perm_cam.mat counts 0"):
        sysu_mm01(crops_of(COUNTS), [5, 8], drawn, asking=Modality.RGB)


def test_the_reverse_direction_by_a_slow_reading(mini):
    golden, vectors, crops, permutations = mini
    persons = np.array([crop.person for crop in crops])
    protocol = sysu_mm01(crops, golden["test_ids"], permutations, asking=Modality.RGB)
    results = evaluate(vectors, crops, protocol, dataset="sysu_mm01")
    for name in ("rgb_to_ir_all_single", "rgb_to_ir_indoor_multi"):
        slow = slow_trial(vectors, persons, protocol.settings[name][4])
        trial = results[name]["trials"][4]
        np.testing.assert_allclose(trial["cmc"], slow["cmc"], atol=1e-12, rtol=0)
        assert trial["mAP"] == pytest.approx(slow["mAP"], abs=1e-12)
        assert trial["valid_queries"] == slow["valid"]
