"""Taking crops in: each content once, broken ones listed, what was kept stays when the rest fails."""

from __future__ import annotations

import hashlib
from datetime import datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_gallery import arrivals_of, begin_gallery, draw_picture, draw_pictures, everything_in

from tapetum.core import Crop, Modality
from tapetum.embedding import embed_crops
from tapetum.embedding_table import EmbeddingTable
from tapetum.errors import DataError, EmbeddingError
from tapetum.gallery import ingest
from tapetum.gallery.gallery import Gallery
from tapetum.gallery.ingest import Ingested, add_picture, index_pictures, index_vectors
from tapetum.gallery.pictures import THUMBNAIL, Arrival, Picture, picture_of
from tapetum.gallery.sources import Given, read_sources
from tapetum.gallery.store import Filter
from tapetum.model_file import load_model


@pytest.fixture
def gallery(tmp_path, small_run, embedder):
    with begin_gallery(tmp_path / "gallery", small_run, embedder) as opened:
        yield opened


def test_what_is_there_is_passed_over_and_copies_are_named(gallery, tmp_path, embedder):
    paths = draw_pictures(tmp_path / "a", 3)
    first = index_pictures(gallery, arrivals_of(paths), embedder, workers=0)
    assert (first.added, first.present, first.duplicates, first.broken) == (3, 0, [], [])
    copy = tmp_path / "copy.png"
    copy.write_bytes(paths[1].read_bytes())
    new = draw_picture(tmp_path / "new.png", 9)
    twin = draw_picture(tmp_path / "twin.png", 9)
    second = index_pictures(gallery, arrivals_of([*paths, copy, new, twin]), embedder, workers=0)
    assert (second.added, second.present, second.broken) == (1, 3, [])
    assert second.duplicates == [f"{copy} is crop 2, byte for byte", f"{twin} is {new}, byte for byte"]
    assert [(number, name) for number, name, _ in everything_in(gallery)] == [
        (1, "000.png"), (2, "001.png"), (3, "002.png"), (4, "new.png"),
    ]  # fmt: skip


def test_content_is_blake2b_of_the_bytes(gallery, tmp_path, embedder):
    (path,) = draw_pictures(tmp_path, 1)
    index_pictures(gallery, arrivals_of([path]), embedder, workers=0)
    ((_, _, content),) = everything_in(gallery)
    assert content == hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def test_vectors_are_those_of_embed(gallery, tmp_path, small_run, embedder):
    paths = draw_pictures(tmp_path, 3)
    arrivals = [*arrivals_of(paths[:2]), *arrivals_of(paths[2:], Modality.IR)]
    index_pictures(gallery, arrivals, embedder, workers=0)
    method, description = load_model(small_run)
    crops = [Crop(one.path, None, one.camera, one.modality) for one in arrivals]
    expected = embed_crops(method, crops, Path(), (description.height, description.width), workers=0)
    np.testing.assert_allclose(gallery.segments.vectors([1, 2, 3]), expected.vectors, atol=1e-6)


def test_broken_pictures_are_listed_and_the_rest_is_kept(gallery, tmp_path, embedder):
    whole = draw_picture(tmp_path / "whole.png", 1)
    cut, text, empty = tmp_path / "cut.png", tmp_path / "text.png", tmp_path / "empty.png"
    cut.write_bytes(whole.read_bytes()[:-900])
    text.write_text("no picture")
    empty.touch()
    missing = tmp_path / "missing.png"
    found = index_pictures(gallery, arrivals_of([cut, text, whole, empty, missing]), embedder, workers=0)
    assert found.added == 1
    assert sorted(sentence.split()[0] for sentence in found.broken) == sorted(map(str, (cut, text, empty, missing)))
    assert [name for _, name, _ in everything_in(gallery)] == ["whole.png"]


def test_workers_change_nothing(tmp_path, small_run, embedder):
    paths = draw_pictures(tmp_path / "a", 5)
    found = []
    for workers in (0, 1):
        with begin_gallery(tmp_path / f"g{workers}", small_run, embedder) as gallery:
            index_pictures(gallery, arrivals_of(paths), embedder, workers=workers)
            found.append((everything_in(gallery), gallery.segments.vectors([1, 2, 3, 4, 5])))
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_a_failure_leaves_what_was_acknowledged_and_the_next_run_goes_on(tmp_path, small_run, embedder, monkeypatch):
    monkeypatch.setattr(ingest, "_PICTURES_AT_ONCE", 2)
    arrivals = arrivals_of(draw_pictures(tmp_path / "a", 5))
    told = []

    def stop_at_four(done, total):
        told.append((done, total))
        if done >= 4:
            raise KeyboardInterrupt

    folder = tmp_path / "gallery"
    report = Ingested(added=7)  # of sources before
    with begin_gallery(folder, small_run, embedder) as gallery, pytest.raises(KeyboardInterrupt):
        index_pictures(gallery, arrivals, embedder, report=report, workers=0, progress=stop_at_four)
    assert report.added == 9
    assert told == [(2, 5), (4, 5)]
    with Gallery.open(folder) as gallery:
        assert [name for _, name, _ in everything_in(gallery)] == ["000.png", "001.png"]  # the part before
        again = index_pictures(gallery, arrivals, embedder, workers=0)
        assert (again.added, again.present) == (3, 2)
        assert len(gallery.segments) == 5


def test_thumbnails_are_small_jpegs(gallery, tmp_path, embedder):
    large = tmp_path / "large.png"
    Image.new("RGB", (400, 1000), "navy").save(large)
    index_pictures(gallery, arrivals_of([large]), embedder, workers=0)
    segment, place = gallery.segments.places([1])[1]
    picture = Image.open(BytesIO(segment.thumbnail(place)))
    assert (picture.format, picture.size) == ("JPEG", (77, 192))  # 400 x 1000 within 96 x 192
    assert THUMBNAIL == (96, 192)


def table_of(paths, vectors, fingerprint, root="/nowhere"):
    crops = tuple(Crop(str(path), 7, "gate", Modality.RGB, datetime(2026, 5, 1)) for path in paths)
    return EmbeddingTable(np.array(vectors, np.float32), crops, {"fingerprint": fingerprint, "root": str(root)})


def some_vectors(count, dimension):
    return np.random.default_rng(0).normal(size=(count, dimension))


def test_ready_vectors_get_length_one_and_are_known_by_path(gallery, embedder):
    vectors = some_vectors(3, embedder.dimension)
    table = table_of(["a.jpg", "b.jpg", "a.jpg"], vectors, embedder.fingerprint)
    first = index_vectors(gallery, table, workers=0)
    assert (first.added, first.present, len(first.duplicates)) == (2, 0, 1)
    unit = vectors[:2] / np.linalg.norm(vectors[:2], axis=1, keepdims=True)
    np.testing.assert_allclose(gallery.segments.vectors([1, 2]), unit, atol=1e-7)
    assert index_vectors(gallery, table, workers=0).present == 3
    ((rows, _),) = gallery.segments.parts()
    assert [(row.person, row.time, row.content) for row in rows] == [(7, datetime(2026, 5, 1), "")] * 2


def test_ready_vectors_with_their_pictures_beside_are_known_by_content(gallery, tmp_path, embedder):
    paths = draw_pictures(tmp_path / "root", 2)
    table = table_of(["000.png", "001.png"], some_vectors(2, embedder.dimension), embedder.fingerprint, paths[0].parent)
    assert index_vectors(gallery, table, workers=0).added == 2
    assert index_pictures(gallery, arrivals_of(paths), embedder, workers=0).present == 2
    segment, place = gallery.segments.places([1])[1]
    assert Image.open(BytesIO(segment.thumbnail(place))).size == (24, 48)


def test_vectors_of_another_model_or_without_direction_are_refused(gallery, embedder):
    vectors = some_vectors(1, embedder.dimension)
    for table in (table_of(["a"], vectors, "0" * 16), table_of(["a"], 0 * vectors, embedder.fingerprint)):
        with pytest.raises(EmbeddingError, match="model 0000000000000000|all zero"):
            index_vectors(gallery, table, workers=0)
    assert len(gallery.segments) == 0


def test_one_picture(gallery, tmp_path, embedder):
    data = draw_picture(tmp_path / "a.png", 3).read_bytes()
    arrival = Arrival("upload", "gate", Modality.IR, site="yard")
    picture = picture_of(data, "upload", Modality.IR, embedder.size)
    vector = embedder.embed(picture.pixels[None], Modality.IR)[0]
    assert add_picture(gallery, arrival, picture, vector) == (1, False)
    assert add_picture(gallery, arrival, picture, vector) == (1, True)
    assert gallery.store.count(Filter(sites=frozenset({"yard"}), modalities=frozenset({Modality.IR}))) == 1


def test_batches_of_the_embedder_change_no_vector(embedder):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, *embedder.size), dtype=np.uint8)
    together = embedder.embed(pixels, Modality.IR)
    assert together.shape == (5, embedder.dimension)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    for number in range(5):
        np.testing.assert_allclose(
            embedder.embed(pixels[number : number + 1], Modality.IR)[0], together[number], atol=1e-6
        )


def test_a_picture_without_a_size_has_no_pixels(tmp_path):
    data = draw_picture(tmp_path / "a.png", 3).read_bytes()
    picture = picture_of(data, "a", Modality.RGB, None)
    assert isinstance(picture, Picture)
    assert picture.pixels.size == 0


GIVEN = Given(Modality.IR, "gate", "yard")


def test_folders_are_walked_by_name(tmp_path):
    for name in ("b/2.png", "b/1.png", "a.png", "c/d/3.png"):
        draw_picture(tmp_path / name, 0)
    (tmp_path / "notes.txt").write_text("left out")
    found = read_sources([tmp_path], GIVEN).arrivals
    assert [str(Path(one.path).relative_to(tmp_path)) for one in found] == ["a.png", "b/1.png", "b/2.png", "c/d/3.png"]
    assert {(one.camera, one.site, one.modality) for one in found} == {("gate", "yard", Modality.IR)}


def test_a_dataset_tells_its_own_cameras_persons_and_places(tiny_sysu):
    found = read_sources([tiny_sysu], Given()).arrivals
    one = next(arrival for arrival in found if arrival.path.endswith("cam3/0012/0001.jpg"))
    assert (one.camera, one.person, one.modality, one.site) == ("3", 12, Modality.IR, "2")


def test_a_table_tells_of_each_picture_and_the_command_line_of_what_it_lacks(tmp_path):
    draw_picture(tmp_path / "a.png", 0)
    draw_picture(tmp_path / "b.png", 1)
    (tmp_path / "t.csv").write_text(
        "path,modality,time,person,site\na.png,rgb,2026-05-01T20:00:00+02:00,4,hall\nb.png,thermal,,,\nc.png,rgb,,,\n"
    )
    found = read_sources([tmp_path / "t.csv"], GIVEN)
    assert found.arrivals == [
        Arrival(str(tmp_path / "a.png"), "gate", Modality.RGB, 4, "hall", datetime(2026, 5, 1, 18)),
        Arrival(str(tmp_path / "b.png"), "gate", Modality.IR, None, None, None),
    ]
    assert len(found.broken) == 1
    assert "c.png" in found.broken[0]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("missing.csv", None, "does not exist"),
        ("notes.txt", "x", "is no picture, table or embeddings"),
        ("t.csv", "path,person\n", "modality"),
        ("a.png", "x", "--modality"),
    ],
)
def test_what_is_no_source_is_refused(tmp_path, name, text, sentence):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=sentence):
        read_sources([tmp_path / name], Given())


def test_a_folder_of_pictures_needs_its_modality(tmp_path):
    draw_pictures(tmp_path, 1)
    with pytest.raises(DataError, match="--modality rgb or --modality ir"):
        read_sources([tmp_path], Given())
