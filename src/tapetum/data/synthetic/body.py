"""A whole person as a table of solids."""

from __future__ import annotations

from tapetum.core import FloatArray
from tapetum.data.synthetic.carried import add_carried
from tapetum.data.synthetic.head import add_head
from tapetum.data.synthetic.limbs import add_arms, add_legs
from tapetum.data.synthetic.shapes import Shapes
from tapetum.data.synthetic.skeleton import Skeleton
from tapetum.data.synthetic.structure import Structure
from tapetum.data.synthetic.trunk import add_trunk


def build_person(structure: Structure, skeleton: Skeleton) -> FloatArray:
    """All solids of a person in one pose, in the person's frame: rows of `shapes.COLUMNS`."""
    shapes = Shapes()
    add_trunk(shapes, skeleton, structure)
    add_legs(shapes, skeleton, structure)
    add_arms(shapes, skeleton, structure)
    add_head(shapes, skeleton, structure)
    add_carried(shapes, skeleton, structure)
    return shapes.table()
