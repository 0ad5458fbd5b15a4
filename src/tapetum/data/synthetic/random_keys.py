"""Random numbers that depend on a key alone: BLAKE2b of the key seeds splitmix64, so no order of work can change them.

Neither NumPy's nor Python's generators are used: the stream of a key is the same on every platform, in every version.
The sine and cosine here are polynomials in + - * /, which IEEE 754 rounds alike everywhere; a system's libm may differ
in the last bit, and the pixels would follow.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Key = tuple[str | int, ...]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB
_UNIT = 1.0 / (1 << 53)
_SINE_SERIES = tuple((-1.0) ** half / math.factorial(2 * half + 1) for half in range(10, -1, -1))
"""Taylor coefficients of sin(x) / x in x^2, the highest first: enough for 1e-15 up to a right angle."""


def key_state(*key: str | int) -> int:
    """The 64-bit number that a key stands for. Text and numbers are kept apart: 1 and "1" are other keys."""
    text = "\x1f".join(f"{type(part).__name__[0]}{part}" for part in key)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


class Stream:
    """The random draws of one key, one after the other. An extra draw changes all later ones of the same stream."""

    def __init__(self, *key: str | int) -> None:
        self._state = key_state(*key)

    def word(self) -> int:
        """The next 64 random bits (splitmix64)."""
        self._state = (self._state + _GOLDEN) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * _MIX_1) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * _MIX_2) & _MASK
        return mixed ^ (mixed >> 31)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number in [low, high)."""
        return low + (high - low) * ((self.word() >> 11) * _UNIT)

    def normal(self, mean: float, deviation: float, low: float = -math.inf, high: float = math.inf) -> float:
        """Nearly normal (Irwin-Hall, twelve uniforms, so within six deviations), clipped to [low, high]."""
        # Three words give twelve 16-bit uniforms; each has mean 32767.5 and variance (2^32 - 1) / 12.
        total = 0
        for _ in range(3):
            word = self.word()
            total += (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48)
        return min(max(mean + deviation * ((total - 393210.0) / 65536.0), low), high)

    def chance(self, probability: float) -> bool:
        """True with the given probability; draws once, whatever the probability."""
        return self.uniform() < probability

    def choice(self, weights: Mapping[str, float]) -> str:
        """One of the names, with chances proportional to the weights, in the mapping's own order."""
        left = self.uniform(0.0, sum(weights.values()))
        for name, weight in weights.items():
            left -= weight
            if left < 0:
                return name
        return next(name for name in reversed(list(weights)) if weights[name] > 0)

    def shuffled(self, count: int) -> list[int]:
        """A permutation of 0 ... count-1 (Fisher-Yates)."""
        order = list(range(count))
        for last in range(count - 1, 0, -1):
            other = int(self.uniform(0.0, last + 1.0))
            order[last], order[other] = order[other], order[last]
        return order


def random_words(count: int, *key: str | int) -> NDArray[np.uint64]:
    """The first `count` words of a key's stream as an array: the same words that `Stream.word` gives one by one."""
    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    mixed = steps + np.uint64(key_state(*key))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_MIX_1)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_MIX_2)
    words: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return words


def random_field(shape: tuple[int, ...], *key: str | int) -> NDArray[np.float32]:
    """Uniform numbers in [0, 1) of the given shape, exact in float32."""
    words = random_words(math.prod(shape), *key) >> np.uint64(40)
    return (words.astype(np.float32) * np.float32(2.0**-24)).reshape(shape)


def normal_field(count: int, *key: str | int) -> NDArray[np.float32]:
    """Nearly normal numbers (the sum of a word's four 16-bit quarters), mean 0 and deviation 1, within 3.5."""
    words = random_words(count, *key)
    total = np.zeros(count, np.uint64)
    for shift in (0, 16, 32, 48):
        total += (words >> np.uint64(shift)) & np.uint64(0xFFFF)
    # Four uniforms: mean 2 * 65535, deviation 65536 / sqrt(3).
    normal: NDArray[np.float32] = ((total.astype(np.float64) - 131070.0) * (math.sqrt(3.0) / 65536.0)).astype(
        np.float32
    )
    return normal


def sine(degrees: float) -> float:
    """Sine of an angle in degrees, within 1e-15, with the same bits on every platform."""
    turned = degrees - 360.0 * math.floor(degrees / 360.0 + 0.5)  # [-180, 180)
    if turned > 90.0:
        turned = 180.0 - turned
    elif turned < -90.0:
        turned = -180.0 - turned
    x = turned * (math.pi / 180.0)
    square = x * x
    total = 0.0
    for coefficient in _SINE_SERIES:
        total = total * square + coefficient
    return x * total


def cosine(degrees: float) -> float:
    """Cosine of an angle in degrees; see `sine`."""
    return sine(degrees + 90.0)
