"""The Python client against the real service, and the service as a command: started, asked, ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from served_gallery import served

from tapetum.cli import main
from tapetum.core import Modality
from tapetum.errors import DataError, GalleryError
from tapetum.gallery.gallery import Gallery, service_of
from tapetum.gallery.keys import KeyRing
from tapetum.service.client import ServiceClient
from tapetum.service.messages import CropFields, SearchFields, ShortlistAsked


@pytest.fixture
def address(folder):
    with Gallery.open(folder) as gallery, served(gallery) as found:
        yield found


def test_every_call(address, tiny_sysu):
    night = tiny_sysu / "cam3" / "0012" / "0001.jpg"
    with ServiceClient(address) as service:
        assert service.health().status == "ok"
        assert service.gallery().crops == 60
        fields = SearchFields(
            modality=Modality.IR, among="rgb", cameras=["1", "2"], since=datetime(2026, 3, 1), k=5, approximate=True
        )
        answer = service.search([night, night], fields)
        assert [hit.rank for hit in answer.hits] == [1, 2, 3, 4, 5]
        assert {hit.camera for hit in answer.hits} <= {"1", "2"}
        again = service.search(fields=SearchFields(ids=[1], right=[2], wrong=[3], fold_seconds=0.5, k=3))
        assert {1, 3}.isdisjoint(hit.id for hit in again.hits)
        assert service.crop(answer.hits[0].id).person is not None
        assert service.thumbnail(answer.hits[0].id).startswith(b"\xff\xd8\xff")
        told = CropFields(camera="gate", modality=Modality.RGB, time=datetime(2026, 4, 1, 9))
        added = service.add(tiny_sysu / "cam1" / "0001" / "0001.jpg", told)
        assert (added.id, added.duplicate) == (61, False)
        assert service.crop(61).time == datetime(2026, 4, 1, 9)
        shortlist = service.shortlist(ShortlistAsked(search=again.search, ids=[again.hits[0].id]))
        assert shortlist.startswith(b"rank,id,score")
        assert service.delete(61).removed == 1
        assert service.forget(persons=[12], ids=[20]).proof["found"] == 0
        assert service.retain(older_than_days=36_000, camera="1").removed == 0
        assert service.verify_audit().intact


def test_refusals_are_the_services_own_sentences(address, folder, tmp_path):
    with ServiceClient(address) as service:
        with pytest.raises(GalleryError, match="no crop of the gallery has the id 999"):
            service.crop(999)
        with pytest.raises(GalleryError, match="nothing asks"):
            service.search()
        with pytest.raises(DataError, match=r"nope.jpg cannot be read"):
            service.search([tmp_path / "nope.jpg"])
        KeyRing(folder).add("desk", "search")
        with pytest.raises(GalleryError, match="no key was given"):
            service.gallery()
    with pytest.raises(GalleryError, match="a wrong key was given"), ServiceClient(address, "wrong") as service:
        service.gallery()
    with pytest.raises(GalleryError, match="no service answers at http://127.0.0.1:9 "):
        ServiceClient("http://127.0.0.1:9").health()
    with pytest.raises(GalleryError, match="cannot be asked"):
        ServiceClient("http://127.0.0.1:9", "schlüssel-\u20ac")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_stopped_and_leaves_the_gallery_free(folder, stop):
    command = [sys.executable, "-m", "tapetum.cli", "serve", str(folder), "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = subprocess.Popen(command, env={**os.environ, "PYTHONUNBUFFERED": "1"}, **pipes)
    try:
        line = running.stdout.readline()
        address = re.search(r"at (http://127\.0\.0\.1:\d+) \(Ctrl-C ends it\)", line).group(1)
        with ServiceClient(address) as service:
            assert service.gallery().crops == 60
        assert service_of(folder) == address == json.loads((folder / "holder.json").read_text())["service"]
        with pytest.raises(GalleryError, match="is in use by another process"):
            Gallery.open(folder)
        running.send_signal(stop)
        said, complained = running.communicate(timeout=30)
    finally:
        running.kill()
    assert (running.returncode, complained) == (0, "")
    assert said == "Ended; the gallery is closed.\n"
    assert service_of(folder) is None
    Gallery.open(folder).close()


def test_the_command_refuses_what_would_answer_everybody(folder, capsys, monkeypatch):
    for words, sentence in [
        (["--host", "0.0.0.0"], "is reached by others, and this gallery has no keys"),
        (["--host", "256.0.0.1"], "is reached by others"),
        (["--host", "127.0.0.1", "--name", "a.example.org"], "reached by others"),
    ]:
        monkeypatch.setattr(sys, "argv", ["tapetum", "serve", str(folder), *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert sentence in capsys.readouterr().err
    assert Path(folder, "lock").exists()
    Gallery.open(folder).close()
