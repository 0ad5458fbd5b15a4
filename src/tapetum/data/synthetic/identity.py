"""A person of a synthetic dataset: structure, visible appearance and near-infrared reflectance, from three streams."""

from __future__ import annotations

from dataclasses import dataclass

from tapetum.data.synthetic.materials import Appearance, NearInfrared, draw_appearance, draw_near_infrared
from tapetum.data.synthetic.specification import SynthesisSpec
from tapetum.data.synthetic.structure import Structure, draw_structure

FIRST_BYSTANDER = 500_000
"""By-standers are persons with ids from here on: nobody of the dataset."""


@dataclass(frozen=True)
class Identity:
    """One person. `seed` and `person` key the random details of the drawing (where folds lie)."""

    seed: int
    person: int
    structure: Structure
    appearance: Appearance
    near_infrared: NearInfrared


def make_identity(
    spec: SynthesisSpec, person: int, appearance_of: int | None = None, near_infrared_of: int | None = None
) -> Identity:
    """The person `person` of the dataset `spec`.

    appearance_of, near_infrared_of: take these two from another person, for control sets in which only the structure,
    or all but the structure, tells persons apart. The pictures' patterns are part of the appearance.
    """
    looks = person if appearance_of is None else appearance_of
    reflects = person if near_infrared_of is None else near_infrared_of
    appearance = draw_appearance(spec.seed, looks, spec.factors)
    lit_by = appearance if reflects == looks else draw_appearance(spec.seed, reflects, spec.factors)
    return Identity(
        spec.seed,
        person,
        draw_structure(spec.seed, person, spec.factors),
        appearance,
        draw_near_infrared(spec.seed, reflects, spec.factors, lit_by),
    )
