"""The comparison for the terminal: one table a block, each group of columns behind a line of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tapetum.report import comparison_layout as layout
from tapetum.report.comparison import Comparison

_NAME = 14  # characters that a name gets at least
_ENDLESS = 10_000  # wider than any terminal
_STYLES = {"run": "", "chance": "dim", "published": ""}


def render_comparison(comparison: Comparison) -> RenderableType:
    """The comparison as what `rich` prints; where the terminal is too narrow, the groups stand below each other."""
    sheet = layout.sheet_of(comparison)
    parts: list[RenderableType] = []
    for section in sheet.sections:
        parts.append(Text(section.title, style="bold"))
        if section.rule:
            parts.append(Text(section.rule))
        parts.extend([_Block(section), *_remarks((*_sources(section), *section.remarks)), Text()])
    parts.extend([*_remarks(sheet.remarks), Text()])
    for pair in sheet.pairs:
        head = Text(f"{pair.title}: paired test", style="bold")
        parts.extend([head, _pair_table(pair), Text(f"{pair.sentence}."), Text()])
    return Group(*parts, *_remarks(sheet.pair_remarks))


@dataclass(frozen=True)
class _Block:
    section: layout.Section

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One table if it fits, else one for each group of columns."""
        whole = _table(self.section, self.section.groups)
        if Measurement.get(console, options.update(max_width=_ENDLESS), whole).minimum <= options.max_width:
            yield whole
        else:
            for group in self.section.groups:
                yield _table(self.section, [group])


def _table(section: layout.Section, groups: Sequence[layout.Group]) -> Table:
    """A group is one column of the terminal, its figures set by hand, so that its title may stand over all of them."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("", overflow="fold", min_width=_NAME)
    for group in groups:
        head = f"│ {group.title}\n{_aligned(group.figures, _width(section, group))}"
        table.add_column(Text(head), no_wrap=True, min_width=max(map(len, head.split("\n"))))
    for line in section.lines:
        if not any(group.title in line.cells for group in groups):
            continue
        name = Text.assemble(line.name, ("\n" + line.details if line.details else "", "dim"))
        table.add_row(
            name, *(_figures(line, group, _width(section, group)) for group in groups), style=_STYLES[line.kind]
        )
    return table


def _width(section: layout.Section, group: layout.Group) -> int:
    """The characters of a column, the gap before it with them."""
    cells = [line.cell(group.title, figure) for line in section.lines for figure in group.figures]
    words = [word for value, spread in cells for word in (value, f"±{spread}")]
    return 1 + max(map(len, (*words, *group.figures)))


def _figures(line: layout.Line, group: layout.Group, width: int) -> Text:
    cells = [line.cell(group.title, figure) for figure in group.figures]
    lines = [_aligned([value for value, _ in cells], width)]
    if line.details:
        lines.append(_aligned([f"±{spread}" if spread else "" for _, spread in cells], width))
    return Text("\n".join(lines))


def _aligned(words: Sequence[str], width: int) -> str:
    return "│" + "".join(word.rjust(width) for word in words)


def _pair_table(pair: layout.PairTable) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for place, name in enumerate(layout.TEST_COLUMNS):
        table.add_column(name, justify="left" if place < 2 else "right", no_wrap=place < 2, overflow="fold")
    for row in pair.rows:
        table.add_row(*map(Text, row))
    return table


def _sources(section: layout.Section) -> list[str]:
    """Who prints what, each source once."""
    names: dict[str, list[str]] = {}
    for line in section.lines:
        if line.source:
            names.setdefault(line.source, []).append(line.name)
    return [f"{', '.join(dict.fromkeys(found))}: {source}" for source, found in names.items()]


def _remarks(remarks: Sequence[str]) -> list[Text]:
    return [Text(f"- {remark}", style="dim") for remark in remarks]
