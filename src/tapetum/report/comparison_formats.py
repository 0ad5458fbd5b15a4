"""The formats of a comparison by name, and which one a file's name asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tapetum.errors import RecipeError, did_you_mean
from tapetum.outputs import atomic_file
from tapetum.report.comparison import Comparison
from tapetum.report.comparison_csv import comparison_csv
from tapetum.report.comparison_page import comparison_page
from tapetum.report.comparison_text import comparison_latex, comparison_markdown

TERMINAL = "terminal"

_WRITERS: dict[str, Callable[[Comparison], str]] = {
    "markdown": comparison_markdown,
    "csv": comparison_csv,
    "latex": comparison_latex,
    "html": comparison_page,
}
_SUFFIXES = {".md": "markdown", ".csv": "csv", ".tex": "latex", ".html": "html"}


def chosen_format(name: str | None, output: Path | None) -> str:
    """The format to write: the named one, else the one of the output's suffix, else the terminal's.

    Raises RecipeError for a name that no format has, and for a file whose format nobody can tell.
    """
    known = (TERMINAL, *_WRITERS)
    if name is not None and name not in known:
        raise RecipeError(f"no format is called '{name}'. {did_you_mean(name, known)}")
    if output is None:
        return name or TERMINAL
    found = name or _SUFFIXES.get(output.suffix.lower())
    if found is None or found == TERMINAL:
        raise RecipeError(f"--output {output}: in which format? Pass --format with one of {', '.join(_WRITERS)}.")
    return found


def written(comparison: Comparison, name: str) -> str:
    """The comparison as the text of one format (not the terminal's)."""
    return _WRITERS[name](comparison)


def write_comparison(comparison: Comparison, name: str, output: Path) -> None:
    """Write the comparison in one format to a file, atomically."""
    with atomic_file(output) as temporary:
        temporary.write_text(written(comparison, name), encoding="utf-8")
