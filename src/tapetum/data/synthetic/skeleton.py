"""The pose: where a person's joints are in one moment of the walk.

Person's frame, in body heights: x to the person's left, y up from the ground, z to the front. Right-handed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tapetum.data.synthetic.random_keys import cosine, sine
from tapetum.data.synthetic.structure import Structure
from tapetum.data.synthetic.views import View

Vector = tuple[float, float, float]

HIP_HEIGHT, KNEE_HEIGHT, ANKLE_HEIGHT = 0.52, 0.285, 0.042
_UPPER_ARM, _FOREARM = 0.178, 0.148
_SHOULDER = (0.105, 0.785)


@dataclass(frozen=True)
class Limb:
    """Three joints of an arm (shoulder, elbow, wrist) or leg (hip, knee, ankle) and the direction that follows them."""

    root: Vector
    middle: Vector
    end: Vector
    tip: Vector


@dataclass(frozen=True)
class Skeleton:
    """Joints of one moment. arms and legs: left, then right. `tip` of a limb is a direction: along hand or foot.

    pelvis: between the hips. neck: its root. head: the skull's centre. face: direction the head looks, `face_left` its
    left. lean: the unit vector from the pelvis up the trunk. front: the trunk's front.
    """

    pelvis: Vector
    neck: Vector
    head: Vector
    face: Vector
    face_left: Vector
    lean: Vector
    front: Vector
    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]


def along(start: Vector, direction: Vector, length: float) -> Vector:
    """The point at `length` from `start` in a direction."""
    return (
        start[0] + direction[0] * length,
        start[1] + direction[1] * length,
        start[2] + direction[2] * length,
    )


def pose(structure: Structure, view: View) -> Skeleton:
    """The skeleton of a person in one view."""
    body = structure.body
    legs = _legs(structure, view)
    # The lower ankle stands on the ground.
    drop = min(leg.end[1] + min(leg.tip[1], 0.0) * 0.11 for leg in legs) - ANKLE_HEIGHT - structure.clothes.heel
    pelvis = (0.0, HIP_HEIGHT * body.leg - drop, 0.0)
    legs = _moved(legs[0], -drop), _moved(legs[1], -drop)
    stoop = body.stoop + (2.0 if view.walking else 0.0)
    lean, front = (0.0, cosine(stoop), sine(stoop)), (0.0, -sine(stoop), cosine(stoop))
    neck = along(pelvis, lean, 0.325)
    nod = stoop * 0.4 + 6.0 * body.head_forward
    head = along(neck, (0.0, cosine(nod), sine(nod) + 0.12), 0.092 + 0.006 * (body.head - 1.0))
    face = (sine(view.head_yaw), -0.08, cosine(view.head_yaw))
    face_left = (cosine(view.head_yaw), 0.0, -sine(view.head_yaw))
    arms = (_arm(structure, view, pelvis, lean, 1.0), _arm(structure, view, pelvis, lean, -1.0))
    return Skeleton(pelvis, neck, head, face, face_left, lean, front, arms, legs)


def _moved(limb: Limb, rise: float) -> Limb:
    root, middle, end = ((joint[0], joint[1] + rise, joint[2]) for joint in (limb.root, limb.middle, limb.end))
    return Limb(root, middle, end, limb.tip)


def _hanging(forward: float, outward: float) -> Vector:
    """A direction that hangs down, turned forward and outward (towards +x)."""
    return sine(outward), -cosine(forward) * cosine(outward), sine(forward) * cosine(outward)


def _legs(structure: Structure, view: View) -> tuple[Limb, Limb]:
    body = structure.body
    limbs = []
    for side, phase in ((1.0, view.phase), (-1.0, view.phase + 180.0)):
        swing = body.stride * view.stride * sine(phase) if view.walking else 3.0 * sine(phase)
        # The knee bends while the leg swings forward, most when it passes the other one.
        lift = max(cosine(phase - 20.0), 0.0)
        bend = 5.0 + (body.knee * lift * lift if view.walking else 2.0)
        root = (side * 0.05 * body.hip, HIP_HEIGHT * body.leg, 0.0)
        outward = side * (1.5 + 3.0 * (body.stance - 1.0)) * (1.0 if view.walking else 2.0)
        thigh = _hanging(swing + 0.35 * bend, outward)
        shin = _hanging(swing - 0.65 * bend, outward * 0.3)
        knee = along(root, thigh, (HIP_HEIGHT - KNEE_HEIGHT) * body.leg)
        ankle = along(knee, shin, (KNEE_HEIGHT - ANKLE_HEIGHT) * body.leg)
        point = 0.55 * (swing - 0.65 * bend) + 8.0 if view.walking else 0.0
        toe = side * body.toe_out
        tip = (sine(toe) * cosine(point), sine(min(point, 18.0)), cosine(toe) * cosine(point))
        limbs.append(Limb(root, knee, ankle, tip))
    return limbs[0], limbs[1]


def _arm(structure: Structure, view: View, pelvis: Vector, lean: Vector, side: float) -> Limb:
    body = structure.body
    upper, fore, inward = _arm_angles(structure, view, side)
    shoulder = along(pelvis, lean, _SHOULDER[1] - HIP_HEIGHT)
    root = (side * _SHOULDER[0] * body.shoulder * (1.0 + 0.012 * body.build), shoulder[1], shoulder[2] + 0.004)
    out = body.abduction
    elbow = along(root, _hanging(upper + body.stoop * 0.3, side * out), _UPPER_ARM)
    # The forearm turns inward as it bends.
    direction = _hanging(fore, side * (out * 0.5 - inward))
    wrist = along(elbow, direction, _FOREARM)
    tip = _hanging(fore + 6.0, side * (out * 0.3 - inward * 0.8))
    return Limb(root, elbow, wrist, tip)


_HABITS = {"pocket": (-14.0, 24.0, 4.0), "phone": (22.0, 118.0, 26.0), "strap": (4.0, 138.0, 16.0)}
"""Upper arm, forearm, and the forearm's turn inward."""


def _arm_angles(structure: Structure, view: View, side: float) -> tuple[float, float, float]:
    """Angles of the upper arm and forearm from hanging (positive: forward), and the forearm's turn inward."""
    body = structure.body
    carrying_side = -1.0 if structure.carried_right else 1.0
    in_hand = structure.carried in ("suitcase", "handbag")
    if in_hand and side == carrying_side:
        if structure.carried == "suitcase":
            return -24.0, -16.0, -4.0
        still = body.swing * 0.3 * _swing(view, side)
        return still, still + 5.0, 2.0
    # Phones and straps are held by one hand: the one that carries nothing.
    habit_side = -carrying_side if in_hand else carrying_side
    if view.habit and structure.habit != "swing" and (structure.habit == "pocket" or side == habit_side):
        return _HABITS[structure.habit]
    swung = body.swing * _swing(view, side)
    bend = body.elbow * (1.0 + 0.6 * _swing(view, side)) if view.walking else body.elbow
    return swung, swung + max(bend, 2.0), 0.15 * bend


def _swing(view: View, side: float) -> float:
    """-1 ... 1: an arm swings against the leg of its side."""
    if not view.walking:
        return 0.0
    return -sine(view.phase) * side
