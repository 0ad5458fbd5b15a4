"""API keys: shown once, kept as hashes, refused when revoked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import stat

import pytest

from tapetum.errors import GalleryError, RecipeError
from tapetum.gallery.keys import KEYS, KeyRing


@pytest.fixture
def ring(tmp_path):
    return KeyRing(tmp_path)


def test_a_key_is_32_random_bytes_and_only_its_hash_is_kept(ring, tmp_path):
    key, other = ring.add("reception", "search"), ring.add("camera-4", "ingest")
    assert key != other
    assert len(base64.urlsafe_b64decode(key + "=")) == 32
    text = (tmp_path / KEYS).read_text()
    assert key not in text
    assert json.loads(text)[0]["hash"] == hashlib.sha256(key.encode()).hexdigest()
    assert stat.S_IMODE((tmp_path / KEYS).stat().st_mode) == 0o600


def test_a_key_is_found_by_itself_alone(ring):
    key = ring.add("reception", "search")
    ring.add("boss", "admin")
    assert ring.find(key).name == "reception"
    for wrong in ("", key[:-1], key + "A", key.swapcase(), "ключ", "\ud800"):
        assert ring.find(wrong) is None


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("search", {"search"}), ("ingest", {"ingest"}), ("admin", {"search", "ingest", "admin"})],
)
def test_what_a_role_covers(ring, role, allowed):
    key = ring.find(ring.add("x", role))
    assert {needed for needed in ("search", "ingest", "admin") if key.may(needed)} == allowed


def test_a_revoked_key_is_refused_and_its_name_is_free_again(ring):
    old = ring.add("reception", "search")
    with pytest.raises(RecipeError, match="in use"):
        ring.add("reception", "search")
    ring.revoke("reception")
    assert ring.find(old) is None
    assert not ring.empty
    with pytest.raises(RecipeError, match="no valid key is called 'reception'"):
        ring.revoke("reception")
    new = ring.add("reception", "admin")
    assert ring.find(new).role == "admin"
    assert ring.find(old) is None
    ring.revoke("reception")
    known = ring.keys()
    assert [key.revoked is None for key in known] == [False, False]


def test_another_process_is_heard(ring, tmp_path):
    assert ring.empty
    key = KeyRing(tmp_path).add("reception", "search")
    assert ring.find(key).name == "reception"
    KeyRing(tmp_path).revoke("reception")
    assert ring.find(key) is None


def test_comparison_is_in_constant_time_and_over_every_key(ring, monkeypatch):
    compared = []
    keys = [ring.add(name, "search") for name in "abc"]
    plain = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: compared.append(one) or plain(one, other))
    ring.find(keys[0])
    ring.find("wrong")
    assert len(compared) == 6


@pytest.mark.parametrize(("name", "role"), [("x", "root"), ("", "search"), ("a b", "search"), ("x" * 65, "search")])
def test_names_and_roles_are_checked(ring, name, role):
    with pytest.raises(RecipeError):
        ring.add(name, role)
    assert ring.empty


@pytest.mark.parametrize(
    "text", ["no json", "[1]", '[{"name": "x"}]', '[{"name":"x","role":"root","hash":"","made":""}]']
)
def test_a_damaged_file_opens_nothing(ring, tmp_path, text):
    (tmp_path / KEYS).write_text(text)
    with pytest.raises(GalleryError, match="damaged"):
        ring.find("x")
