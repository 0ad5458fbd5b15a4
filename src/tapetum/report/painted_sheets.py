"""What a generative run paints, as sheets: its pictures again, swaps, steps between appearances, structure, edges."""

from __future__ import annotations

import torch
from torch import Tensor

from tapetum.core import Modality
from tapetum.methods.method import Generative, Pictures, reconstruct, swap
from tapetum.report.code_maps import edge_pictures, liveliest_channels, principal_maps, strength_maps
from tapetum.report.sheets import Sheet
from tapetum.report.shown_crops import Shown
from tapetum.report.strips import LIGHT

_STEPS = 7  # of an interpolation, both ends among them
_CHANNELS = 4
PERSONS = 3  # shown in each light


@torch.inference_mode()
def painted_sheets(method: Generative, shown: dict[Modality, Shown]) -> list[Sheet]:
    """All sheets of a run.

    method: in evaluation mode. shown: of each light at least two pictures of each of the same persons, who stand in
    the same order: first one picture of each, then a second one of each.
    """
    found = [_again(method, shown), _grid(method, shown), _between(method, shown)]
    maps = _structure(method, shown)
    return [*found, *([] if maps is None else [maps]), _edges(method, shown)]


def _halves(shown: Shown) -> tuple[Shown, Shown]:
    """The first picture of each person, and the second one."""
    half = len(shown.crops) // 2
    return shown.take(range(half)), shown.take(range(half, 2 * half))


def _again(method: Generative, shown: dict[Modality, Shown]) -> Sheet:
    real = [tile for light in Modality for tile in shown[light].pictures.images]
    painted = [tile for light in Modality for tile in reconstruct(method, shown[light].pictures)]
    columns = tuple(_name(side, row) for side in shown.values() for row in range(len(side.crops)))
    alt = f"{len(real)} pictures, half visible, half infrared: above the pictures, below the same painted again."
    wide = frozenset({len(shown[Modality.RGB].crops)})
    return Sheet("reconstruction", alt, columns, ("input", "painted\nagain"), (tuple(real), tuple(painted)), wide)


def _grid(method: Generative, shown: dict[Modality, Shown]) -> Sheet:
    """Structures down (each person's first picture), appearances across (the second one)."""
    structures = [(light, _halves(shown[light])[0]) for light in Modality]
    appearances = [(light, _halves(shown[light])[1]) for light in Modality]
    given = [tile for _, side in appearances for tile in side.pictures.images]
    rows: list[tuple[Tensor | None, ...]] = [(None, *given)]
    for _, side in structures:
        for image in side.pictures.images:
            one = Pictures(image[None].expand(len(side.crops), -1, -1, -1), side.pictures.modality)
            painted = [tile for _, other in appearances for tile in swap(method, one, other.pictures)]
            rows.append((image, *painted))
    half = len(structures[0][1].crops)
    names = tuple(_name(side, row) for _, side in structures for row in range(half))
    alt = (
        f"{2 * half} structures down, {2 * half} appearances across, visible ones first: the first column and the"
        " first row are real pictures, every other cell takes its structure from its row's picture and its appearance"
        " from its column's."
    )
    wide = frozenset({1, 1 + half})
    return Sheet("swaps", alt, ("structure", *names), ("appearance", *names), tuple(rows), wide, wide)


def _between(method: Generative, shown: dict[Modality, Shown]) -> Sheet:
    """One row a structure: the appearance goes in equal steps from that of one person to that of the next."""
    rows: list[tuple[Tensor, ...]] = []
    names: list[str] = []
    for light in Modality:
        first, second = _halves(shown[light])
        structure, _ = method.codes(first.pictures)
        _, appearance = method.codes(second.pictures)
        for row in range(min(2, len(first.crops))):
            a, b = appearance[row], appearance[(row + 1) % len(first.crops)]
            part = torch.linspace(0, 1, _STEPS).view(-1, *[1] * a.dim())
            painted = method.paint(structure[row].expand(_STEPS, *structure[row].shape), a + part * (b - a), light)
            ends = [second.pictures.images[place] for place in (row, (row + 1) % len(first.crops))]
            rows.append((first.pictures.images[row], ends[0], *painted, ends[1]))
            names.append(_name(first, row))
    shares = tuple(f"{100 * step / (_STEPS - 1):.0f} %" for step in range(_STEPS))
    alt = f"{len(rows)} structures, each painted in {_STEPS} steps from one person's appearance to another's."
    columns = ("structure", "from", *shares, "to")
    wide = frozenset({1, 2, 2 + _STEPS})
    return Sheet("interpolation", alt, columns, tuple(names), tuple(rows), wide, frozenset({len(rows) // 2}))


def _structure(method: Generative, shown: dict[Modality, Shown]) -> Sheet | None:
    """Structure codes as maps; None where a structure code is no map."""
    sides = [_halves(shown[light])[0] for light in Modality]
    codes = [method.codes(side.pictures)[0].float() for side in sides]
    if codes[0].dim() != 4:
        return None
    maps = torch.cat(codes)
    images = torch.cat([side.pictures.images for side in sides])
    chosen, channels = liveliest_channels(maps, _CHANNELS)
    strong, principal = strength_maps(maps), principal_maps(maps)
    rows = tuple(
        (images[row], strong[row], principal[row], *(one.expand(3, -1, -1) for one in channels[row]))
        for row in range(len(images))
    )
    columns = ("input", "strength", "principal", *(f"channel\n{number}" for number in chosen))
    names = tuple(_name(side, row) for side in sides for row in range(len(side.crops)))
    count, height, width = maps.shape[1:]
    alt = f"Structure codes of {len(rows)} pictures as maps: {count} channels of {height} x {width} places."
    return Sheet("structure", alt, columns, names, rows, frozenset({1, 3}), frozenset({len(rows) // 2}))


def _edges(method: Generative, shown: dict[Modality, Shown]) -> Sheet:
    """Real pictures, the same painted again, and in another person's appearance: each beside its edges."""
    rows: list[tuple[Tensor, ...]] = []
    names: list[str] = []
    for light in Modality:
        first, second = _halves(shown[light])
        count = len(first.crops)
        others = second.take([(row + 1) % count for row in range(count)])
        stacks = [first.pictures.images, reconstruct(method, first.pictures)]
        stacks.append(swap(method, first.pictures, others.pictures))
        seen = [(stack, edge_pictures(stack)) for stack in stacks]
        rows += [tuple(part[row] for pair in seen for part in pair) for row in range(count)]
        names += [_name(first, row) for row in range(count)]
    columns = ("input", "its\nedges", "painted\nagain", "its\nedges", "another's\nappearance", "its\nedges")
    alt = f"{len(rows)} pictures, painted again, and painted in another person's appearance, each beside its edges."
    return Sheet("edges", alt, columns, tuple(names), tuple(rows), frozenset({2, 4}), frozenset({len(rows) // 2}))


def _name(shown: Shown, row: int) -> str:
    crop = shown.crops[row]
    return f"{crop.person}\n{LIGHT[crop.modality]}"
