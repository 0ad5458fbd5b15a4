"""Generating a dataset on disk: one person at a time, in any order, by several processes, with the same bytes.

While a dataset is incomplete it holds a folder `.progress`: `spec.json` says what is being made, `<id>.json` marks a
person whose pictures are all in place. `synth.json` is written last; from then on the dataset is complete.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tapetum.data.synthetic.layout import write_lists
from tapetum.data.synthetic.pictures import draw_album
from tapetum.data.synthetic.processes import share_out
from tapetum.data.synthetic.specification import GENERATOR_VERSION, SynthesisSpec
from tapetum.errors import OutputError
from tapetum.outputs import made_by, write_json

Progress = Callable[[int, int], None]
_PROGRESS = ".progress"
_RECORD = "synth.json"


@dataclass(frozen=True)
class Manifest:
    """What `synth.json` says about a complete dataset. pixels: SHA-256 over all pixels before compression."""

    spec: SynthesisSpec
    generator: int
    persons: int
    images: int
    pixels: str


def generate(spec: SynthesisSpec, out: Path, workers: int = 2, progress: Progress | None = None) -> Manifest:
    """Write the dataset `spec` to the folder `out`, and return what was made.

    workers: processes; neither they nor an interruption change a byte. progress: called with (persons done, persons).
    A folder that already holds this dataset is left as it is; one that holds a part of it is completed.
    Raises OutputError when `out` holds anything else, or cannot be written.
    """
    try:
        found = read_manifest(out)
        if found is not None and _matches(found, spec):
            return found
        _claim(out, spec, found)
        _generate(spec, out, workers, progress)
        return _complete(spec, out)
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror}. Give another place or free this one.") from error


def read_manifest(out: Path) -> Manifest | None:
    """The record of a complete synthetic dataset, or None where there is none."""
    path = out / _RECORD
    if not path.is_file():
        return None
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        spec = SynthesisSpec.parse(facts["spec"])
        return Manifest(spec, facts["generator"], facts["persons"], facts["images"], facts["pixels"])
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path} is not a record of a synthetic dataset ({error}). Give another folder.") from error


def _matches(found: Manifest, spec: SynthesisSpec) -> bool:
    return found.spec == spec and found.generator == GENERATOR_VERSION


def _claim(out: Path, spec: SynthesisSpec, found: Manifest | None) -> None:
    """Make `out` ours: empty, or begun with the same specification."""
    if found is not None:
        raise OutputError(
            f"{out} holds another synthetic dataset (seed {found.spec.seed}, {found.persons} persons, generator"
            f" {found.generator}). Give an empty folder, or delete this one."
        )
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file, and a folder is to be written there. Give another path.")
    begun = out / _PROGRESS / "spec.json"
    wanted = {"spec": spec.to_json(), "generator": GENERATOR_VERSION}
    if begun.is_file():
        if json.loads(begun.read_text(encoding="utf-8")) != wanted:
            raise OutputError(
                f"{out} holds the beginning of another synthetic dataset. Give an empty folder, or delete it."
            )
    elif out.is_dir() and any(path.name != _PROGRESS for path in out.iterdir()):
        raise OutputError(f"{out} is not empty, and no synthetic dataset was begun there. Give an empty folder.")
    else:
        write_json(begun, wanted)


def _generate(spec: SynthesisSpec, out: Path, workers: int, progress: Progress | None) -> None:
    _clear_unfinished(out)
    missing = [person for person in range(1, spec.persons + 1) if not _mark(out, person).is_file()]
    done = spec.persons - len(missing)
    if progress is not None:
        progress(done, spec.persons)
    try:
        # Closed before anything is cleared: the workers must have ended by then.
        with closing(share_out(write_person, (spec, out), missing, workers)) as finished:
            for _ in finished:
                done += 1
                if progress is not None:
                    progress(done, spec.persons)
    finally:
        _clear_unfinished(out)


def _clear_unfinished(out: Path) -> None:
    """Remove what a stopped run was still writing: folders of pictures, and marks that were not yet renamed."""
    for leftover in sorted((out / _PROGRESS).glob("*.part")):
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def _mark(out: Path, person: int) -> Path:
    return out / _PROGRESS / f"{person:04d}.json"


def write_person(spec: SynthesisSpec, out: Path, person: int) -> None:
    """Render one person and put the files in place: each folder of pictures appears whole, and the mark comes last."""
    album = draw_album(spec, person)
    staged = out / _PROGRESS / f"{person:04d}.part"
    folders = set()
    for path, content in album.files.items():
        target = staged / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        folders.add(path.parent if path.suffix != ".json" else path)
    for folder in sorted(folders):
        final = out / folder
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.is_dir():  # from a run that was cut off before this person's mark
            shutil.rmtree(final)
        (staged / folder).replace(final)
    shutil.rmtree(staged)
    write_json(_mark(out, person), {"pixels": album.pixels, "images": album.images})


def _complete(spec: SynthesisSpec, out: Path) -> Manifest:
    """Write the lists and the record, and clear the progress."""
    digest, images = hashlib.sha256(), 0
    for person in range(1, spec.persons + 1):
        facts: dict[str, Any] = json.loads(_mark(out, person).read_text(encoding="utf-8"))
        digest.update(bytes.fromhex(facts["pixels"]))
        images += facts["images"]
    manifest = Manifest(spec, GENERATOR_VERSION, spec.persons, images, digest.hexdigest())
    write_lists(spec, out)
    record = {**asdict(manifest), "spec": spec.to_json(), "made_by": made_by()}
    write_json(out / _RECORD, record)
    shutil.rmtree(out / _PROGRESS)
    return manifest
