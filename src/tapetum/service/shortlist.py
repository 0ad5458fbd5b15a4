"""A shortlist as a file for other people: chosen answers of a search, with where they come from.

In a CSV file each row tells its search as well, so that a row cut out of it still says what it is. A cell of text that
a spreadsheet would take for a formula gets an apostrophe before it.
"""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tapetum.service.messages import FoundCrop

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_COLUMNS = ("rank", "id", "score", "probability", "camera", "site", "time", "modality", "path", "folded")


def shortlist_csv(hits: Sequence[FoundCrop], provenance: Mapping[str, Any]) -> str:
    """One row per answer: the answer, then the provenance."""
    written = StringIO(newline="")
    table = csv.writer(written)
    table.writerow([*_COLUMNS, *provenance])
    told = [_cell(value) for value in provenance.values()]
    for hit in hits:
        values = hit.model_dump(mode="json")
        table.writerow([*(_cell(values[name]) for name in _COLUMNS), *told])
    return written.getvalue()


def shortlist_html(hits: Sequence[FoundCrop], thumbnails: Sequence[bytes | None], provenance: Mapping[str, Any]) -> str:
    """One page that loads nothing: the answers with their thumbnails, then the provenance. Everything is escaped."""
    pages = Environment(
        loader=PackageLoader("tapetum.service", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pictures = [None if one is None else base64.b64encode(one).decode() for one in thumbnails]
    told = {name: _plain(value) for name, value in provenance.items()}
    return pages.get_template("shortlist.html").render(rows=list(zip(hits, pictures, strict=True)), provenance=told)


def _cell(value: Any) -> str | int | float:
    if isinstance(value, (int, float)):
        return value
    text = _plain(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
