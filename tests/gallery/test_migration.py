"""To a new model and back out of trouble."""

from __future__ import annotations

import numpy as np
import pytest
from small_gallery import arrivals_of, begin_gallery, draw_picture, draw_pictures, everything_in

from small_model import write_model
from tapetum.errors import GalleryError
from tapetum.gallery import migration
from tapetum.gallery.audit import AuditLog, verify_audit
from tapetum.gallery.embedder import CropEmbedder
from tapetum.gallery.gallery import Gallery
from tapetum.gallery.ingest import index_pictures
from tapetum.gallery.keys import KeyRing
from tapetum.gallery.migration import migrate


@pytest.fixture(scope="module")
def second_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("second")
    write_model(folder, seed=1)
    return folder


@pytest.fixture
def folder(tmp_path, small_run, embedder):
    """A gallery of crops 1 3 4, of 000 002 003; its last id was 5."""
    with begin_gallery(tmp_path / "gallery", small_run, embedder) as gallery:
        index_pictures(gallery, arrivals_of(draw_pictures(tmp_path / "a", 5)), embedder, workers=0)
        gallery.store.delete([2, 5])
        AuditLog(gallery.folder).append("index")
        KeyRing(gallery.folder).add("reception", "search")
    return tmp_path / "gallery"


def test_every_crop_goes_over_with_its_id(folder, second_run, tmp_path):
    with Gallery.open(folder) as old:
        rows = everything_in(old)
    found, before = migrate(folder, second_run, workers=0)
    assert (found.moved, found.lost) == (3, [])
    new = CropEmbedder.load(second_run)
    with Gallery.open(folder) as gallery:
        assert everything_in(gallery) == rows
        assert gallery.facts.fingerprint == new.fingerprint
        assert gallery.segments.manifest.next_id == 6
        other = tmp_path / "other"
        with begin_gallery(other, second_run, new) as fresh:
            index_pictures(fresh, arrivals_of([tmp_path / "a" / "002.png"]), new, workers=0)
            np.testing.assert_allclose(gallery.segments.vectors([3]), fresh.segments.vectors([1]), atol=1e-6)
    assert verify_audit(folder).number == 1
    (key,) = KeyRing(folder).keys()
    assert key.name == "reception"
    assert before == folder.with_name("gallery.before")
    with Gallery.open(before) as old:
        assert everything_in(old) == rows
    assert not folder.with_name("gallery.migrating").exists()


@pytest.mark.parametrize("harm", ["changed", "missing"])
def test_without_every_picture_it_stops_and_the_gallery_is_as_it_was(folder, second_run, tmp_path, embedder, harm):
    picture = tmp_path / "a" / "002.png"
    draw_picture(picture, 77) if harm == "changed" else picture.unlink()
    with pytest.raises(GalleryError, match=r"1 pictures cannot be embedded again: .*002.png"):
        migrate(folder, second_run, workers=0)
    with Gallery.open(folder) as gallery:
        assert gallery.facts.fingerprint == embedder.fingerprint
        assert len(gallery.segments) == 3
    found, _ = migrate(folder, second_run, leave_out=True, workers=0)
    assert (found.moved, len(found.lost)) == (2, 1)


def test_a_stopped_migration_goes_on(folder, second_run, monkeypatch):
    monkeypatch.setattr(migration, "_AT_ONCE", 1)
    told = []

    def stop(done, total):
        told.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrate(folder, second_run, workers=0, progress=stop)
    with Gallery.open(folder) as gallery:
        gallery.store.delete([1])  # forgotten meanwhile
    told.clear()
    found, _ = migrate(folder, second_run, workers=0, progress=lambda done, total: told.append((done, total)))
    assert told == [(2, 2)]
    assert found.moved == 2
    with Gallery.open(folder) as gallery:
        assert [number for number, _, _ in everything_in(gallery)] == [3, 4]


def test_killed_between_the_two_renames_it_is_finished(folder, second_run, tmp_path):
    migrate(folder, second_run, workers=0)
    folder.rename(folder.with_name("gallery.migrating"))
    found, before = migrate(folder, second_run, workers=0)
    assert found.moved == 3
    assert before.exists()
    with Gallery.open(folder) as gallery:
        assert len(gallery.segments) == 3


def test_what_is_in_the_way_is_named(folder, small_run, second_run):
    with pytest.raises(GalleryError, match="There is nothing to do"):
        migrate(folder, small_run, workers=0)
    folder.with_name("gallery.before").mkdir()
    with pytest.raises(GalleryError, match=r"gallery.before is in the way"):
        migrate(folder, second_run, workers=0)
