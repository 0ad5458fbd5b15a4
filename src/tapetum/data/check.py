"""Check a dataset: count what is there, compare with what was published, open every image, and report all findings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tapetum.data.catalogue import checked_options, find_dataset
from tapetum.data.findings import Finding, Notes, Severity
from tapetum.data.image_check import Progress, images_of, open_all
from tapetum.data.survey import Cell, Count, Survey
from tapetum.errors import DataError


class CountRow(NamedTuple):
    """What was found in one cell, and what was published for it, if anything was."""

    cell: Cell
    found: Count
    official: Count | None

    @property
    def differs(self) -> bool:
        """Whether there is a published count, and it is another."""
        return self.official is not None and self.official != self.found


@dataclass(frozen=True)
class Report:
    """What a check saw.

    rows: counts per split, camera and modality, then the totals, split by split.
    findings: all of them, errors first, then by path.
    opened: how many images were opened (an image that stands in the table twice counts once).
    """

    name: str
    root: Path
    band: str
    options: Mapping[str, int | str]
    rows: tuple[CountRow, ...]
    findings: tuple[Finding, ...]
    opened: int

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the dataset from being used; a command that checks fails when there are any."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are worth knowing."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    @property
    def differences(self) -> tuple[CountRow, ...]:
        """The counts that differ from the published ones."""
        return tuple(row for row in self.rows if row.differs)


def check(
    name: str,
    root: Path,
    options: Mapping[str, int | str] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check the dataset called `name` under `root`, to the end, whatever is wrong with it.

    options: as for `read_dataset` (a RegDB trial, a fold).
    workers: processes that open images; all the processors when None.
    progress: told (images opened, images in all) as the check goes on.
    Raises RecipeError for an unknown name or option, DataError when `root` does not exist.
    """
    module = find_dataset(name)
    checked = checked_options(name, module.read, options or {})
    if not root.exists():
        raise DataError(f"{root} does not exist. Expected the root of {name}. Give the path of that folder.")
    notes = Notes(strict=False)
    survey: Survey = module.survey(root, notes, **checked)
    items = images_of(survey.root, survey.crops)
    notes.findings.extend(open_all(items, workers or os.cpu_count() or 1, progress))
    rows = _compare(survey)
    if any(row.differs for row in rows):
        notes.warning(root, f"has other counts than {name} as published. Its numbers compare with no paper's.")
    findings = tuple(sorted(set(notes.findings)))
    return Report(name, root, survey.band, survey.options, rows, findings, len(items))


def _compare(survey: Survey) -> tuple[CountRow, ...]:
    found = survey.counts()
    cells = sorted({*found, *survey.official}, key=Cell.order)
    rows = [CountRow(cell, found.get(cell, Count(0, 0)), survey.official.get(cell)) for cell in cells]
    if survey.splits.get("trainval") == survey.splits.get("train"):
        rows = [row for row in rows if row.cell.split != "trainval"]
    return tuple(rows)
