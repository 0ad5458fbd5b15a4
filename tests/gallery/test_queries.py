"""From query pictures to ranked lists, with the gallery's own model."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from small_model import write_model
from tapetum.core import Modality
from tapetum.data.sysu_mm01 import read
from tapetum.embedding import embed_dataset
from tapetum.embedding_table import EmbeddingTable, read_embeddings, write_embeddings
from tapetum.errors import DataError, EmbeddingError, RecipeError
from tapetum.gallery.queries import search_pictures


@pytest.fixture(scope="module")
def made(tiny_sysu, tmp_path_factory):
    """(model, gallery, root): the test split embedded with drawn weights."""
    folder = tmp_path_factory.mktemp("run")
    write_model(folder)
    embed_dataset(folder, read(tiny_sysu), "test", folder / "e.parquet", workers=0)
    return folder, folder / "e.parquet", tiny_sysu


def test_a_crop_of_the_gallery_is_known_and_does_not_answer_itself(made):
    model, gallery, root = made
    path = root / "cam3" / "0012" / "0001.jpg"
    ((query, hits),), found_root = search_pictures([path], gallery, model, modality=Modality.RGB, among="all", top=60)
    assert found_root == root.resolve()
    assert (query.person, query.camera, query.modality) == (12, "3", Modality.IR)
    assert len(hits) == 59
    assert "cam3/0012/0001.jpg" not in [hit.crop.path for hit in hits]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_copy_outside_the_gallery_finds_its_original(made, tmp_path):
    model, gallery, root = made
    shutil.copy(root / "cam1" / "0014" / "0002.jpg", tmp_path / "somebody.jpg")
    ((query, hits),), _ = search_pictures([tmp_path / "somebody.jpg"], gallery, model, modality=Modality.RGB, top=3)
    assert (query.person, query.camera) == (None, "?")
    assert hits[0].crop.path == "cam1/0014/0002.jpg"
    assert hits[0].score == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("among", "cameras"), [("rgb", set("1245")), ("ir", set("36")), ("all", set("123456"))])
def test_only_those_asked_for_answer(made, among, cameras):
    model, gallery, root = made
    ((_, hits),), _ = search_pictures(
        [root / "cam6" / "0013" / "0001.jpg"], gallery, model, modality=Modality.IR, among=among, top=100
    )
    assert {hit.crop.camera for hit in hits} == cameras


def test_queries_are_answered_in_their_order(made):
    model, gallery, root = made
    paths = [root / "cam3" / f"00{person}" / "0001.jpg" for person in (16, 12, 14)]
    answers, _ = search_pictures(paths, gallery, model, modality=Modality.IR)
    assert [query.person for query, _ in answers] == [16, 12, 14]
    assert all(len(hits) == 10 for _, hits in answers)


def test_vectors_of_another_model_are_refused(made, tmp_path):
    _, gallery, root = made
    write_model(tmp_path, seed=1)
    with pytest.raises(
        EmbeddingError, match=r"e.parquet was made by model \w{16}, and .* holds \w{16}. Run `tapetum e"
    ):
        search_pictures([root / "cam3" / "0012" / "0001.jpg"], gallery, tmp_path, modality=Modality.IR)


def test_queries_that_are_no_pictures_are_named(made, tmp_path):
    model, gallery, _ = made
    (tmp_path / "text.jpg").write_text("no picture")
    for path, words in [
        (tmp_path / "nope.jpg", "nope.jpg does not exist. Give the paths of the pictures"),
        (tmp_path, "is a folder. Give the paths of the pictures"),
        (tmp_path / "text.jpg", "text.jpg is not a picture that Pillow knows"),
    ]:
        with pytest.raises(DataError, match=words):
            search_pictures([path], gallery, model, modality=Modality.IR)


def test_an_answer_that_nobody_can_give_is_said(made, tmp_path):
    model, gallery, root = made
    path = root / "cam3" / "0012" / "0001.jpg"
    with pytest.raises(RecipeError, match="--among both names no crops. Known: all, ir, rgb."):
        search_pictures([path], gallery, model, modality=Modality.IR, among="both")
    table = read_embeddings(gallery)
    infrared = np.array([crop.modality is Modality.IR for crop in table.crops])
    crops = tuple(crop for crop, kept in zip(table.crops, infrared, strict=True) if kept)
    write_embeddings(tmp_path / "ir.parquet", EmbeddingTable(table.vectors[infrared], crops, table.record))
    with pytest.raises(RecipeError, match="--among rgb: .*ir.parquet holds no such crop. Pass --among all."):
        search_pictures([path], tmp_path / "ir.parquet", model, modality=Modality.IR)
