"""Published results as a table: what papers, their repositories and the deck print, never what was measured here.

`published.csv` beside this file has one row per method, dataset, setting and source. Figures are in percent and stay
the text that was printed, since "47.5" and "47.50" do not claim the same. A blank is a figure that was not given.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources

from tapetum.errors import RecipeError, did_you_mean

FIGURES = ("r1", "r10", "r20", "mAP", "mINP")
EVIDENCE = {
    "paper": "the paper prints it",
    "readme": "the authors' repository prints it",
    "notes": "third-party notes print it, not checked against the source",
    "deck": "the deck prints it",
}


@dataclass(frozen=True)
class Published:
    """One printed result.

    figures: r1, r10, r20, mAP, mINP -> percent, as printed; those that were not given are absent.
    reranked: the figures are of re-ranked lists.   evidence: a key of EVIDENCE.
    implementation: the method of Tapetum that this is, where its name alone does not say it; "" otherwise.
    """

    method: str
    year: int | None
    dataset: str
    setting: str
    figures: Mapping[str, str]
    reranked: bool
    source: str
    evidence: str
    remark: str
    implementation: str

    def is_of(self, name: str) -> bool:
        """Whether this is a result of the method called `name`, by a paper's name or by Tapetum's."""
        return _plain(name) in {_plain(self.method), _plain(self.implementation)} - {""}


@functools.cache
def published_results() -> tuple[Published, ...]:
    """The whole table, ordered by dataset, setting and year."""
    text = resources.files(__package__).joinpath("published.csv").read_text(encoding="utf-8")
    return tuple(_row(fields) for fields in csv.DictReader(text.splitlines()))


def published_of(names: Iterable[str]) -> list[Published]:
    """The rows of all methods named, in the table's order; "all" names every method.

    Raises RecipeError for a name that no row has.
    """
    table, wanted = published_results(), list(names)
    for name in wanted:
        if name != "all" and not any(row.is_of(name) for row in table):
            known = {row.method for row in table} | {"all"}
            raise RecipeError(f"no published result is of '{name}'. {did_you_mean(name, known)}")
    return [row for row in table if any(name == "all" or row.is_of(name) for name in wanted)]


def _row(fields: Mapping[str, str]) -> Published:
    return Published(
        method=fields["method"],
        year=int(fields["year"]) if fields["year"] else None,
        dataset=fields["dataset"],
        setting=fields["setting"],
        figures={name: fields[name] for name in FIGURES if fields[name]},
        reranked=fields["reranked"] == "yes",
        source=fields["source"],
        evidence=fields["evidence"],
        remark=fields["remark"],
        implementation=fields["implementation"],
    )


def _plain(name: str) -> str:
    """A name without case, spaces and signs: "Hi-CMD" and "hicmd" are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
