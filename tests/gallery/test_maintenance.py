"""Keeping a gallery in order: counting, checking, removing with proof, exporting."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from small_gallery import begin_gallery, draw_pictures, everything_in

from tapetum.core import Modality
from tapetum.embedding_table import read_embeddings
from tapetum.errors import GalleryError, OutputError, RecipeError
from tapetum.gallery.audit import AuditLog
from tapetum.gallery.export import export
from tapetum.gallery.gallery import Gallery
from tapetum.gallery.ingest import index_pictures
from tapetum.gallery.maintenance import chosen, contents, delete, expired, forget, verify
from tapetum.gallery.pictures import Arrival
from tapetum.gallery.store import Filter, GalleryRow
from tapetum.gallery.traces import Traces, hash_of

NOON = datetime(2026, 5, 1, 12)


def six_crops(folder: Path) -> list[Arrival]:
    """Persons 0 1 0 1 0 None; cameras gate gate gate dock dock dock; hours 0 ... 4 after noon, the last without."""
    paths = draw_pictures(folder, 6)
    persons = [0, 1, 0, 1, 0, None]
    return [
        Arrival(
            str(path),
            "gate" if number < 3 else "dock",
            Modality.RGB if number < 4 else Modality.IR,
            persons[number],
            "yard" if number < 3 else None,
            NOON + timedelta(hours=number) if number < 5 else None,
        )
        for number, path in enumerate(paths)
    ]


@pytest.fixture
def engine():
    return "exact"


@pytest.fixture
def gallery(engine, tmp_path, small_run, embedder):
    with begin_gallery(tmp_path / "gallery", small_run, embedder, engine) as opened:
        index_pictures(opened, six_crops(tmp_path / "pictures"), embedder, workers=0)
        yield opened


def test_contents(gallery):
    found = contents(gallery)
    assert found.crops == 6
    assert found.cameras == (("dock", None, 3), ("gate", "yard", 3))
    assert found.sites == ("yard",)
    assert found.modalities == {"ir": 2, "rgb": 4}
    assert (found.persons, found.without_time, found.without_thumbnail) == (2, 1, 0)
    assert (found.first, found.last) == (NOON, NOON + timedelta(hours=4))
    gallery.store.delete([5])
    found = contents(gallery)
    assert (found.crops, found.last, found.modalities["ir"]) == (5, NOON + timedelta(hours=3), 1)


def test_an_empty_gallery_has_contents(tmp_path, small_run, embedder):
    with begin_gallery(tmp_path / "empty", small_run, embedder) as empty:
        found = contents(empty)
        assert (found.crops, found.cameras, found.first) == (0, (), None)
        assert verify(empty).problems == ()


def test_a_whole_gallery_verifies_and_damage_is_named(gallery):
    AuditLog(gallery.folder).append("index")
    AuditLog(gallery.folder).append("index")
    assert verify(gallery).problems == ()
    (rows,) = (gallery.folder / "segments").glob("*.vectors")
    data = bytearray(rows.read_bytes())
    data[5] ^= 1
    rows.write_bytes(data)
    log = gallery.folder / "audit" / "log.jsonl"
    log.write_text(log.read_text().replace('"number": 1', '"number": 7'))
    problems = verify(gallery).problems
    assert len(problems) == 2
    assert str(rows) in problems[0]
    assert "line 1" in problems[1]


def test_an_index_that_lost_a_row_is_named(gallery, monkeypatch):
    monkeypatch.setattr(gallery.store, "count", lambda among: 5)
    (problem,) = verify(gallery).problems
    assert "has 5 crops, and the segments have 6" in problem
    assert "tapetum gallery rebuild" in problem


@pytest.mark.parametrize(
    ("among", "ids", "expected"),
    [
        (Filter(persons=frozenset({0})), (), [1, 3, 5]),
        (Filter(persons=frozenset({0}), cameras=frozenset({"dock"})), (), [5]),
        (Filter(since=NOON + timedelta(hours=1), until=NOON + timedelta(hours=3)), (), [2, 3]),
        (Filter(), (6, 2), [2, 6]),
        (Filter(cameras=frozenset({"gate"})), (2, 6), [2]),
        (Filter(persons=frozenset({9})), (), []),
    ],
)
def test_which_crops_are_chosen(gallery, among, ids, expected):
    assert chosen(gallery, among, ids) == expected


def test_choosing_by_nothing_or_by_what_is_not_there_is_refused(gallery):
    with pytest.raises(RecipeError, match="which crops"):
        chosen(gallery, Filter())
    with pytest.raises(GalleryError, match="has the id 7"):
        chosen(gallery, Filter(), [1, 7])


def test_expiry_is_by_camera_and_age(gallery):
    now = NOON + timedelta(hours=5)
    assert expired(gallery, timedelta(hours=3), now) == [1, 2]  # taken 5 and 4 hours ago; 3 hours ago is not older
    assert expired(gallery, timedelta(hours=1), now, "dock") == [4]
    with pytest.raises(RecipeError, match="no crop of camera 'door'"):
        expired(gallery, timedelta(hours=1), now, "door")


def bytes_of(gallery, number):
    """The vector, thumbnail and path of one row, as they stand in files."""
    segment, place = gallery.segments.places([number])[number]
    (row,) = segment.rows(np.array([place]))
    vector = gallery.segments.vectors([number])[0]
    return [vector.tobytes(), segment.thumbnail(place), row.path.encode()], vector.astype("<f2").tobytes()


def found_in_files(folder, text):
    return [path.name for path in sorted(folder.rglob("*")) if path.is_file() and text in path.read_bytes()]


@pytest.mark.parametrize(("remove", "engine"), [(delete, "exact"), (forget, "exact"), (forget, "edge")])
def test_removed_bytes_are_in_no_file(gallery, remove):
    gone, halved = bytes_of(gallery, 3)
    stays, _ = bytes_of(gallery, 4)
    assert all(found_in_files(gallery.folder, text) for text in [*gone, *stays])
    if gallery.facts.engine == "edge":
        assert found_in_files(gallery.folder, halved)  # else the search below would prove nothing
    done = remove(gallery, [3])
    assert (done.removed, done.crops_before, done.crops_after) == (1, 6, 5)
    assert not any(found_in_files(gallery.folder, text) for text in [*gone, halved])
    assert all(found_in_files(gallery.folder, text) for text in stays)
    assert [number for number, _, _ in everything_in(gallery)] == [1, 2, 4, 5, 6]
    assert verify(gallery).problems == ()


def test_the_proof_says_what_was_looked_for(gallery):
    done = forget(gallery, [1, 3, 5])
    assert (done.removed, done.crops_after, done.found) == (3, 3, 0)
    assert done.sought == 12  # 3 x vector, half vector, thumbnail, path
    assert done.files > 5
    assert done.bytes >= sum(path.stat().st_size for path in (gallery.folder / "model").iterdir())
    assert "person" not in str(done.to_json())


def test_a_trace_that_is_left_is_told(gallery):
    (_, thumbnail, path), _ = bytes_of(gallery, 2)
    (gallery.folder / "copy.txt").write_bytes(b"..." + path + b"...")
    (gallery.folder / "copy.bin").write_bytes(b"\0" * 5_000_000 + thumbnail)
    with pytest.raises(
        GalleryError, match=r"1 crops answer no more, and 2 traces of them are still in copy.bin, copy.txt"
    ):
        forget(gallery, [2])
    assert len(gallery.segments) == 5


def test_what_a_living_crop_has_as_well_is_no_trace(gallery):
    (_, _, path), _ = bytes_of(gallery, 2)
    vector = gallery.segments.vectors([2])
    twin = GalleryRow(7, path.decode() + ".copy", None, "gate", None, Modality.RGB, None)
    gallery.store.add([twin], vector, [None])
    done = forget(gallery, [2])
    assert (done.removed, done.found) == (1, 0)
    assert found_in_files(gallery.folder, vector.tobytes())


def test_what_was_forgotten_stays_so_when_the_gallery_is_opened_again(gallery):
    forget(gallery, chosen(gallery, Filter(persons=frozenset({0}))))
    gallery.close()
    with Gallery.open(gallery.folder) as again:
        assert [number for number, _, _ in everything_in(again)] == [2, 4, 6]
        assert again.store.count(Filter()) == 3
        assert again.segments.manifest.next_id == 7


PERSONS = {1: 0, 3: 0, 4: 1, 5: 0, 6: None}


def test_export_is_read_again(gallery, tmp_path):
    gallery.store.delete([2])
    assert export(gallery, tmp_path / "g.parquet") == 5
    table = read_embeddings(tmp_path / "g.parquet")
    assert table.record["fingerprint"] == gallery.facts.fingerprint
    ids = pq.read_table(tmp_path / "g.parquet")["id"].to_pylist()
    assert {number: crop.person for number, crop in zip(ids, table.crops, strict=True)} == PERSONS
    np.testing.assert_array_equal(table.vectors, gallery.segments.vectors(ids))
    assert export(gallery, tmp_path / "g.csv") == 5
    with (tmp_path / "g.csv").open(newline="") as opened:
        rows = sorted(csv.DictReader(opened), key=lambda row: row["id"])
    assert [row["id"] for row in rows] == ["1", "3", "4", "5", "6"]
    assert (rows[0]["time"], rows[0]["site"], rows[4]["time"], rows[4]["person"]) == (NOON.isoformat(), "yard", "", "")


def test_export_elsewhere_is_refused(gallery, tmp_path):
    with pytest.raises(OutputError, match="neither .parquet"):
        export(gallery, tmp_path / "g.txt")
    assert not (tmp_path / "g.txt").exists()


def test_traces_are_found_at_every_offset_and_across_blocks(tmp_path):
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 256, length, dtype=np.uint8).tobytes() for length in (8, 9, 500, 4096)]
    noise = rng.integers(0, 256, 2**22 + 3000, dtype=np.uint8).tobytes()
    for number, text in enumerate(texts):
        for place in (0, 1, 3, 2**22 - 7, len(noise)):
            traces = Traces()
            traces.add(texts)
            (tmp_path / "file").write_bytes(noise[:place] + text + noise[place:])
            scan = traces.scan(tmp_path)
            assert scan.found == {"file": frozenset({hash_of(text)})}, (number, place)
            assert (scan.files, scan.size) == (1, len(noise) + len(text))


def test_traces_that_are_not_there_are_not_found(tmp_path):
    traces = Traces()
    traces.add([b"12345678901234567890", b"short", b""])
    assert len(traces) == 1
    (tmp_path / "file").write_bytes(b"1234567890123456789" * 3 + b"short")
    assert traces.scan(tmp_path).found == {}
    (tmp_path / "empty").touch()
    (tmp_path / "seven").write_bytes(b"1234567")
    assert traces.scan(tmp_path).files == 3
