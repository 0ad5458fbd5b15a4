"""What the parts of a person are made of: colours in visible light, reflectances in near-infrared, heat.

Three unrelated streams: the visible colours and the pattern's drawing come from "id-appearance", reflectances and what
is left of the pattern in near-infrared from "id-nir", and neither knows the structure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tapetum.data.synthetic.random_keys import Stream
from tapetum.data.synthetic.specification import Factors

MATERIALS = ("skin", "hair", "upper", "inner", "lower", "shoe", "bag", "bag2", "headwear")
"""Order of the tables below; `SKIN`, `HAIR` ... are places in it."""
SKIN, HAIR, UPPER, INNER, LOWER, SHOE, BAG, BAG2, HEADWEAR = range(len(MATERIALS))

Colour = tuple[float, float, float]

_TONES = {"dark": 0.42, "grey": 0.20, "white": 0.13, "saturated": 0.15, "pastel": 0.10}
_PATTERNS = {"h-stripe": 0.28, "v-stripe": 0.14, "check": 0.24, "logo": 0.20, "noise": 0.14}
_LOWER_PATTERNS = ("v-stripe", "check")
_INSULATION = {"tee": 0.55, "shirt": 0.6, "jacket": 0.75, "coat": 0.75, "puffer": 0.75}
_LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Pattern:
    """How a cloth is drawn: kind ("plain", "h-stripe", "v-stripe", "check", "logo", "noise").

    pitch: length of one repeat in body heights. share: width of a stripe within a repeat. phase: 0 ... 1.
    """

    kind: str = "plain"
    pitch: float = 0.05
    share: float = 0.5
    phase: float = 0.0


@dataclass(frozen=True)
class Appearance:
    """Visible light: per material, in the order of `MATERIALS`, linear RGB of ground and pattern, and the pattern."""

    colours: tuple[Colour, ...]
    seconds: tuple[Colour, ...]
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True)
class NearInfrared:
    """Per material the reflectance of the ground and of the pattern; equal where the dye does not show."""

    grounds: tuple[float, ...]
    seconds: tuple[float, ...]


def draw_appearance(seed: int, person: int, factors: Factors) -> Appearance:
    """The visible colours and patterns of one person."""
    stream = Stream(seed, "id-appearance", person)
    colours: list[Colour] = []
    seconds: list[Colour] = []
    patterns: list[Pattern] = []
    for material in MATERIALS:
        colour, second = _draw_colour(stream), _draw_colour(stream)
        if material == "skin":
            colour = second = _skin(stream.uniform())
        elif material == "hair":
            colour = second = _hair(stream)
        pattern = _draw_pattern(stream, material, factors.pattern)
        if abs(math.sqrt(_luminance(colour)) - math.sqrt(_luminance(second))) < 0.22:
            second = _apart(colour)
        colours.append(colour)
        seconds.append(second)
        patterns.append(pattern)
    return Appearance(tuple(colours), tuple(seconds), tuple(patterns))


def draw_near_infrared(seed: int, person: int, factors: Factors, appearance: Appearance) -> NearInfrared:
    """The near-infrared reflectances of one person; `appearance` counts only as far as `factors.nir_visible` says."""
    stream = Stream(seed, "id-nir", person)
    grounds: list[float] = []
    seconds: list[float] = []
    for place, material in enumerate(MATERIALS):
        ground = stream.uniform(0.30, 0.75) if stream.chance(0.72) else stream.uniform(0.06, 0.30)
        skin, hair = stream.uniform(0.45, 0.60), stream.uniform(0.12, 0.45)
        ground = {"skin": skin, "hair": hair}.get(material, ground)
        visible = _luminance(appearance.colours[place])
        ground += factors.nir_visible * (visible - ground)
        kept = stream.chance(factors.pattern_nir)
        contrast = stream.uniform(0.35, 0.75) * (1.0 if stream.chance(0.5) else -1.0)
        grounds.append(ground)
        seconds.append(_contrasting(ground, contrast) if kept else ground)
    return NearInfrared(tuple(grounds), tuple(seconds))


def heat_table(upper: str) -> tuple[float, ...]:
    """Per material how warm it looks in thermal infrared: 1 is bare skin, 0 the surroundings."""
    insulation = {"skin": 0.0, "hair": 0.8, "upper": _INSULATION[upper], "inner": 0.55, "lower": 0.6, "shoe": 0.8}
    return tuple(1.0 - 0.75 * insulation.get(material, 0.95) for material in MATERIALS)


def _contrasting(ground: float, contrast: float) -> float:
    # Bright grounds cannot get much brighter: there the polarity turns.
    second = ground * (1.0 + contrast)
    return ground * (1.0 - abs(contrast)) if second > 0.85 else second


def _draw_colour(stream: Stream) -> Colour:
    tone = stream.choice(_TONES)
    value, hue, strength = stream.uniform(), stream.uniform(), stream.uniform()
    low, high, saturation = {
        "dark": (0.015, 0.07, 0.5 * strength),
        "grey": (0.12, 0.35, 0.15 * strength),
        "white": (0.60, 0.82, 0.06 * strength),
        "saturated": (0.16, 0.50, 0.70 + 0.25 * strength),
        "pastel": (0.42, 0.66, 0.25 + 0.2 * strength),
    }[tone]
    return _from_hue(low + (high - low) * value, hue, saturation)


def _from_hue(value: float, hue: float, saturation: float) -> Colour:
    """The colour whose brightest channel is `value`; hue 0 is red, 1/3 green, 2/3 blue."""
    turns = tuple(abs((hue * 6.0 + offset) % 6.0 - 3.0) - 1.0 for offset in (0.0, 4.0, 2.0))
    red, green, blue = (value * (1.0 - saturation * (1.0 - min(max(turn, 0.0), 1.0))) for turn in turns)
    return red, green, blue


def _luminance(colour: Colour) -> float:
    return _LUMINANCE[0] * colour[0] + _LUMINANCE[1] * colour[1] + _LUMINANCE[2] * colour[2]


def _apart(colour: Colour) -> Colour:
    """A colour of the same hue that is clearly lighter, or darker where the ground is light."""
    if _luminance(colour) < 0.25:
        return colour[0] * 0.4 + 0.36, colour[1] * 0.4 + 0.36, colour[2] * 0.4 + 0.36
    return colour[0] * 0.22, colour[1] * 0.22, colour[2] * 0.22


def _draw_pattern(stream: Stream, material: str, probability: float) -> Pattern:
    patterned, kind = stream.chance(probability), stream.choice(_PATTERNS)
    pattern = Pattern(kind, stream.uniform(0.032, 0.075), stream.uniform(0.35, 0.65), stream.uniform())
    drawn = material in ("upper", "inner") or (material == "lower" and kind in _LOWER_PATTERNS)
    return pattern if patterned and drawn else Pattern(phase=pattern.phase)


def _skin(tone: float) -> Colour:
    light, dark = (0.62, 0.38, 0.27), (0.11, 0.055, 0.035)
    mix = tone * tone
    red, green, blue = (a + (b - a) * mix for a, b in zip(light, dark, strict=True))
    return red, green, blue


def _hair(stream: Stream) -> Colour:
    kind = stream.choice({"black": 0.45, "brown": 0.33, "blond": 0.10, "grey": 0.08, "red": 0.04})
    bright = stream.uniform(0.7, 1.3)
    tones = {
        "black": (0.012, 0.010, 0.010),
        "brown": (0.065, 0.036, 0.020),
        "blond": (0.42, 0.28, 0.11),
        "grey": (0.30, 0.29, 0.28),
        "red": (0.26, 0.075, 0.025),
    }
    red, green, blue = (channel * bright for channel in tones[kind])
    return red, green, blue
