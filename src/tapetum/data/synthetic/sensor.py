"""From light to grey levels: blur, motion, vignette, noise, the camera's curve, eight bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapetum.data.synthetic.noise import grain_window
from tapetum.data.synthetic.views import View

Planes = NDArray[np.float32]
_SOFTNESS = 0.30
"""Variance in square pixels of the blur that every lens has; it also smooths the edges of solids."""


def develop(light: Planes, view: View) -> NDArray[np.uint8]:
    """The picture (H, W, 3) of linear light (3 or 1, H, W); one plane becomes three equal channels."""
    height = view.framing.height
    sigma = view.blur * height / 200.0
    blurred = _blur(light, sigma * sigma + _SOFTNESS)
    if view.motion > 0:
        blurred = _smear(blurred, max(round(view.motion * height / 200.0), 1))
    if view.camera.band != "rgb":
        blurred *= _vignette(blurred.shape[1:], 0.42 if view.camera.band == "nir" else 0.08)
    # The camera's curve is a square root; noise is added after it, as sensors' noise grows with the light.
    tones = np.sqrt(np.maximum(blurred, 0, out=blurred), out=blurred)
    tones *= np.float32(255.0)
    planes, tall, wide = tones.shape
    noise = grain_window((planes * tall, wide), view.grain).reshape(tones.shape)
    tones += noise * np.float32(view.noise)
    tones += np.float32(0.5)
    levels = np.clip(tones, 0, 255, out=tones).astype(np.uint8)
    if planes == 1:
        return np.repeat(levels[0][:, :, None], 3, axis=2)
    return np.ascontiguousarray(levels.transpose(1, 2, 0))


def _blur(light: Planes, variance: float) -> Planes:
    """Repeated three-tap averages: a near Gaussian of the given variance in square pixels."""
    rounds = max(1, int(variance / 0.5) + 1)
    side = np.float32(variance / rounds / 2.0)
    for _ in range(rounds):
        for axis in (1, 2):
            light = _three_taps(light, side, axis)
    return light


def _three_taps(light: Planes, side: np.float32, axis: int) -> Planes:
    result = light * (1 - 2 * side)
    weighted = light * side
    if axis == 1:
        result[:, 1:] += weighted[:, :-1]
        result[:, :-1] += weighted[:, 1:]
        result[:, :1] += weighted[:, :1]
        result[:, -1:] += weighted[:, -1:]
    else:
        result[:, :, 1:] += weighted[:, :, :-1]
        result[:, :, :-1] += weighted[:, :, 1:]
        result[:, :, :1] += weighted[:, :, :1]
        result[:, :, -1:] += weighted[:, :, -1:]
    return result


def _smear(light: Planes, reach: int) -> Planes:
    """Sideways motion over `reach` pixels."""
    result = light.copy()
    for step in range(1, reach + 1):
        result[:, :, step:] += light[:, :, :-step]
        result[:, :, :step] += light[:, :, :1]
    return result * np.float32(1.0 / (reach + 1))


def _vignette(shape: tuple[int, ...], strength: float) -> Planes:
    tall, wide = shape
    y = (np.arange(tall, dtype=np.float32) * np.float32(2.0 / tall) - 1)[:, None]
    x = (np.arange(wide, dtype=np.float32) * np.float32(2.0 / wide) - 1)[None, :]
    light = 1 - np.float32(strength) * (y * y * np.float32(0.6) + x * x * np.float32(0.4))
    return light.astype(np.float32, copy=False)
