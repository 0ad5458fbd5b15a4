"""The truth on disk: what is written, what a damaged file does, and how segments are merged and compacted."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from store_rows import row, rows, unit_vectors

from tapetum.core import VectorArray
from tapetum.errors import GalleryError, OutputError
from tapetum.gallery import segments as segments_module
from tapetum.gallery.manifest import Entry, Manifest, read_manifest, write_manifest
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import Filter

FOUR = unit_vectors(4, 6)


@pytest.fixture
def four(tmp_path: Path) -> Segments:
    """Rows 1 ... 4 of cameras 4, 3, 4, 3 (infrared, RGB): one segment."""
    segments = Segments.create(tmp_path, 6)
    crops = [row(1, 4, 7, 0), row(2, 3, None, 5), row(3, 4, 7, None), row(4, 3, 8, 9)]
    segments.add(crops, FOUR, [b"one", None, b"three", b""])
    return segments


def kept(segments: Segments) -> dict[int, tuple[object, list[float]]]:
    return {row.id: (row, vector.tolist()) for part in segments.parts() for row, vector in zip(*part, strict=True)}


def test_a_segment_is_plain_bytes_with_their_checksums(four: Segments, tmp_path: Path) -> None:
    folder = tmp_path / "segments"
    assert sorted(path.name for path in folder.iterdir()) == ["000001.json", "000001.rows", "000001.vectors"]
    # Rows of one view stand together, infrared ("ir") before RGB ("rgb"): 1, 3, 2, 4.
    assert (folder / "000001.vectors").read_bytes() == FOUR[[0, 2, 1, 3]].astype("<f4").tobytes()
    record = json.loads((folder / "000001.json").read_text())
    digests = {
        kind: hashlib.sha256((folder / f"000001.{kind}").read_bytes()).hexdigest() for kind in ("vectors", "rows")
    }
    assert record == {"rows": 4, "sha256": digests}
    assert read_manifest(tmp_path) == Manifest(6, 1, 5, 2, False, (Entry("000001", (), 1),))


def test_everything_that_was_told_comes_back_after_reopening(four: Segments, tmp_path: Path) -> None:
    opened = Segments.open(tmp_path)
    crops = [row(1, 4, 7, 0), row(2, 3, None, 5), row(3, 4, 7, None), row(4, 3, 8, 9)]
    assert kept(opened) == {crop.id: (crop, vector.tolist()) for crop, vector in zip(crops, FOUR, strict=True)}
    assert opened.live_ids().tolist() == [1, 2, 3, 4]
    thumbnails = {n: segment.thumbnail(place) for n, (segment, place) in opened.places([1, 2, 3, 4, 99]).items()}
    assert thumbnails == {1: b"one", 2: None, 3: b"three", 4: b""}
    assert opened.vectors([4, 1]).tolist() == FOUR[[3, 0]].tolist()
    with pytest.raises(GalleryError, match="id 99"):
        opened.vectors([1, 99])
    assert opened.ids_of("path", ["cam3/000002.jpg", "nowhere"]) == {"cam3/000002.jpg": 2}
    assert opened.ids_of("content", [row(3).content]) == {row(3).content: 3}
    assert opened.damaged() == []


def test_filters_on_columns(four: Segments) -> None:
    assert four.count(Filter(cameras=frozenset("3"))) == 2
    assert four.count(Filter(persons=frozenset({7}))) == 2
    assert four.count(Filter(sites=frozenset({"yard"}))) == 4
    assert four.count(Filter(cameras=frozenset())) == 0
    assert four.count(Filter(without=frozenset({2, 50}))) == 3


def test_deleted_rows_are_hidden_at_once_and_their_bytes_go_with_compact(four: Segments, tmp_path: Path) -> None:
    before = four.view
    assert four.delete([2, 3, 99]) == 2
    assert four.delete([2]) == 0
    assert [len(segment.ids[segment.live]) for segment in before] == [4]  # a reader's view stays whole
    assert len(four) == 2
    assert Segments.open(tmp_path).live_ids().tolist() == [1, 4]
    assert FOUR[1].tobytes() in (tmp_path / "segments" / "000001.vectors").read_bytes()
    assert four.compact() == 2
    assert four.compact() == 0
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert FOUR[1].tobytes() not in everything
    assert b"cam3/000002.jpg" not in everything
    assert b"three" not in everything
    assert FOUR[0].tobytes() in everything
    assert sorted(path.name for path in (tmp_path / "segments").iterdir()) == [
        f"000002.{k}" for k in ("json", "rows", "vectors")
    ]
    assert four.live_ids().tolist() == Segments.open(tmp_path).live_ids().tolist() == [1, 4]


def test_a_row_added_again_takes_the_place_of_the_old_one(four: Segments) -> None:
    four.add([row(2, 6, 9)], FOUR[:1], [b"new"])
    assert len(four) == 4
    assert kept(four)[2] == (row(2, 6, 9), FOUR[0].tolist())
    assert four.manifest.next_id == 5
    four.compact()
    assert kept(four)[2] == (row(2, 6, 9), FOUR[0].tolist())


def test_an_emptied_segment_goes(four: Segments, tmp_path: Path) -> None:
    four.delete([1, 2, 3, 4])
    assert four.compact() == 4
    assert four.manifest.entries == ()
    assert list((tmp_path / "segments").iterdir()) == []
    assert four.manifest.next_id == Segments.open(tmp_path).manifest.next_id == 5  # an id is never given twice


def test_many_small_segments_become_few(tmp_path: Path) -> None:
    segments = Segments.create(tmp_path, 6)
    vectors = unit_vectors(100, 6, seed=3)
    crops = rows(100)
    for at in range(100):
        segments.add([crops[at]], vectors[at : at + 1], [b"%d" % at])
        if at % 20 == 0:
            segments.delete([at + 1])
    assert len(segments.view) < 16
    assert set(segments.live_ids().tolist()) == {at + 1 for at in range(100) if at % 20}
    assert kept(segments) == {at + 1: (crops[at], vectors[at].tolist()) for at in range(100) if at % 20}
    largest = max(segments.view, key=lambda segment: len(segment.ids))
    views = list(zip(largest.table["modality"].to_pylist(), largest.table["camera"].to_pylist(), strict=True))
    assert len(views) >= 32
    assert views == sorted(views)
    assert segments.damaged() == []
    assert kept(Segments.open(tmp_path)) == kept(segments)


def test_a_long_addition_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments_module, "ROWS_AT_MOST", 10)
    segments = Segments.create(tmp_path, 6)
    segments.add(rows(25), unit_vectors(25, 6), [None] * 25)
    assert [len(segment.ids) for segment in segments.view] == [10, 10, 5]
    assert segments.manifest.generation == 1
    for first in range(26, 70, 4):
        segments.add(rows(4, first), unit_vectors(4, 6), [None] * 4)
    assert max(len(segment.ids) for segment in segments.view) == 10


def test_parts_since_a_generation(four: Segments) -> None:
    four.add([row(9)], FOUR[:1], [None])
    assert [crop.id for crops, _ in four.parts(since=1) for crop in crops] == [9]
    assert list(four.parts(since=2)) == []


def test_what_a_killed_process_left_is_removed(four: Segments, tmp_path: Path) -> None:
    for name in ("000002.vectors", "000002.rows", ".000003.vectors.77.part"):
        (tmp_path / "segments" / name).write_bytes(b"half")
    Segments.open(tmp_path)
    assert {path.stem for path in (tmp_path / "segments").iterdir()} == {"000001"}


@pytest.mark.parametrize("name", ["000001.vectors", "000001.rows"])
def test_a_flipped_bit_is_found(four: Segments, tmp_path: Path, name: str) -> None:
    path = tmp_path / "segments" / name
    bytes_ = bytearray(path.read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    path.write_bytes(bytes_)
    assert four.damaged() == [path]


@pytest.mark.parametrize("name", ["000001.vectors", "000001.rows", "000001.json"])
@pytest.mark.parametrize("harm", ["missing", "shorter", "empty"])
def test_a_file_that_is_not_whole_is_one_clear_error(four: Segments, tmp_path: Path, name: str, harm: str) -> None:
    path = tmp_path / "segments" / name
    whole = path.read_bytes()
    path.unlink()
    if harm != "missing":
        path.write_bytes(whole[: len(whole) // 2] if harm == "shorter" else b"")
    with pytest.raises(GalleryError, match="000001.* backup") as raised:
        Segments.open(tmp_path)
    assert "\n" not in str(raised.value)
    path.write_bytes(whole)
    assert len(Segments.open(tmp_path)) == 4  # nothing else was touched


def test_a_damaged_manifest_is_one_clear_error(four: Segments, tmp_path: Path) -> None:
    four.delete([3])
    path = tmp_path / "manifest.json"
    whole = path.read_text()
    assert json.loads(whole)["entries"][0]["deleted"] == [1]
    changed = json.loads(whole)
    changed["entries"][0]["deleted"] = []
    for text, told in (
        (json.dumps(changed), "checksum"),
        (whole[:40], "damaged"),
        ("[]", "damaged"),
        (whole.replace('"format": 1', '"format": 2'), "format 2"),
    ):
        path.write_text(text)
        with pytest.raises(GalleryError, match=told):
            Segments.open(tmp_path)
    path.unlink()
    with pytest.raises(GalleryError, match="holds no gallery"):
        Segments.open(tmp_path)
    write_manifest(tmp_path, Manifest(6, entries=(Entry("000001", (4,), 1),)))  # a place beyond the four
    with pytest.raises(GalleryError, match="lacks rows that were deleted"):
        Segments.open(tmp_path)


def test_segments_are_begun_once(four: Segments, tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="holds a gallery already"):
        Segments.create(tmp_path, 6)


@pytest.mark.parametrize("where", ["000002.vectors", "000002.rows", "000002.json", "manifest.json"])
def test_a_full_disk_leaves_the_gallery_as_it_was(
    four: Segments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    rename = Path.replace

    def full(path: Path, target: Path) -> Path:
        if Path(target).name == where:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return rename(path, target)

    before = sorted(path.name for path in tmp_path.rglob("*"))
    monkeypatch.setattr(Path, "replace", full)
    for change in (
        lambda: four.add([row(5), row(2)], FOUR[:2], [None, None]),
        lambda: (four.delete([1]), four.compact()),
    ):
        with pytest.raises(GalleryError, match=r"No space left on device.*The gallery is as it was\.") as raised:
            change()
        assert where in str(raised.value)
        if where == "manifest.json":
            assert len(four) == 4
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert four.damaged() == []
    four.add([row(5)], FOUR[:1], [None])  # and it goes on where there is room again
    assert Segments.open(tmp_path).live_ids().tolist() == four.live_ids().tolist()


def test_a_merge_that_finds_no_room_does_not_undo_the_addition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = Segments.create(tmp_path, 6)
    for at in range(1, 8):
        segments.add([row(at)], FOUR[:1], [None])

    def full(*_: object) -> VectorArray:
        raise OutputError("cannot write: No space left on device.")

    monkeypatch.setattr(segments_module, "living_rows", full)
    segments.add([row(8)], FOUR[:1], [None])
    assert len(segments.view) == 8
    monkeypatch.undo()
    segments.add([row(9)], FOUR[:1], [None])
    assert [len(segment.ids) for segment in segments.view] == [9]
    assert np.array_equal(Segments.open(tmp_path).live_ids(), np.arange(1, 10))
