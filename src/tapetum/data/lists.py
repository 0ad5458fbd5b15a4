"""The split lists that datasets bring with them: identities in one line, or one image and label a line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tapetum.data.findings import Notes, enumerate_some


class ListedImage(NamedTuple):
    """One line of an image list: its number from 1, the image's path under the root, and its label in this list."""

    line: int
    path: str
    label: int


def read_id_text(path: Path, notes: Notes, may_be_empty: bool = False) -> list[int]:
    """Identities of a comma-separated text file, in its order.

    What is not a number >= 1 is noted as an error, and so is a list of nobody unless it `may_be_empty`.
    """
    tokens = [token.strip() for token in _read_text(path, notes).replace("\n", ",").split(",")]
    given = [token for token in tokens if token]
    wrong = [token for token in given if not _is_number(token) or int(token) < 1]
    if wrong:
        notes.error(path, f"holds '{wrong[0][:40]}', which is no identity. Expected numbers such as 1,2,4,5.")
    if not given and not may_be_empty:
        notes.error(path, "names no identity. Expected numbers such as 1,2,4,5.")
    return _unique(path, [int(token) for token in given if token not in wrong], notes)


def read_id_mat(path: Path, notes: Notes) -> list[int]:
    """Identities of a Matlab file with a variable `id`, in its order. An unreadable one is noted as an error."""
    # Imported here, since it takes longer to load than most commands take to answer.
    import scipy.io

    try:
        values = [int(value) for value in scipy.io.loadmat(path)["id"].ravel()]
    except Exception as error:  # scipy tells of a broken file in half a dozen ways
        notes.error(path, f"cannot be read as a Matlab file with a variable 'id' ({error}). Use the .txt list.")
        return []
    return _unique(path, values, notes)


def read_image_list(path: Path, notes: Notes) -> list[ListedImage]:
    """The lines `<image path> <label>` of a list. Other lines, and images named twice, are noted as errors."""
    found: list[ListedImage] = []
    first: dict[str, int] = {}
    for number, line in enumerate(_read_text(path, notes).splitlines(), start=1):
        parts = line.rsplit(maxsplit=1)
        if not parts:
            continue
        if len(parts) != 2 or not _is_number(parts[1]):
            notes.error(path, f"line {number} is '{line[:80]}'. Expected an image's path and its label.")
        elif parts[0] in first:
            notes.error(path, f"line {number} names {parts[0]} again (first in line {first[parts[0]]}). Remove one.")
        else:
            first[parts[0]] = number
            found.append(ListedImage(number, parts[0], int(parts[1])))
    if not first:
        notes.error(path, "names no image. Restore the list that came with the dataset.")
    return found


def _read_text(path: Path, notes: Notes) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        notes.error(path, "is not a text file. Restore the list that came with the dataset.")
    except OSError as error:
        notes.error(path, f"cannot be read: {error.strerror}. Restore it or give read access to it.")
    return ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _unique(path: Path, values: list[int], notes: Notes) -> list[int]:
    unique = list(dict.fromkeys(values))
    if len(unique) < len(values):
        repeated = sorted({value for value in unique if values.count(value) > 1})
        notes.warning(path, f"names identities more than once: {enumerate_some(repeated)}.")
    return unique
