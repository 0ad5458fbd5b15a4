"""Writing results: whole or not at all, and with a record of how they were made."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tapetum.errors import OutputError

_RECORDED_PACKAGES = ("tapetum", "numpy", "pillow", "torch", "torchvision", "timm", "pytorch-lightning")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well, flush it to disk and rename it to `path`.

    When the block fails, the temporary file is removed and whatever stood at `path` before stays as it was.
    Raises OutputError for a missing permission, a full disk or a folder in the way.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    check_place(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        if error.filename is not None and Path(error.filename) not in (temporary, path, *path.parents):
            raise
        raise OutputError(f"cannot write {path}: {error.strerror}. Give another place or free this one.") from error
    finally:
        with suppress(OSError):  # a file stands where its folder should be
            temporary.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Have the rename itself on disk, where the system lets a folder be opened (Windows does not)."""
    if os.name == "nt":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def check_place(path: Path) -> None:
    """Raise OutputError where no file can be written to `path`; nothing is touched. For use before hours of work."""
    if path.is_dir():
        raise OutputError(f"{path} is a folder, and a file is to be written there. Give another path.")
    if path.exists() and not path.is_file():  # the rename would put a file in place of a device such as /dev/null
        raise OutputError(f"{path} is a device, and a file is to be written there. Give another path.")
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    if not nearest.is_dir():
        raise OutputError(f"cannot write {path}: {nearest} is a file. Give another place.")
    if not os.access(nearest, os.W_OK):
        raise OutputError(f"cannot write {path}: no permission to write into {nearest}. Give another place or mend it.")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON to `path`, atomically; NaN and infinities are refused with ValueError."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def made_by(**facts: Any) -> dict[str, Any]:
    """How an output was made: the command, the versions, and the given facts (settings, seed, fingerprints)."""
    return {"command": _command(), "versions": _versions(), **facts}


def _command() -> str:
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _versions() -> Mapping[str, str]:
    found = {"python": platform.python_version()}
    for package in _RECORDED_PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
