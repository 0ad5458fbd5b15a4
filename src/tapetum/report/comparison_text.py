"""The comparison as Markdown and as LaTeX (booktabs): one table, its blocks below each other, and the paired tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tapetum.report.comparison import Comparison
from tapetum.report.comparison_layout import TEST_COLUMNS, Cell, Line, PairTable, Sheet, sheet_of

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "…": r"\ldots{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
_LATEX_SIGN = re.compile("|".join(map(re.escape, _LATEX)))
_MARKDOWN_SIGN = re.compile(r"([\\`*<|])")


def comparison_markdown(comparison: Comparison) -> str:
    """The comparison as Markdown."""
    sheet = sheet_of(comparison)
    columns = [(group.title, figure) for group in sheet.groups for figure in group.figures]
    header = ["", "how", *(f"{title} {figure}" for title, figure in columns), "source"]
    rows = [header, ["---", "---", *("---:" for _ in columns), "---"]]
    for section in sheet.sections:
        rule = f", {_markdown(section.rule)}" if section.rule else ""
        rows.append([f"**{_markdown(section.title)}**{rule}", *("" for _ in header[1:])])
        rows.extend(_row(line, sheet, lambda cell: " ± ".join(filter(None, cell)), _markdown) for line in section.lines)
    lines = [*map(_markdown_line, rows), "", *_bullets(_all_remarks(sheet)), ""]
    for pair in sheet.pairs:
        tests = [TEST_COLUMNS, ["---", "---", *("---:" for _ in TEST_COLUMNS[2:])], *pair.rows]
        lines.extend([f"**{_markdown(pair.title)}: paired test**", "", *map(_markdown_line, tests), ""])
        lines.extend([f"{_markdown(pair.sentence)}.", ""])
    return "\n".join([*lines, *_bullets(sheet.pair_remarks)]).rstrip() + "\n"


def comparison_latex(comparison: Comparison) -> str:
    r"""The comparison as LaTeX tables; the document needs `\usepackage{booktabs}`."""
    sheet = sheet_of(comparison)
    figures = sum(len(group.figures) for group in sheet.groups)
    width = figures + 3
    lines = ["% \\usepackage{booktabs}", *_latex_head("ll" + "r" * figures + "l"), *_latex_groups(sheet), r"\midrule"]
    for place, section in enumerate(sheet.sections):
        titles = [rf"\textbf{{{_latex(section.title)}}}", *([_latex(section.rule)] if section.rule else [])]
        lines.extend([r"\addlinespace"] if place else [])
        lines.extend(rf"\multicolumn{{{width}}}{{l}}{{{title}}} \\" for title in titles)
        lines.extend(_latex_line(_row(line, sheet, _latex_cell, _latex)) for line in section.lines)
    lines.extend(_latex_end(_all_remarks(sheet)))
    for pair in sheet.pairs:
        lines.extend(["", *_latex_pair(pair, sheet.pair_remarks)])
    return "\n".join(lines) + "\n"


def _row(line: Line, sheet: Sheet, figure: Callable[[Cell], str], words: Callable[[str], str]) -> list[str]:
    cells = [figure(line.cell(group.title, name)) for group in sheet.groups for name in group.figures]
    return [words(line.name), words(line.details), *cells, words(line.source)]


def _all_remarks(sheet: Sheet) -> list[str]:
    """The blocks' remarks, each with its block's title, and those of the whole."""
    told = [f"{section.title}: {remark}" for section in sheet.sections for remark in section.remarks]
    return [*told, *sheet.remarks, *([] if sheet.pairs else sheet.pair_remarks)]


def _markdown(words: str) -> str:
    return _MARKDOWN_SIGN.sub(r"\\\1", words)


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _bullets(remarks: Sequence[str]) -> list[str]:
    return [f"- {_markdown(remark)}" for remark in remarks]


def _latex(words: str) -> str:
    return _LATEX_SIGN.sub(lambda sign: _LATEX[sign.group()], words)


def _latex_cell(cell: Cell) -> str:
    value, spread = cell
    return rf"{value}\,{{\scriptsize$\pm$\,{spread}}}" if spread else value


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_groups(sheet: Sheet) -> list[str]:
    """Two lines of head: the groups over their columns, and the figures."""
    titles, rules, place = ["", ""], [], 3
    for group in sheet.groups:
        last = place + len(group.figures) - 1
        titles.append(rf"\multicolumn{{{len(group.figures)}}}{{c}}{{{_latex(group.title)}}}")
        rules.append(rf"\cmidrule(lr){{{place}-{last}}}")
        place = last + 1
    names = [figure for group in sheet.groups for figure in group.figures]
    return [_latex_line([*titles, ""]), " ".join(rules), _latex_line(["", "how", *names, "source"])]


def _latex_pair(pair: PairTable, remarks: Sequence[str]) -> list[str]:
    columns = "ll" + "r" * (len(TEST_COLUMNS) - 2)
    rows = [_latex_line([_latex(cell) for cell in row]) for row in pair.rows]
    head = _latex_line([_latex(name) for name in TEST_COLUMNS])
    return [*_latex_head(columns), head, r"\midrule", *rows, *_latex_end([pair.sentence, *remarks])]


def _latex_head(columns: str) -> list[str]:
    return [r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]


def _latex_end(remarks: Sequence[str]) -> list[str]:
    told = "; ".join(map(_latex, remarks))
    return [r"\bottomrule", r"\end{tabular}", rf"\caption{{{told}.}}", r"\end{table}"]
