"""Looking at a generative run: all six methods paint, and every state of a run has its sentence."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from generative_runs import GENERATIVE, QUICK, draw_run, table_of

from small_model import write_model
from tapetum.core import Modality
from tapetum.data.catalogue import read_dataset
from tapetum.errors import RecipeError, RunError
from tapetum.methods.method import Generative, find_method, method_names
from tapetum.report.look import Look, paints
from tapetum.report.painting import look_at

SHEETS = ["reconstruction", "swaps", "interpolation", "structure", "edges"]


@pytest.fixture(scope="module")
def run(tiny_sysu, tmp_path_factory):
    return draw_run("unet_disentangling", tiny_sysu, tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def table(tiny_sysu):
    return table_of(read_dataset("sysu_mm01", tiny_sysu))


def test_these_methods_paint_and_the_others_do_not():
    assert tuple(name for name in method_names() if issubclass(find_method(name), Generative)) == GENERATIVE
    assert paints("dgnet", Look())
    assert not paints("two_stream", Look())
    assert not paints("nobody", Look())
    with pytest.raises(RecipeError, match="--judge says nothing of a 'two_stream', which paints no pictures"):
        paints("two_stream", Look(judge=Path("runs/first")))


@pytest.mark.parametrize("method", GENERATIVE)
def test_every_generative_method_is_looked_at(method, tiny_sysu, table, tmp_path):
    painting = look_at(draw_run(method, tiny_sysu, tmp_path / "run"), table, QUICK)
    assert painting.missing is None
    assert painting.judge.startswith("the run's own embedding")
    assert [sheet.name for sheet in painting.sheets] == SHEETS
    assert [light for light, _ in painting.numbers] == list(Modality)
    for _, numbers in painting.numbers:
        assert (numbers.pictures, numbers.persons) == (10, 5)
        assert numbers.kept is not None
        assert numbers.kept.chance == pytest.approx(0.2)
        assert np.isfinite(
            [numbers.again.psnr, numbers.partner.ssim, numbers.edges_structure, numbers.usage.share]
        ).all()
    assert painting.truth is None, "nobody knows the truth of these people"


def test_two_persons_of_many_pictures_are_enough(run, tiny_sysu):
    dataset = read_dataset("sysu_mm01", tiny_sysu)
    rows = dataset.rows("test")
    two = sorted({dataset.crops[row].person for row in rows})[:2]
    few = table_of(replace(dataset, splits={"test": tuple(row for row in rows if dataset.crops[row].person in two)}))
    assert min(Counter((crop.person, crop.modality) for crop in few.crops).values()) > 1
    assert max(Counter((crop.person, crop.modality) for crop in few.crops).values()) > 2
    assert look_at(run, few, QUICK).missing is None


def test_a_judge_is_named_and_progress_goes_to_the_end(run, table, tmp_path):
    told = []
    fingerprint = write_model(tmp_path / "judge")
    look = Look(judge=tmp_path / "judge", measured=10, progress=lambda done, total: told.append((done, total)))
    assert look_at(run, table, look).judge == f"the embedding of the run judge (two_stream, fingerprint {fingerprint})"
    assert told[-1][0] == told[-1][1] > 20
    assert told == sorted(told)
    with pytest.raises(RunError, match=r"holds no model.json"):
        look_at(run, table, Look(judge=tmp_path, measured=10))


def test_an_unfinished_run_and_a_missing_table_are_said(run, table, tmp_path):
    assert look_at(tmp_path, table, QUICK).missing == "the run holds no finished model"
    assert look_at(run, None, QUICK).missing.startswith("there is no table of embeddings")


def test_pictures_that_moved_away_are_said(run, tiny_sysu, tmp_path):
    moved = table_of(read_dataset("sysu_mm01", tiny_sysu), root=tmp_path)
    assert look_at(run, moved, QUICK).missing.startswith("none of the rgb pictures can be read from")


def test_one_broken_picture_of_the_persons_drawn_is_said(run, tiny_sysu, tmp_path):
    root = shutil.copytree(tiny_sysu, tmp_path / "data")
    table = table_of(read_dataset("sysu_mm01", root))
    for person in {crop.person for crop in table.crops}:
        (root / f"cam1/{person:04d}/0001.jpg").write_bytes(b"")
        (root / f"cam4/{person:04d}/0001.jpg").write_bytes(b"")
        (root / f"cam5/{person:04d}/0001.jpg").write_bytes(b"")
    painting = look_at(run, table, QUICK)
    assert painting.missing == "a picture of the persons drawn cannot be read"


def test_people_of_one_light_alone_are_too_few(run, tiny_sysu):
    one_light = table_of(read_dataset("sysu_mm01", tiny_sysu), lights=(Modality.IR,))
    assert look_at(run, one_light, QUICK).missing.startswith("too few persons")
