"""Every error that Tapetum raises on purpose: one sentence that names what was given, what was expected and what to do.

TapetumError            what the command line prints as `tapetum: <sentence>`
├── InputError          the user can mend it: exit code 2
│   ├── DataError       images, lists and tables on disk
│   ├── RecipeError     a recipe, a setting or an option
│   ├── RunError        a run's folder: checkpoint, weights, record
│   ├── EmbeddingError  vectors and the tables beside them
│   ├── GalleryError    a gallery's folder, its lock, or a change that it cannot take
│   └── OutputError     a place that cannot be written
└── InternalError       we must mend it: exit code 1
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TapetumError(Exception):
    """Base of every error raised on purpose; `str(error)` is one line for a person."""

    exit_code = 1


class InputError(TapetumError):
    """Something given from outside cannot be used; the sentence says how to mend it."""

    exit_code = 2


class DataError(InputError):
    """A dataset's images, lists or tables cannot be used as they are."""


class RecipeError(InputError):
    """A recipe, a setting or an option has an unknown name or an impossible value."""


class RunError(InputError):
    """A run's folder does not hold what the command needs."""


class EmbeddingError(InputError):
    """Vectors, or the table beside them, cannot be used."""


class GalleryError(InputError):
    """A gallery cannot be opened, is held by another process, or cannot take what was given."""


class OutputError(InputError):
    """A result cannot be written where it was asked for."""


class Interrupted(TapetumError):  # noqa: N818 (it is no fault)
    """The user stopped the command (Ctrl-C); what was finished before is kept."""

    exit_code = 130


class InternalError(TapetumError):
    """A promise inside Tapetum was broken."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The end of an error sentence: the nearest known name, and all known names."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1)
    guess = f"Did you mean '{near[0]}'? " if near else ""
    return f"{guess}Known: {', '.join(names)}."
