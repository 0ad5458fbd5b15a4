"""A small gallery with a small model, copied for each test that asks for it, and a client of its service."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from small_model import write_model
from tapetum.data.sysu_mm01 import read
from tapetum.gallery.embedder import CropEmbedder
from tapetum.gallery.gallery import Gallery, facts_of_model
from tapetum.gallery.ingest import index_pictures
from tapetum.gallery.keys import KeyRing
from tapetum.gallery.pictures import Arrival
from tapetum.service.app import create_app
from tapetum.service.context import ServiceSettings

BEGAN = datetime(2026, 3, 1, 8)
"""When the first crop was taken; each next one is a minute later."""
HERE = "http://127.0.0.1:8000"


@pytest.fixture(scope="session")
def made_gallery(tiny_sysu, tmp_path_factory) -> Path:
    """60 crops: persons 12 ... 16, six cameras, two pictures each, in the order of the dataset's test split."""
    folder = tmp_path_factory.mktemp("service")
    write_model(folder / "run")
    dataset = read(tiny_sysu)
    crops = [dataset.crops[row] for row in dataset.rows("test")]
    arrivals = [
        Arrival(
            str(tiny_sysu / crop.path),
            crop.camera,
            crop.modality,
            crop.person,
            f"site {int(crop.camera) % 2}",
            BEGAN + timedelta(minutes=place),
        )
        for place, crop in enumerate(crops)
    ]
    embedder = CropEmbedder.load(folder / "run")
    facts = facts_of_model(folder / "run", embedder.dimension, "exact")
    with Gallery.create(folder / "gallery", facts, folder / "run") as gallery:
        assert index_pictures(gallery, arrivals, embedder, workers=0).added == 60
    return folder / "gallery"


@pytest.fixture
def folder(made_gallery, tmp_path) -> Path:
    """A gallery of this test's own."""
    return Path(shutil.copytree(made_gallery, tmp_path / "gallery"))


@contextmanager
def _served(folder: Path, **settings) -> Iterator[TestClient]:
    with Gallery.open(folder) as gallery:
        app = create_app(gallery, ServiceSettings(**settings))
        try:
            yield TestClient(app, base_url=HERE, raise_server_exceptions=False)
        finally:
            app.state.service.close()


@pytest.fixture
def serving(folder) -> Iterator[Callable[..., TestClient]]:
    """A function that opens `folder` and gives a client of its service; settings as `ServiceSettings`."""
    with ExitStack() as ended:
        yield lambda **settings: ended.enter_context(_served(folder, **settings))


@pytest.fixture(scope="module")
def client(made_gallery, tmp_path_factory) -> Iterator[TestClient]:
    """A client of a service without keys, for tests that change nothing."""
    copied = shutil.copytree(made_gallery, tmp_path_factory.mktemp("read") / "gallery")
    with _served(Path(copied)) as served:
        yield served


@pytest.fixture
def keys(folder) -> dict[str, dict[str, str]]:
    """One key of each role -> the headers that carry it."""
    ring = KeyRing(folder)
    return {
        role: {"Authorization": f"Bearer {ring.add(f'{role}-key', role)}"} for role in ("search", "ingest", "admin")
    }
