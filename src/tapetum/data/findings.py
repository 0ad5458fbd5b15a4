"""What a walk through a dataset finds wrong: collected by a check, or raised at the first error by a reader."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tapetum.errors import DataError

_SHOWN = 10


class Severity(enum.StrEnum):
    """An error stops a reader; a warning is something to know before trusting a number."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong with a dataset; findings sort by severity, then path.

    path: the file or folder it is about.
    sentence: what is wrong with it and what to do; `path` is its subject, so it starts with the verb.
    """

    severity: Severity
    path: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path} {self.sentence}"


@dataclass
class Notes:
    """Where a walk writes its findings.

    strict: raise DataError at the first error, as a reader does; otherwise go on, as a check does.
    """

    strict: bool
    findings: list[Finding] = field(default_factory=list)

    def error(self, path: Path, sentence: str) -> None:
        """Note something that makes reading impossible. Raises DataError when strict."""
        finding = Finding(Severity.ERROR, str(path), sentence)
        if self.strict:
            raise DataError(str(finding))
        self.findings.append(finding)

    def warning(self, path: Path, sentence: str) -> None:
        """Note something that reading survives."""
        self.findings.append(Finding(Severity.WARNING, str(path), sentence))


def enumerate_some(values: Iterable[object]) -> str:
    """Values for a sentence: the first ten, and how many more there are."""
    shown = [str(value) for value in values]
    rest = len(shown) - _SHOWN
    return ", ".join(shown[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
