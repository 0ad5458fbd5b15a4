"""What lives in a gallery: the file that names its segments; replacing it is the moment at which a change happens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tapetum.errors import GalleryError
from tapetum.outputs import write_json

FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """One segment in the manifest. deleted: places of rows that live no more; generation: the change that made it."""

    name: str
    deleted: tuple[int, ...] = ()
    generation: int = 0


@dataclass(frozen=True)
class Manifest:
    """What lives. generation counts the changes; next_id and next_segment were never given away.

    forgetting: deleted rows wait for their bytes to be removed, which the next opening completes.
    """

    dimension: int
    generation: int = 0
    next_id: int = 1
    next_segment: int = 1
    forgetting: bool = False
    entries: tuple[Entry, ...] = ()


def read_manifest(folder: Path) -> Manifest:
    """What lives in a gallery's folder. Raises GalleryError for a manifest that is missing or damaged."""
    path = folder / MANIFEST
    if not path.is_file():
        raise GalleryError(f"{folder} holds no gallery. Make one with `tapetum index`.")
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise GalleryError(f"{path} has format {facts['format']}, and this version reads {FORMAT}. Update Tapetum.")
        if facts.pop("sha256") != _checksum(facts):
            raise ValueError("its checksum does not fit")
        entries = tuple(
            Entry(str(entry["name"]), tuple(entry["deleted"]), int(entry["generation"])) for entry in facts["entries"]
        )
        numbers = {name: int(facts[name]) for name in ("dimension", "generation", "next_id", "next_segment")}
        return Manifest(**numbers, forgetting=bool(facts["forgetting"]), entries=entries)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GalleryError(f"{path} is damaged ({error}). Restore it from a backup.") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest, whole or not at all. Raises OutputError where it cannot be written."""
    facts = {"format": FORMAT, **asdict(manifest)}
    write_json(folder / MANIFEST, {**facts, "sha256": _checksum(facts)})


def _checksum(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
