"""The truth about generated people is the generator's own, and a painter's codes are asked about it."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
import torch

from tapetum.core import Crop, Modality
from tapetum.data.catalogue import read_dataset
from tapetum.data.synthetic import SynthesisSpec, generate
from tapetum.report.code_truth import code_truth, pooled
from tapetum.report.synthetic_truth import synthetic_truth


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    root = tmp_path_factory.mktemp("people")
    generate(SynthesisSpec(seed=2, train=1, test=10, val=0, per_camera=1, truth="all"), root, workers=1)
    return root


@pytest.fixture(scope="module")
def crops(people):
    dataset = read_dataset("sysu_mm01", people)
    return [dataset.crops[row] for row in dataset.rows("test")]


def found(targets, group, name):
    return next(target for target in targets if (target.group, target.name) == (group, name))


def test_the_truth_is_what_the_generator_wrote_down(people, crops):
    targets = synthetic_truth(people, crops)
    rows = {int(row["person"]): row for row in csv.DictReader((people / "attributes.csv").open())}
    views = {}
    for file in sorted((people / "truth" / "views").glob("*.json")):
        views |= json.loads(file.read_text())
    for place, crop in enumerate(crops):
        row, view = rows[crop.person], views[crop.path]
        assert found(targets, "body shape", "build").values[place, 0] == pytest.approx(float(row["build"]), abs=1e-4)
        assert found(targets, "attributes", "upper garment").values[place] == row["upper"]
        assert found(targets, "attributes", "carried").values[place] == row["carried"]
        heading = found(targets, "pose", "heading").values[place]
        assert np.degrees(np.arctan2(*heading)) == pytest.approx(view["yaw"], abs=1e-6)
        assert found(targets, "pose", "walks or stands").values[place] == str(view["walking"])
        assert found(targets, "light", "visible or infrared").values[place] == crop.modality
    assert found(targets, "visible colour", "skin").light is Modality.RGB
    assert found(targets, "visible colour", "skin").values.shape == (60, 3)
    assert found(targets, "infrared reflectance", "upper garment").light is Modality.IR


def test_thermal_people_have_no_reflectance(tmp_path):
    generate(SynthesisSpec(train=1, test=2, per_camera=1, mode="regdb"), tmp_path, workers=1)
    dataset = read_dataset("regdb", tmp_path, trial=1)
    targets = synthetic_truth(tmp_path, dataset.crops)
    assert "infrared reflectance" not in {target.group for target in targets}
    assert "visible colour" in {target.group for target in targets}


def test_nobody_knows_the_truth_of_real_people_or_of_another_generators(people, crops, tmp_path):
    assert synthetic_truth(tmp_path, crops) is None
    assert synthetic_truth(people, [*crops, Crop("cam1/0002/0099.jpg", 2, "1", Modality.RGB)]) is None
    record = json.loads((people / "synth.json").read_text())
    (tmp_path / "synth.json").write_text(json.dumps({**record, "generator": 0}))
    assert synthetic_truth(tmp_path, crops) is None
    (tmp_path / "synth.json").write_text("{")
    assert synthetic_truth(tmp_path, crops) is None


class LightTeller:
    """The appearance says which light it is, but for a little noise; the structure says nothing."""

    def __init__(self):
        self.generator = torch.Generator().manual_seed(0)

    def codes(self, pictures):
        count = len(pictures.images)
        light = float(pictures.modality is Modality.IR)
        return torch.ones(count, 2, 4, 2), light + 0.1 * torch.randn(count, 3, generator=self.generator)

    def paint(self, structure, appearance, modality):
        return structure


def test_probes_say_what_each_code_knows_and_leave_broken_pictures_out(people, crops, tmp_path):
    told = []
    root = shutil.copytree(people, tmp_path / "people")
    (root / crops[0].path).write_bytes(b"")
    truth = code_truth(LightTeller(), crops, root, (32, 16), told.append)
    light = next(row for row in truth.rows if row.group == "light")
    assert (light.is_kind, light.guess, light.structure, light.appearance) == (True, 0.5, 0.5, 1.0)
    assert light.pixels > 0.9, "infrared pictures are grey"
    assert (light.known(0.5), light.known(0.75), light.known(0.2)) == (0, 0.5, 0)
    heading = next(row for row in truth.rows if row.name == "heading")
    assert (heading.is_kind, heading.guess) == (False, 0)
    assert abs(heading.structure) < 0.2
    assert (truth.pictures, truth.persons, told[-1]) == (59, 10, 59)


def test_real_people_and_few_people_have_no_table(people, crops, tmp_path):
    assert code_truth(LightTeller(), crops, tmp_path, (32, 16), lambda _: None) is None
    ten = sorted({crop.person for crop in crops})
    one = [crop for crop in crops if crop.person != ten[0]]
    in_one_light = [crop for crop in crops if crop.person != ten[0] or crop.modality is Modality.RGB]
    for few in (one, in_one_light):
        assert code_truth(LightTeller(), few, people, (32, 16), lambda _: None) is None


def test_maps_are_pooled_to_rough_places():
    maps = torch.zeros(1, 1, 8, 4)
    maps[0, 0, :2, 2:] = 1
    assert pooled(maps).tolist() == [[0, 1, 0, 0, 0, 0, 0, 0]]
    assert pooled(torch.ones(2, 5)).shape == (2, 5)
