"""The report of `tapetum data check` as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tapetum.data.check import CountRow, Report
from tapetum.data.findings import Finding


def render(report: Report) -> RenderableType:
    """Counts beside the published ones, every finding, and the verdict in one line."""
    parts: list[RenderableType] = [_heading(report), _counts(report.rows)]
    for title, style, findings in (("Errors", "red", report.errors), ("Warnings", "yellow", report.warnings)):
        if findings:
            parts.append(_findings(f"{title} ({len(findings)})", style, findings, report.root))
    return Group(*parts, _verdict(report))


def _heading(report: Report) -> Text:
    options = "".join(f", {name} {value}" for name, value in report.options.items() if value != "")
    return Text(f"{report.name} in {report.root} (infrared band: {report.band}{options})", style="bold")


def _counts(rows: Sequence[CountRow]) -> Table:
    published = any(row.official for row in rows)
    table = Table(title="Crops and persons", title_justify="left")
    for name in ("split", "camera", "modality"):
        table.add_column(name)
    for name in ("images", "persons", *(("images published", "persons published") if published else ())):
        table.add_column(name, justify="right")
    for place, row in enumerate(rows):
        cell = row.cell
        if place and rows[place - 1].cell.split != cell.split:
            table.add_section()
        shown = [cell.split, cell.camera or "all", cell.modality or "both", *(f"{count:,}" for count in row.found)]
        if published:
            shown.extend([f"{count:,}" for count in row.official] if row.official else ["", ""])
        table.add_row(*map(Text, shown), style="bold red" if row.differs else "" if cell.camera else "bold")
    return table


def _findings(title: str, style: str, findings: Sequence[Finding], root: Path) -> Table:
    table = Table(title=title, title_justify="left", title_style=f"bold {style}", show_lines=False)
    table.add_column("file or folder", overflow="fold", ratio=2)
    table.add_column("what is wrong, and what to do", overflow="fold", ratio=3)
    for finding in findings:
        table.add_row(Text(_relative(finding.path, root), style=style), Text(finding.sentence))
    return table


def _relative(path: str, root: Path) -> str:
    """The path under the root; the root itself, and paths elsewhere, in full."""
    place = Path(path)
    return place.relative_to(root).as_posix() if place != root and place.is_relative_to(root) else path


def _verdict(report: Report) -> Text:
    counted = {"Errors": report.errors, "Warnings": report.warnings, "Counts unlike the published": report.differences}
    told = [f"{name}: {len(found)}." for name, found in counted.items() if found] or ["Nothing is wrong."]
    return Text(
        " ".join([*told, f"Images opened: {report.opened:,}."]), style="bold red" if report.errors else "bold green"
    )
