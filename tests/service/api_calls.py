"""Calls of the API that several test files make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def picture(root: Path, camera: int, person: int = 12, shot: int = 1) -> tuple[str, bytes]:
    """One picture of the tiny dataset as a part of a form."""
    return "picture", (root / f"cam{camera}" / f"{person:04d}" / f"{shot:04d}.jpg").read_bytes()


def search(client, files=(), headers=None, **fields):
    """POST /api/search; a list is a field that comes several times."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in fields.items()}
    parts = [(name, (None, str(one))) for name, values in lists.items() for one in values]
    return client.post("/api/search", files=[*files, *parts] or [("k", (None, "20"))], headers=headers)


def logged(folder: Path) -> list[dict[str, Any]]:
    """Every entry of a gallery's audit log."""
    log = folder / "audit" / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
