"""How features are tested, where the user has a choice, and the protocol that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from tapetum.core import Modality, Protocol
from tapetum.data.sysu_mm01 import LOCATIONS
from tapetum.errors import RecipeError, did_you_mean
from tapetum.evaluation.matching import Matched
from tapetum.evaluation.mixed import NAME as MIXED
from tapetum.evaluation.mixed import mixed
from tapetum.evaluation.protocols import between_modalities, check_draw, protocol_for, sysu
from tapetum.evaluation.ranking import Distance
from tapetum.evaluation.reference import Reference
from tapetum.evaluation.reranking import ReRanking

STANDARD = "standard"
DIRECTIONS = {"ir-to-rgb": Modality.IR, "rgb-to-ir": Modality.RGB}
"""Who asks whom -> whose images are the queries."""

_FIXED = {"regdb": "both", "llcm": "both", "pku_reid_74": "ir-to-rgb"}
"""Datasets whose protocol says the direction itself."""

_UNDECLARED = "no column 'split' declares query and gallery: one modality asks, the other answers"


@dataclass(frozen=True)
class Rules:
    """protocol: "standard" (the dataset's own) or "mixed".   draw: "official" or "agw", for SYSU-MM01.

    direction: "ir-to-rgb" or "rgb-to-ir", for SYSU-MM01 and for own images without declared queries; None: the usual.
    permutations: another place of rand_perm_cam.mat.   rerank: score re-ranked lists as well, beside the plain ones.
    Raises RecipeError for an unknown name.
    """

    protocol: str = STANDARD
    draw: str = "official"
    direction: str | None = None
    permutations: Path | None = None
    distance: Distance = "euclidean"
    rerank: ReRanking | None = None

    def __post_init__(self) -> None:
        check_draw(self.draw)
        known = {
            "protocol": (self.protocol, (STANDARD, MIXED)),
            "direction": (self.direction or "ir-to-rgb", tuple(DIRECTIONS)),
            "distance": (self.distance, get_args(Distance)),
        }
        for kind, (given, names) in known.items():
            if given not in names:
                raise RecipeError(f"no {kind} is called '{given}'. {did_you_mean(given, names)}")


@dataclass(frozen=True)
class Chosen:
    """A protocol, who asks whom in it ("ir-to-rgb", "rgb-to-ir", "both", "declared", "any"), and what to say of it."""

    protocol: Protocol
    direction: str
    notes: tuple[str, ...]


def choose_protocol(matched: Matched, reference: Reference, rules: Rules) -> Chosen:
    """The protocol that the rules ask for, over the matched crops.

    Raises RecipeError for a rule that the dataset leaves no room for, DataError for crops that do not fit.
    """
    _check_room(matched, reference, rules)
    if rules.protocol == MIXED:
        locations = LOCATIONS if reference.name == "sysu_mm01" else {}
        found, notes = mixed(matched.crops, reference.dataset.locations if reference.dataset else locations)
        return Chosen(found, "any", tuple(notes))
    direction = rules.direction or "ir-to-rgb"
    asking = DIRECTIONS[direction]
    if reference.name == "sysu_mm01":
        found = sysu(
            matched.crops, root=reference.root, draw=rules.draw, permutations=rules.permutations, asking=asking
        )
        return Chosen(found, direction, tuple(_sysu_notes(found, asking)))
    if reference.name not in _FIXED and matched.declared is None:
        undeclared = () if reference.dataset else (_UNDECLARED,)
        return Chosen(between_modalities(matched.crops, asking), direction, undeclared)
    found = protocol_for(reference.name, matched.crops, declared=matched.declared)
    return Chosen(found, _FIXED.get(reference.name, "declared"), tuple(_notes(reference.name)))


def _check_room(matched: Matched, reference: Reference, rules: Rules) -> None:
    drawn = reference.name == "sysu_mm01" and rules.protocol == STANDARD
    if rules.permutations is not None and not (drawn and rules.draw == "official"):
        raise RecipeError("--permutations is for the official draw of sysu_mm01 alone. Leave it out.")
    if rules.draw == "agw" and not drawn:
        raise RecipeError(f"--draw agw is for sysu_mm01's own protocol; {reference.name} has one rule. Leave it out.")
    open_direction = drawn or (rules.protocol == STANDARD and reference.name not in _FIXED and not matched.declared)
    if rules.direction is not None and not open_direction:
        fixed = "the table" if matched.declared else f"the protocol of {reference.name}"
        what = "the mixed gallery" if rules.protocol == MIXED else fixed
        raise RecipeError(f"{what} says itself who asks whom. Leave --direction out.")


def _sysu_notes(protocol: Protocol, asking: Modality) -> list[str]:
    notes = []
    if protocol.draw == "agw":
        notes.append("galleries drawn by seed (agw), not by the official permutations: single-shot only")
    if asking is Modality.RGB:
        notes.append(
            "RGB asks and infrared answers: the official evaluation has no such direction; queries and galleries are"
            " the official ones with the sides changed"
        )
    return notes


def _notes(dataset: str) -> list[str]:
    if dataset == "llcm":
        return ["LLCM's images changed after publication: compare only with results on the same images"]
    if dataset == "pku_reid_74":
        return ["pseudo-infrared: the queries are grey copies of RGB images"]
    return []
