"""The report of a data check on a terminal: counts, findings and verdict are all on it."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from tapetum.core import Modality
from tapetum.data.check import CountRow, Report
from tapetum.data.findings import Finding, Severity
from tapetum.data.survey import Cell, Count
from tapetum.report.data_check import render

ROOT = Path("/data/SYSU")
ROWS = (
    CountRow(Cell("train", "1", Modality.RGB), Count(4700, 194), Count(4721, 194)),
    CountRow(Cell("train", None, Modality.RGB), Count(4700, 194), None),
    CountRow(Cell("own", "door", Modality.IR), Count(12, 3), None),
)


def shown(rows: tuple[CountRow, ...], findings: tuple[Finding, ...]) -> list[str]:
    """The lines of the report, each as its words."""
    console = Console(width=140, file=io.StringIO(), record=True)
    console.print(render(Report("sysu_mm01", ROOT, "near-infrared", {"fold": 2}, rows, findings, 4712)))
    return [" ".join(line.replace("│", " ").split()) for line in console.export_text().splitlines()]


def test_counts_and_findings() -> None:
    findings = (
        Finding(Severity.ERROR, "/data/SYSU", "has no exp/test_id.txt. Give the path of that folder."),
        Finding(Severity.ERROR, "/data/SYSU/cam1/[red]/0001.jpg", "is empty (0 bytes). Copy it again."),
        Finding(Severity.WARNING, "/elsewhere/crops.csv", "has a column 'weather', which is not used."),
    )
    lines = shown(ROWS, findings)
    assert lines[0] == "sysu_mm01 in /data/SYSU (infrared band: near-infrared, fold 2)"
    assert "train 1 rgb 4,700 194 4,721 194" in lines
    assert "train all rgb 4,700 194" in lines
    assert "own door ir 12 3" in lines
    assert "Errors (2)" in lines
    assert "/data/SYSU has no exp/test_id.txt. Give the path of that folder." in lines
    assert "cam1/[red]/0001.jpg is empty (0 bytes). Copy it again." in lines  # not taken for markup
    assert "Warnings (1)" in lines
    assert "/elsewhere/crops.csv has a column 'weather', which is not used." in lines
    assert lines[-1] == "Errors: 2. Warnings: 1. Counts unlike the published: 1. Images opened: 4,712."


def test_nothing_wrong_and_nothing_published() -> None:
    lines = shown(ROWS[2:], ())
    assert "published" not in " ".join(lines)
    assert not any("Errors" in line or "Warnings" in line for line in lines)
    assert lines[-1] == "Nothing is wrong. Images opened: 4,712."
