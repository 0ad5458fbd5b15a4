"""Crops come in, are looked at and go, and the log tells each of it; persons are forgotten with a proof."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from api_calls import logged, picture, search
from PIL import Image

from tapetum.gallery.audit import verify_audit


def add(client, file, **fields):
    return client.post("/api/crops", files=[file, *((name, (None, value)) for name, value in fields.items())])


def test_what_the_gallery_holds(client):
    told = client.get("/api/gallery").json()
    assert told["crops"] == 60
    assert told["cameras"] == [{"name": str(n), "site": f"site {n % 2}", "crops": 10} for n in range(1, 7)]
    assert told["sites"] == ["site 0", "site 1"]
    assert told["modalities"] == ["rgb", "ir"]
    assert told["time"] == {"first": "2026-03-01T08:00:00", "last": "2026-03-01T08:59:00"}
    assert (told["engine"], told["calibrated"], told["dimension"]) == ("exact", False, 32)
    assert told["limits"] == {"bytes": 10 * 2**20, "pixels": 16_000_000, "pictures": 8, "k": 200}
    assert client.get("/api/health").json() == {"status": "ok"}


def test_one_crop(client):
    told = client.get("/api/crops/1").json()
    assert (told["id"], told["camera"], told["person"], told["time"]) == (1, "1", 12, "2026-03-01T08:00:00")
    assert told["path"].endswith("cam1/0012/0001.jpg")
    assert client.get(told["thumbnail"]).status_code == 200
    for path in ("/api/crops/999", "/api/crops/999/thumbnail"):
        assert client.get(path).status_code == 404
    for number in ("0", "-1", "1.5", "x", str(2**63)):
        assert client.get(f"/api/crops/{number}").status_code == 422


def test_a_new_crop_is_found_at_once_and_only_kept_once(serving, folder, tmp_path):
    client = serving()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 20, 3), np.uint8)).save(tmp_path / "new.png")
    file = ("picture", ("../../../etc/passwd", (tmp_path / "new.png").read_bytes(), "text/html"))
    told = {"camera": "gate", "modality": "rgb", "site": "yard", "time": "2026-04-01T09:00:00"}
    added = add(client, file, **told)
    assert added.json() == {"id": 61, "duplicate": False}
    assert add(client, file, camera="other", modality="ir").json() == {"id": 61, "duplicate": True}
    (first, *_) = search(client, [file], modality="rgb", k=1).json()["hits"]
    assert (first["id"], first["camera"], first["site"], first["time"]) == (61, "gate", "yard", "2026-04-01T09:00:00")
    assert first["path"].startswith("upload:")  # a client's name is nowhere
    assert not any(b"passwd" in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert [entry["action"] for entry in logged(folder)] == ["ingest", "ingest", "search"]
    assert [entry.get("duplicate") for entry in logged(folder)] == [False, True, None]


def test_what_cannot_be_logged_is_not_done(serving, folder, tiny_sysu, monkeypatch):
    client = serving()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(client.app.state.service.audit, "append", full)
    file = ("picture", (tiny_sysu / "cam1" / "0001" / "0001.jpg").read_bytes())
    for answer in (
        add(client, file, camera="1", modality="rgb"),
        search(client, ids=[1]),
        client.delete("/api/crops/1"),
    ):
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "60"
        assert "No space left" in answer.json()["error"]
    monkeypatch.undo()
    assert client.get("/api/gallery").json()["crops"] == 60
    assert client.get("/api/crops/1").status_code == 200


def test_a_deleted_crop_answers_no_more(serving, folder):
    client = serving()
    assert client.delete("/api/crops/5").json() == {"removed": 1, "proof": None}
    assert client.get("/api/crops/5").status_code == 404
    assert client.delete("/api/crops/5").status_code == 404
    assert 5 not in {hit["id"] for hit in search(client, ids=[6], k=100).json()["hits"]}
    entries = logged(folder)
    assert [entry["action"] for entry in entries] == ["delete", "search"]
    assert entries[0]["ids"] == [5]


def test_a_forgotten_person_leaves_nothing(serving, folder, tiny_sysu):
    client = serving()
    theirs = search(client, [picture(tiny_sysu, 3, person=14)], k=60).json()
    segments = client.app.state.service.gallery.segments
    rows = [row for part, _ in segments.parts() for row in part if row.person == 14]
    vectors = segments.vectors([row.id for row in rows])
    thumbnails = [client.get(f"/api/crops/{row.id}/thumbnail").content for row in rows]
    done = client.post("/api/forget", json={"persons": [14], "ids": [1]}).json()
    assert done["removed"] == 13
    proof = done["proof"]
    assert (proof["crops_before"], proof["crops_after"], proof["found"]) == (60, 47, 0)
    assert proof["sought"] >= 13 * 3
    everything = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    for row, vector, thumbnail in zip(rows, vectors, thumbnails, strict=True):
        assert row.path.encode() not in everything
        assert thumbnail not in everything
        assert vector.tobytes() not in everything
    gone = {row.id for row in rows} | {1}
    assert not gone & {hit["id"] for hit in search(client, ids=[2], k=100).json()["hits"]}
    # An old search must not bring them back: its list is forgotten too.
    asked = {"search": theirs["search"], "ids": [rows[0].id], "format": "csv"}
    assert client.post("/api/shortlist", json=asked).status_code == 404
    assert [entry["action"] for entry in logged(folder)] == ["search", "forget", "forgotten", "search"]
    assert verify_audit(folder).number == len(logged(folder))


def test_forgetting_asks_whom(client):
    for body, status, words in [
        ({}, 422, "who shall be forgotten?"),
        ({"ids": [999]}, 404, "has the id 999"),
        ({"persons": ["14"]}, 422, "persons.0: Input should be a valid integer"),
        ({"persons": [14], "all": True}, 422, "all: Extra inputs are not permitted"),
    ]:
        answer = client.post("/api/forget", json=body)
        assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text
    assert client.post("/api/forget", content=b"{", headers={"content-type": "application/json"}).status_code == 400
    assert client.get("/api/gallery").json()["crops"] == 60


def test_crops_are_kept_no_longer_than_agreed(serving, folder):
    client = serving()
    age = (datetime.now() - datetime(2026, 3, 1, 8, 29, 30)) / timedelta(days=1)  # the first 30 of 60 minutes are older
    assert client.post("/api/retain", json={"older_than_days": age, "camera": "no such"}).status_code == 422
    one = client.post("/api/retain", json={"older_than_days": age, "camera": "1"}).json()["removed"]
    rest = client.post("/api/retain", json={"older_than_days": age}).json()["removed"]
    assert 0 < one < 30 == one + rest
    assert client.get("/api/gallery").json()["time"]["first"] == "2026-03-01T08:30:00"
    for wrong in (-1, 1e9, "ten", None):
        assert client.post("/api/retain", json={"older_than_days": wrong}).status_code == 422


def test_the_log_says_whether_it_is_whole(serving, folder):
    client = serving()
    search(client, ids=[1])
    told = client.get("/api/audit/verify").json()
    assert (told["entries"], told["intact"], told["problem"]) == (1, True, None)
    assert told["head"] == str(verify_audit(folder))
    log = folder / "audit" / "log.jsonl"
    log.write_text(log.read_text().replace('"local"', '"nobody"'))
    told = client.get("/api/audit/verify").json()
    assert told["intact"] is False
    assert "line 1 is not what was written" in told["problem"]
