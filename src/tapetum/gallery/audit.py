"""Who did what, when: an append-only log whose entries are chained by their hashes.

    audit/log.jsonl   one entry a line: {"number", "time", "who", "role", "action", ..., "before", "hash"}
    audit/head        number and hash of the last entry that was acknowledged

    hash_n = SHA-256(entry n without its hash),   which holds before = hash_(n-1);   hash_0 = 64 zeros

Changing, removing or inserting an entry breaks the chain; cutting off the end is seen by the head. Whoever can write
the folder can write both anew, so note number and hash elsewhere from time to time: `tapetum audit verify --head` tells
whether that entry is still what it was. An entry is on disk when `append` returns.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from tapetum.errors import GalleryError, RecipeError

FIRST = "0" * 64
_OWN = frozenset({"number", "time", "who", "role", "action", "before", "hash"})
_HEAD = "{:012d} {}\n"


@dataclass(frozen=True)
class Head:
    """The last entry: its number, counted from 1, and its hash; 0 and zeros before there is one."""

    number: int = 0
    hash: str = FIRST

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


class AuditLog:
    """The log of one gallery. Several processes and threads may append: each entry follows the last one on disk."""

    def __init__(self, gallery: Path) -> None:
        self.path = gallery / "audit" / "log.jsonl"
        self._head_path = gallery / "audit" / "head"
        self._threads = threading.Lock()  # a FileLock alone lets the threads of its own process in together
        self._processes = FileLock(gallery / "audit" / ".lock", timeout=30, thread_local=False)
        self._end = 0
        self._head = Head()

    def append(self, action: str, *, who: str = "", role: str = "", **facts: Any) -> Head:
        """Write one entry. facts: plain values that JSON can hold.

        Raises GalleryError where the log is damaged, OutputError or OSError where it cannot be written: what was to be
        logged must then not be done.
        """
        if _OWN & set(facts):
            raise RecipeError(f"{sorted(_OWN & set(facts))} are the log's own words. Name the facts otherwise.")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._threads, self._processes:
            self._catch_up()
            time = datetime.now(UTC).isoformat(timespec="milliseconds")
            own = {"number": self._head.number + 1, "time": time, "who": who, "role": role, "action": action}
            entry = {**own, **facts, "before": self._head.hash}
            head = Head(self._head.number + 1, _hash(entry))
            line = json.dumps({**entry, "hash": head.hash}, allow_nan=False).encode() + b"\n"
            with self.path.open("ab") as log:
                log.write(line)
                log.flush()
                os.fsync(log.fileno())
            self._write_head(head)
            self._end, self._head = self._end + len(line), head
            return head

    def _catch_up(self) -> None:
        """Read what other processes appended; remove a last line that a killed process left unfinished."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size > self._end:
            last, end = self._read_on()
            if end < size:
                with self.path.open("rb+") as log:
                    log.truncate(end)  # never acknowledged
            self._head = self._head if last is None else _head_of(last, self.path)
            self._end = end
        if size < self._end or _read_head(self._head_path).number > self._head.number:
            raise GalleryError(f"{self.path} was cut off. Restore it from a backup.")

    def _read_on(self) -> tuple[bytes | None, int]:
        """The last whole line behind what was read before, and where it ends."""
        last, end = None, self._end
        with self.path.open("rb") as log:
            log.seek(end)
            for line in log:
                if line.endswith(b"\n"):
                    last, end = line, end + len(line)
        return last, end

    def _write_head(self, head: Head) -> None:
        """In place: the few bytes stay within one sector of the disk."""
        with self._head_path.open("r+b" if self._head_path.exists() else "wb") as opened:
            opened.write(_HEAD.format(head.number, head.hash).encode())
            opened.flush()
            os.fsync(opened.fileno())


def read_audit(gallery: Path) -> Iterator[dict[str, Any]]:
    """Every entry, oldest first. Raises GalleryError for the first line that is no entry."""
    path = gallery / "audit" / "log.jsonl"
    for number, line in enumerate(_lines(path), start=1):
        entry = _parsed(line)
        if entry is None:
            raise GalleryError(f"{path}, line {number} is no entry. Restore the log from a backup.")
        yield entry


def verify_audit(gallery: Path, noted: Head | None = None) -> Head:
    """Check every entry of the log; returns the head. noted: a head that was written down elsewhere.

    Raises GalleryError naming the first broken line, a log that was cut off, or one that lost the noted entry.
    """
    path = gallery / "audit" / "log.jsonl"
    kept = _read_head(gallery / "audit" / "head")
    expected = [head for head in (kept, noted) if head is not None]
    head = Head()
    for number, line in enumerate(_lines(path), start=1):
        if number > kept.number and not line.endswith(b"\n"):
            break  # a killed process left it, or another one is writing it: it was never acknowledged
        entry = _parsed(line)
        if entry is None or not _follows(entry, head):
            raise GalleryError(f"{path}, line {number} is not what was written. Restore the log from a backup.")
        head = Head(number, entry["hash"])
        _compare(path, head, expected)
    for other in expected:
        if other.number > head.number:
            raise GalleryError(
                f"{path} ends with entry {head.number}, and entry {other.number} was written: the log was cut off."
                " Restore it from a backup."
            )
    return head


def _lines(path: Path) -> Iterator[bytes]:
    if path.exists():
        with path.open("rb") as log:
            yield from log


def _compare(path: Path, head: Head, expected: Sequence[Head]) -> None:
    for other in expected:
        if other.number == head.number and other.hash != head.hash:
            raise GalleryError(
                f"{path}, line {head.number} has the hash {head.hash}, and {other.hash} was noted: the log was written"
                " anew. Restore it from a backup."
            )


def parse_head(text: str) -> Head:
    """ "12:ab34..." -> the head that was noted. Raises RecipeError for anything else."""
    number, _, digest = text.strip().partition(":")
    if not number.isdecimal() or len(digest) != len(FIRST) or set(digest) - set("0123456789abcdef"):
        raise RecipeError(f"'{text}' is no head. Give NUMBER:HASH as `tapetum audit verify` prints it.")
    return Head(int(number), digest)


def _follows(entry: Mapping[str, Any], head: Head) -> bool:
    plain = {name: value for name, value in entry.items() if name != "hash"}
    return (
        entry.get("number") == head.number + 1
        and entry.get("before") == head.hash
        and entry.get("hash") == _hash(plain)
    )


def _hash(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and line.endswith(b"\n") else None


def _head_of(line: bytes, path: Path) -> Head:
    entry = _parsed(line)
    if entry is None or not isinstance(entry.get("number"), int) or not isinstance(entry.get("hash"), str):
        raise GalleryError(f"{path} ends in a line that is no entry. Restore the log from a backup.")
    return Head(entry["number"], entry["hash"])


def _read_head(path: Path) -> Head:
    if not path.exists():
        return Head()
    number, _, digest = path.read_text(encoding="utf-8", errors="replace").strip().partition(" ")
    if not number.isdecimal() or len(digest) != len(FIRST):
        raise GalleryError(f"{path} is damaged. Restore it from a backup.")
    return Head(int(number), digest)
