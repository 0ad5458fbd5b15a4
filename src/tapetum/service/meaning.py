"""What a score means, where somebody has measured it: the probability that a first answer of this score is right.

A calibration is fitted on first answers to single pictures of one modality among crops of the other. It says nothing of
searches among crops of the same modality, whose scores are higher, nor of several pictures fused or of marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from tapetum.core import Modality
from tapetum.evaluation.calibration import Calibration
from tapetum.service.messages import SearchFields


@dataclass(frozen=True)
class Meaning:
    """curve: what applies to this search; None where nothing does, and `why` says it."""

    curve: Calibration | None
    why: str = ""

    def probability(self, score: float) -> float | None:
        """That a first answer of this score is right."""
        return None if self.curve is None else round(float(self.curve.probability(np.array(score))), 4)

    def in_words(self, first: float | None) -> str:
        """For a person, of the first answer's score; None: there is no answer."""
        if first is None:
            return "No crop was admitted, so that nothing answers."
        if self.curve is None:
            return self.why
        right = self.probability(first) or 0.0
        return (
            f"Of 100 first answers with a score of {first:.3f}, about {round(100 * (1 - right))} are wrong (fitted on"
            f" {self.curve.answers} answers to queries whose person was there; more strangers, more mistakes)."
        )


def meaning_of(
    calibration: Mapping[str, Any] | None, fields: SearchFields, asking: int, modalities: Set[Modality]
) -> Meaning:
    """asking: how many pictures and crops ask.   modalities: theirs. Raises EmbeddingError for a broken curve."""
    if calibration is None:
        return Meaning(None, "What these scores mean has not been measured for this gallery.")
    if fields.right or fields.wrong:
        return Meaning(None, "After marks the scores are no longer those whose meaning was measured.")
    if asking > 1:
        return Meaning(None, "The meaning of scores was measured for single pictures, and several were fused.")
    if fields.among == "all" or Modality(fields.among) in modalities:
        return Meaning(None, "The meaning of scores was measured between infrared and visible, not within one of them.")
    return Meaning(Calibration.from_json(calibration))
