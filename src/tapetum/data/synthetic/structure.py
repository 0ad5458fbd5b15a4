"""The structure of a person: body, gait, hair, clothes and bag. What a camera of any band can see.

Lengths are shares of the body height, angles degrees. Drawn from one stream per person, so neither the appearance nor
the near-infrared stream can move it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tapetum.data.synthetic.random_keys import Stream
from tapetum.data.synthetic.specification import Factors

# Two profiles correlate the shapes below; which of them a person was drawn from is not kept.
_HAIR: Mapping[str, Mapping[str, float]] = {
    "A": {"long": 0.30, "ponytail": 0.24, "bob": 0.22, "short": 0.12, "bun": 0.12},
    "B": {"short": 0.68, "crew": 0.16, "bald": 0.08, "bob": 0.05, "ponytail": 0.03},
}
_HEADWEAR = {"none": 0.80, "cap": 0.10, "beanie": 0.05, "hood": 0.05}
_UPPER = {"tee": 0.30, "shirt": 0.28, "jacket": 0.22, "coat": 0.12, "puffer": 0.08}
_LOWER: Mapping[str, Mapping[str, float]] = {
    "A": {"trousers": 0.50, "skirt": 0.22, "dress": 0.10, "shorts": 0.10, "leggings": 0.08},
    "B": {"trousers": 0.84, "shorts": 0.16},
}
_FIT = {"slim": 0.35, "regular": 0.45, "wide": 0.20}
_CARRIED = {"none": 0.52, "backpack": 0.24, "handbag": 0.10, "shoulder_bag": 0.09, "suitcase": 0.05}
_HABIT = {"swing": 0.72, "pocket": 0.12, "phone": 0.10, "strap": 0.06}
_LOOSENESS = {"tee": 0.35, "shirt": 0.35, "jacket": 0.6, "coat": 0.7, "puffer": 1.1}
# Height of the upper garment's lower edge (mean, deviation): the hip joint is at 0.52, the knee at 0.285.
_HEM = {
    "tee": (0.475, 0.014),
    "shirt": (0.462, 0.014),
    "jacket": (0.462, 0.016),
    "coat": (0.355, 0.04),
    "puffer": (0.455, 0.02),
}


@dataclass(frozen=True)
class Body:
    """Measures of the body and its gait: factors around 1 multiply an average body, angles are in degrees.

    height: metres (a crop does not show it). build: 0 is average, positive is heavier. belly, chest: 0 ... about 1.
    abduction: how far the arms hang from the body. swing, elbow, stride, knee: amplitudes of the walk.
    """

    height: float
    build: float
    shoulder: float
    hip: float
    leg: float
    limb: float
    head: float
    neck: float
    belly: float
    chest: float
    stoop: float
    stride: float
    knee: float
    swing: float
    elbow: float
    abduction: float
    toe_out: float
    stance: float
    head_forward: float


@dataclass(frozen=True)
class Clothes:
    """What a person wears and how it hangs.

    sleeve: covered share of the arm, 1 to the elbow and 2 to the wrist. hem: height of the upper garment's edge.
    loose: thickness of the upper garment. drape: depth of folds, 0 ... 1. open_front, hood_down, boots: yes or no.
    skirt_length and shorts_length: in thighs below the hip. flare: 0 ... 1. heel: height in body heights.
    """

    upper: str
    sleeve: float
    loose: float
    hem: float
    drape: float
    open_front: bool
    hood_down: bool
    lower: str
    fit: str
    skirt_length: float
    flare: float
    shorts_length: float
    boots: bool
    shoe: float
    heel: float


@dataclass(frozen=True)
class Structure:
    """A person as every band of light shows them: body, clothes, hair, headwear, bag and the habit of the arms."""

    body: Body
    clothes: Clothes
    hair: str
    hair_volume: float
    hair_length: float
    headwear: str
    carried: str
    carried_size: float
    carried_right: bool
    habit: str


class _Draws:
    """A stream with the factors applied: `spread` on measures, `flat` on categories."""

    def __init__(self, stream: Stream, factors: Factors) -> None:
        self.stream = stream
        self._spread = factors.spread
        self._power = 1.0 - factors.flat

    def measure(self, mean: float, deviation: float, low: float, high: float) -> float:
        widened = max(1.0, 0.8 * self._spread)
        return self.stream.normal(
            mean, deviation * self._spread, mean - (mean - low) * widened, mean + (high - mean) * widened
        )

    def kind(self, weights: Mapping[str, float]) -> str:
        # Rounded, so that the last bit of a system's pow cannot decide anything.
        return self.stream.choice({name: round(weight**self._power, 9) for name, weight in weights.items()})


def draw_structure(seed: int, person: int, factors: Factors) -> Structure:
    """The structure of one person of a dataset; the same for the same seed, person and factors."""
    draws = _Draws(Stream(seed, "id-structure", person), factors)
    stream = draws.stream
    profile = "A" if stream.chance(0.48) else "B"
    body = _draw_body(draws, profile)
    hair = draws.kind(_HAIR[profile])
    hair_volume = draws.measure(1.0, 0.12, 0.75, 1.4)
    hair_length = stream.uniform(0.5, 1.0)
    headwear = draws.kind(_HEADWEAR)
    clothes = _draw_clothes(draws, profile)
    carried = draws.kind(_CARRIED)
    return Structure(
        body,
        clothes,
        hair,
        hair_volume,
        hair_length,
        headwear,
        carried,
        carried_size=stream.uniform(0.75, 1.3),
        carried_right=stream.chance(0.6),
        habit=draws.kind(_HABIT),
    )


def _draw_body(draws: _Draws, profile: str) -> Body:
    first = profile == "A"
    measure = draws.measure
    height = measure(1.63 if first else 1.74, 0.065, 1.45, 1.95)
    build = measure(0.0, 1.0, -2.0, 2.4)
    heavy = max(build, 0.0)
    return Body(
        height,
        build,
        shoulder=measure(0.97 if first else 1.06, 0.05, 0.85, 1.2),
        hip=measure(1.05 if first else 0.96, 0.05, 0.85, 1.2),
        leg=measure(1.0, 0.028, 0.93, 1.07),
        limb=measure(1.0, 0.09, 0.78, 1.25),
        head=measure(1.0, 0.05, 0.88, 1.12),
        neck=measure(1.0, 0.12, 0.75, 1.3),
        belly=max(measure(0.15 + 0.25 * heavy, 0.25, -0.5, 1.4), 0.0),
        chest=draws.stream.uniform(0.3, 1.0) * (1.0 if first else 0.0),
        stoop=measure(4.0, 4.0, -2.0, 16.0),
        stride=measure(17.0, 4.0, 8.0, 28.0),
        knee=measure(36.0, 7.0, 20.0, 55.0),
        swing=measure(18.0, 8.0, 3.0, 38.0),
        elbow=measure(16.0, 9.0, 2.0, 45.0),
        abduction=measure(7.0 + 2.0 * heavy, 2.5, 3.0, 18.0),
        toe_out=measure(8.0, 5.0, -4.0, 22.0),
        stance=measure(1.0, 0.15, 0.6, 1.5),
        head_forward=max(measure(0.5, 0.5, 0.0, 1.6), 0.0),
    )


def _draw_clothes(draws: _Draws, profile: str) -> Clothes:
    stream = draws.stream
    upper = draws.kind(_UPPER)
    sleeve = _draw_sleeve(stream, upper)
    loose = max(draws.measure(_LOOSENESS[upper], 0.2, 0.05, 1.5), 0.05)
    mean, deviation = _HEM[upper]
    hem = draws.measure(mean, deviation, mean - 3 * deviation, mean + 2 * deviation)
    drape = stream.uniform(0.0, 0.5) if upper in ("tee", "puffer") else stream.uniform(0.3, 1.0)
    open_front = stream.chance(0.5) and upper in ("jacket", "coat")
    hood_down = stream.chance(0.3) and upper in ("jacket", "coat", "puffer")
    lower = draws.kind(_LOWER[profile])
    if lower == "dress" and upper in ("shirt", "tee"):
        hem = 0.57  # the dress hangs on the waist: its skirt takes over below
    return Clothes(
        upper,
        sleeve,
        loose,
        hem,
        drape,
        open_front,
        hood_down,
        lower,
        fit=draws.kind(_FIT),
        skirt_length=stream.uniform(0.35, 1.5),
        flare=stream.uniform(),
        shorts_length=stream.uniform(0.55, 1.05),
        boots=stream.chance(0.10),
        shoe=draws.measure(1.0, 0.1, 0.75, 1.3),
        heel=stream.uniform(0.01, 0.03) if stream.chance(0.25 if profile == "A" else 0.0) else 0.0,
    )


def _draw_sleeve(stream: Stream, upper: str) -> float:
    short, shirt = stream.uniform(0.35, 0.75), 1.93 if stream.chance(0.7) else 1.4
    if upper == "tee":
        return short
    return shirt if upper == "shirt" else 1.97
