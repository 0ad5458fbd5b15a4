"""What the page says of a generative run's pictures: sheets, tables and sentences, ready for the template."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby
from typing import Any

from tapetum.report.code_truth import CodeTruth, Read
from tapetum.report.painted_numbers import PaintedNumbers
from tapetum.report.painting import Painting
from tapetum.report.sheets import Sheet, sheet_uri
from tapetum.report.strips import LIGHT

_CAPTIONS = {
    "reconstruction": (
        "Painted again",
        "Each picture is taken apart into its two codes and painted again from them. The lower row should show the"
        " same person in the same pose and clothes; what is blurred or missing there is in neither code.",
    ),
    "swaps": (
        "Swaps",
        "Down, the pictures that give the structure; across, other pictures that give the appearance. Shape and"
        " pose should stay along a row, colours along a column. On the diagonals both are one person's. In the"
        " upper left and lower right blocks both pictures are of one light; in the other two, of different lights:"
        " there the cell shows which code carries the light.",
    ),
    "interpolation": (
        "Between two appearances",
        "The structure stays, and the appearance goes in equal steps from one person's to another's. Colours"
        " should change little by little, and the outline not at all. Where nothing changes, the appearance code is"
        " not used.",
    ),
    "structure": (
        "Structure codes",
        "Strength is the distance of a place's code from the mean code. Principal shows the three directions in"
        " which codes differ most as red, green and blue, the same for all rows. Then the channels that change"
        " most. The person should stand out, and visible and infrared rows should look alike: a code that shows the"
        " light or the clothes' colours is no structure.",
    ),
    "edges": (
        "Edges",
        "Edges are what both lights have in common. A painting should keep the edges of its structure's picture,"
        " with its own appearance or with another person's.",
    ),
}
_MINUS_ZERO = re.compile(r"^-(?=0(\.0*)?$)")
_Value = Callable[[PaintedNumbers], float | None]


def _kept(name: str) -> _Value:
    """A share of the identity that swaps keep, in per cent."""
    return lambda numbers: None if numbers.kept is None else 100 * float(getattr(numbers.kept, name))


def _distance(name: str) -> _Value:
    """A kernel distance in thousandths; None where there were too few pictures."""

    def read(numbers: PaintedNumbers) -> float | None:
        value: float | None = getattr(numbers, name)
        return None if value is None else 1000 * value

    return read


# Title, how to read it, and rows: words, form, value, whether it is what one reads first.
_GROUPS: tuple[tuple[str, str, tuple[tuple[str, str, _Value, bool], ...]], ...] = (
    (
        "Likeness to the picture",
        "mean over pictures; higher is better",
        (
            ("painted again: PSNR, dB", "{:.1f}", lambda n: n.again.psnr, True),
            ("painted again: SSIM", "{:.3f}", lambda n: n.again.ssim, True),
            ("in the appearance of the person's other picture: PSNR, dB", "{:.1f}", lambda n: n.partner.psnr, False),
            ("in the appearance of the person's other picture: SSIM", "{:.3f}", lambda n: n.partner.ssim, False),
            ("the mean of all pictures, for comparison: PSNR, dB", "{:.1f}", lambda n: n.average.psnr, False),
            ("the mean of all pictures, for comparison: SSIM", "{:.3f}", lambda n: n.average.ssim, False),
        ),
    ),
    (
        "Looks like real pictures",
        "KID × 1000; lower is better, about 0 for pictures of one kind",
        (
            ("painted again", "{:.0f}", _distance("kid_again"), True),
            ("in another person's appearance", "{:.0f}", _distance("kid_swaps"), True),
            ("real pictures, for comparison", "{:.0f}", _distance("kid_real"), False),
        ),
    ),
    (
        "Whom a swap shows",
        "share of swaps whose first answer among real pictures of the other light is this person, %",
        (
            ("the structure's person", "{:.1f}", _kept("structure"), True),
            ("the appearance's person", "{:.1f}", _kept("appearance"), True),
            ("by chance, each", "{:.1f}", _kept("chance"), False),
            ("real pictures: their person", "{:.1f}", _kept("real"), False),
        ),
    ),
    (
        "Edges of a swap",
        "likeness to the edges of a picture: 0 for unrelated ones, 1 for the same",
        (
            ("the structure's picture", "{:.2f}", lambda n: n.edges_structure, True),
            ("the appearance's picture", "{:.2f}", lambda n: n.edges_appearance, False),
        ),
    ),
    (
        "Use of the appearance code",
        "mean absolute error of paintings, in grey levels of 255",
        (
            ("with the picture's own code", "{:.1f}", lambda n: 255 * n.usage.own, False),
            ("with another person's", "{:.1f}", lambda n: 255 * n.usage.other, False),
            ("with zeros", "{:.1f}", lambda n: 255 * n.usage.none, False),
            (
                "what another's changes, in % of what tells the pictures apart",
                "{:.0f}",
                lambda n: 100 * n.usage.share,
                True,
            ),
        ),
    ),
)


def painting_view(painting: Painting | None, folder: str) -> dict[str, Any] | None:
    """The parts of the page about paintings; None for a run that paints nothing. folder: where the PNG files are."""
    if painting is None:
        return None
    return {
        "missing": painting.missing,
        "sheets": [_sheet(sheet) for sheet in painting.sheets],
        "lights": [LIGHT[light] for light, _ in painting.numbers],
        "counts": [(numbers.pictures, numbers.persons) for _, numbers in painting.numbers],
        "groups": _groups([numbers for _, numbers in painting.numbers]),
        "judge": painting.judge,
        "truth": None if painting.truth is None else _truth(painting.truth),
        "split": painting.split,
        "folder": folder,
    }


def _sheet(sheet: Sheet) -> dict[str, Any]:
    title, caption = _CAPTIONS[sheet.name]
    uri, width, height = sheet_uri(sheet)
    return {"title": title, "caption": caption, "alt": sheet.alt, "uri": uri, "width": width, "height": height}


def _groups(numbers: list[PaintedNumbers]) -> list[dict[str, Any]]:
    """The rows of the table of numbers, in groups, each with a sentence on how to read it."""
    return [
        {
            "title": title,
            "note": note,
            "rows": [(words, [_said(form, value(n)) for n in numbers], lead) for words, form, value, lead in rows],
        }
        for title, note, rows in _GROUPS
    ]


def _said(form: str, value: float | None) -> str:
    """A value in words; a minus that is no hyphen, and none before a zero."""
    return "–" if value is None else _MINUS_ZERO.sub("", form.format(value)).replace("-", "−")


def _truth(truth: CodeTruth) -> dict[str, Any]:
    groups = [(name, list(rows)) for name, rows in groupby(truth.rows, key=lambda row: row.group)]
    return {
        "pictures": truth.pictures,
        "persons": truth.persons,
        "groups": [(name.capitalize(), _summary(rows), [_row(row) for row in rows]) for name, rows in groups],
    }


def _row(row: Read) -> dict[str, Any]:
    return {
        "name": row.name,
        "measure": "right" if row.is_kind else "R²",
        "guess": _said("{:.0f}", 100 * row.guess),
        "codes": [
            (_said("{:.0f}", 100 * value), row.known(value)) for value in (row.structure, row.appearance, row.pixels)
        ],
    }


def _summary(rows: list[Read]) -> list[float]:
    """How much of a group the structure and the appearance code know: the mean of 0 (a guess) to 1 (all)."""
    return [
        sum(row.known(value) for row, value in zip(rows, values, strict=True)) / len(rows)
        for values in ([row.structure for row in rows], [row.appearance for row in rows])
    ]
