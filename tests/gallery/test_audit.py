"""The audit log: whole as written, and any change of it is seen."""

from __future__ import annotations

import hashlib
import json
import threading

import pytest

from tapetum.errors import GalleryError, RecipeError
from tapetum.gallery.audit import FIRST, AuditLog, Head, parse_head, read_audit, verify_audit


@pytest.fixture
def log(tmp_path):
    made = AuditLog(tmp_path)
    for number in range(4):
        made.append("search", who="reception", role="search", found=[number])
    return made


def lines(log):
    return log.path.read_bytes().splitlines(keepends=True)


def test_entries_are_chained_from_zeros(log, tmp_path):
    entries = list(read_audit(tmp_path))
    assert [entry["number"] for entry in entries] == [1, 2, 3, 4]
    assert [entry["found"] for entry in entries] == [[0], [1], [2], [3]]
    before = FIRST
    for entry in entries:
        digest = entry.pop("hash")
        assert entry["before"] == before
        assert digest == hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
        before = digest
    assert verify_audit(tmp_path) == Head(4, before)


def test_no_log_is_whole(tmp_path):
    assert verify_audit(tmp_path) == Head(0, FIRST)
    assert list(read_audit(tmp_path)) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda all_: [all_[0], all_[1].replace(b"reception", b"deception"), *all_[2:]],
        lambda all_: [all_[0], all_[2], all_[3]],
        lambda all_: [all_[0], all_[2], all_[1], all_[3]],
        lambda all_: [all_[0], b"no JSON\n", *all_[2:]],
        lambda all_: [all_[0], all_[0], *all_[1:]],
    ],
)
def test_the_first_broken_line_is_named(log, tmp_path, change):
    log.path.write_bytes(b"".join(change(lines(log))))
    with pytest.raises(GalleryError, match=r"log.jsonl, line 2 is not what was written"):
        verify_audit(tmp_path)


def test_a_line_made_anew_with_its_own_hash_is_seen_at_the_next(log, tmp_path):
    all_ = lines(log)
    entry = json.loads(all_[1])
    del entry["hash"]
    entry["who"] = "nobody"
    entry["hash"] = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
    log.path.write_bytes(b"".join([all_[0], json.dumps(entry).encode() + b"\n", *all_[2:]]))
    with pytest.raises(GalleryError, match="line 3"):
        verify_audit(tmp_path)


@pytest.mark.parametrize("left", [0, 3])
def test_a_log_that_was_cut_off_is_seen_and_takes_no_more(log, tmp_path, left):
    log.path.write_bytes(b"".join(lines(log)[:left]))
    with pytest.raises(GalleryError, match=f"ends with entry {left}, and entry 4 was written"):
        verify_audit(tmp_path)
    for other in (log, AuditLog(tmp_path)):
        with pytest.raises(GalleryError, match="cut off"):
            other.append("search")


def test_a_log_that_is_gone_is_seen(log, tmp_path):
    log.path.unlink()
    with pytest.raises(GalleryError, match="cut off"):
        verify_audit(tmp_path)
    with pytest.raises(GalleryError, match="cut off"):
        AuditLog(tmp_path).append("search")


def test_a_log_written_anew_is_seen_by_the_noted_head(log, tmp_path):
    noted = verify_audit(tmp_path)
    log.path.unlink()
    (tmp_path / "audit" / "head").unlink()
    other = AuditLog(tmp_path)
    for _ in range(5):
        other.append("nothing happened")
    assert verify_audit(tmp_path).number == 5
    with pytest.raises(GalleryError, match="line 4 has the hash"):
        verify_audit(tmp_path, noted)
    with pytest.raises(GalleryError, match="entry 9 was written"):
        verify_audit(tmp_path, Head(9, FIRST))


def test_an_unfinished_last_line_was_never_acknowledged(log, tmp_path):
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + b'{"number": 5, "time": "20')
    assert verify_audit(tmp_path).number == 4
    other = AuditLog(tmp_path)
    assert other.append("index").number == 5
    assert log.path.read_bytes().startswith(whole)
    assert verify_audit(tmp_path).number == 5


def test_a_line_whose_head_was_not_written_yet_counts(log, tmp_path):
    head = (tmp_path / "audit" / "head").read_bytes()
    log.append("index")
    (tmp_path / "audit" / "head").write_bytes(head)  # killed in between
    assert verify_audit(tmp_path).number == 5
    assert AuditLog(tmp_path).append("index").number == 6


def test_several_writers_follow_each_other(tmp_path):
    logs = [AuditLog(tmp_path), AuditLog(tmp_path)]

    def write(log):
        for _ in range(10):
            log.append("search")

    threads = [threading.Thread(target=write, args=(logs[number % 2],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify_audit(tmp_path).number == 40


def test_facts_cannot_take_the_logs_own_words(tmp_path):
    with pytest.raises(RecipeError, match="before"):
        AuditLog(tmp_path).append("x", before=3)
    assert not list(read_audit(tmp_path))


def test_a_head_is_read_as_it_is_printed(log, tmp_path):
    head = verify_audit(tmp_path)
    assert parse_head(str(head)) == head
    for text in ("", "4", "4:abc", f"x:{'0' * 64}", f"4:{'g' * 64}"):
        with pytest.raises(RecipeError, match="is no head"):
            parse_head(text)
