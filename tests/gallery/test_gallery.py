"""A gallery's folder as a whole: begun once, opened by one process, intact after a refusal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from store_rows import rows, unit_vectors

from tapetum.errors import GalleryError
from tapetum.gallery.gallery import Gallery, GalleryFacts, read_facts, service_of
from tapetum.gallery.segments import Segments
from tapetum.gallery.store import Filter

FACTS = GalleryFacts("f" * 16, 8, (288, 144), "edge")

OPEN = """
import os, resource, sys
from pathlib import Path
import tapetum.gallery.edge_store
from store_rows import rows, unit_vectors
from tapetum.errors import GalleryError
from tapetum.gallery.gallery import Gallery
from tapetum.gallery.store import Filter
try:
    {act}
except GalleryError as error:
    sys.exit(f"tapetum: {{error}}")
"""


def elsewhere(act: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Do something with a gallery in another process; its folder is words[0], there `folder`."""
    code = OPEN.format(act="folder = Path(sys.argv[1])\n    " + act.strip().replace("\n", "\n    "))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, timeout=120, env=environment
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A gallery of twelve crops."""
    with Gallery.create(tmp_path / "gallery", FACTS) as gallery:
        gallery.store.add(rows(12), unit_vectors(12, 8), [b"jpeg"] * 12)
    return tmp_path / "gallery"


def same(folder: Path, crops: int = 12) -> None:
    with Gallery.open(folder) as gallery:
        assert gallery.store.count(Filter()) == len(gallery.segments) == crops
        assert gallery.segments.damaged() == []
        (answer,) = gallery.store.search(unit_vectors(12, 8)[3:4], 1, Filter())
        assert answer.ids.tolist() == [4]


def test_a_gallery_is_what_it_was_after_closing(folder: Path) -> None:
    assert read_facts(folder) == FACTS
    assert set(json.loads((folder / "gallery.json").read_text())["made_by"]) >= {"command", "versions"}
    same(folder)
    shutil.rmtree(folder / "index")
    same(folder)


def test_a_calibration_is_kept(folder: Path) -> None:
    with Gallery.open(folder) as gallery:
        gallery.set_calibration({"slope": 2.0})
    assert read_facts(folder).calibration == {"slope": 2.0}
    same(folder)


@pytest.mark.parametrize("engine", ["exact", "edge"])
def test_every_engine_opens(tmp_path: Path, engine: str) -> None:
    facts = GalleryFacts("f" * 16, 8, None, engine)  # type: ignore[arg-type]
    with Gallery.create(tmp_path / "other", facts) as gallery:
        gallery.store.add(rows(12), unit_vectors(12, 8), [None] * 12)
    same(tmp_path / "other")


def test_a_folder_is_made_a_gallery_once(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="holds a gallery already"):
        Gallery.create(folder, FACTS)
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "diary.txt").touch()
    with pytest.raises(GalleryError, match="not an empty folder"):
        Gallery.create(tmp_path / "else", FACTS)
    with pytest.raises(GalleryError, match="cannot be made|not an empty folder"):
        Gallery.create(tmp_path / "else" / "diary.txt", FACTS)
    with pytest.raises(GalleryError, match="holds no gallery. Make one with `tapetum index"):
        Gallery.open(tmp_path / "nowhere")
    same(folder)


def test_a_beginning_that_was_cut_short_is_begun_again(tmp_path: Path) -> None:
    Segments.create(tmp_path, 99)
    with Gallery.create(tmp_path, FACTS) as gallery:
        gallery.store.add(rows(12), unit_vectors(12, 8), [None] * 12)
    (tmp_path / "gallery.json").rename(tmp_path / "lost.json")
    (tmp_path / "lost.json").rename(tmp_path.parent / "lost.json")
    with pytest.raises(GalleryError, match=r"holds crops, and no gallery\.json"):
        Gallery.create(tmp_path, FACTS)
    (tmp_path.parent / "lost.json").rename(tmp_path / "gallery.json")
    same(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"size": null, "engine": "faiss"}', "no engine is called 'faiss'"),
        (
            '{"size": null, "engine": "exact", "fingerprint": "f", "dimension": 9, "calibration": null}',
            "tells of vectors of 9 values",
        ),
    ],
)
def test_damaged_facts_are_one_clear_error(folder: Path, text: str, told: str) -> None:
    whole = (folder / "gallery.json").read_text()
    (folder / "gallery.json").write_text(text)
    with pytest.raises(GalleryError, match=told):
        Gallery.open(folder)
    (folder / "gallery.json").write_text(whole)
    same(folder)  # and the lock was let go


def test_a_second_opening_is_told_who_has_it(folder: Path) -> None:
    with Gallery.open(folder) as gallery:
        with pytest.raises(GalleryError, match="in use by another process"):
            Gallery.open(folder)
        second = elsewhere("Gallery.open(folder)", folder)
        assert second.returncode == 1
        assert second.stderr.strip().splitlines()[-1].startswith(f"tapetum: {folder} is in use by another process.")
        gallery.store.add(rows(1, 13), unit_vectors(1, 8), [None])
    same(folder, 13)


def test_the_service_s_address_is_told_while_it_has_the_gallery(folder: Path) -> None:
    assert service_of(folder) is None
    with Gallery.open(folder) as gallery:
        assert service_of(folder) is None
        gallery.answer_at("http://127.0.0.1:8000")
        assert service_of(folder) == "http://127.0.0.1:8000"
    assert service_of(folder) is None
    (folder / "holder.json").write_text('{"process": 1, "service": "http://127.0.0.1:8000"}')
    assert service_of(folder) is None  # it was killed: nobody holds the lock
    same(folder)


def test_a_full_disk_is_one_clear_error_and_the_gallery_is_intact(folder: Path) -> None:
    """The limit on a file's length refuses bytes as a full disk does."""
    done = elsewhere(
        """
gallery = Gallery.open(folder)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
gallery.store.add(rows(4_000, 13), unit_vectors(4_000, 8), [None] * 4_000)
""",
        folder,
    )
    assert done.returncode == 1, done.stderr
    told = done.stderr.strip().splitlines()[-1]
    assert told.startswith(f"tapetum: cannot write {folder / 'segments'}")
    assert told.endswith("The gallery is as it was.")
    same(folder)


def test_a_disk_with_no_room_for_the_index_keeps_what_the_segments_have(folder: Path) -> None:
    shutil.rmtree(folder / "index")
    done = elsewhere(
        """
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
gallery = Gallery.open(folder)
gallery.store.add(rows(100, 13), unit_vectors(100, 8, seed=1), [None] * 100)
assert gallery.store.count(Filter()) == 112
assert gallery.store.search(unit_vectors(12, 8)[3:4], 1, Filter())[0].ids.tolist() == [4]
gallery.close()
""",
        folder,
    )
    assert done.returncode == 0, done.stderr
    same(folder, 112)


def test_a_folder_that_cannot_be_written_is_one_clear_error() -> None:
    parent = Path(tempfile.mkdtemp())
    try:
        parent.chmod(0o755)
        folder = parent / "gallery"
        with Gallery.create(folder, FACTS) as gallery:
            gallery.store.add(rows(12), unit_vectors(12, 8), [None] * 12)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        give_up_root = "os.getuid() or os.setuid(65534)\n"
        done = elsewhere(give_up_root + "Gallery.open(folder)", folder)
        assert done.returncode == 1
        told = done.stderr.strip().splitlines()[-1]
        assert told == f"tapetum: {folder} cannot be locked: Permission denied. Give permission to write there."
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        same(folder)
    finally:
        shutil.rmtree(parent)
