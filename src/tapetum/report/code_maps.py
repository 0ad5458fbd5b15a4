"""Structure codes and edges as pictures: maps of numbers become tiles of grey or colour."""

from __future__ import annotations

import torch
from torch import Tensor

from tapetum.nets.edges import EdgeFront

_DARKEST, _LIGHTEST = 0.02, 0.98  # quantiles that become 0 and 1


def edge_pictures(images: Tensor) -> Tensor:
    """Edges as dark lines on white: (N, 3, H, W) in [0, 1] -> (N, 3, H, W)."""
    strength: Tensor = EdgeFront()(images).square().sum(dim=1, keepdim=True).sqrt()  # (N, 1, H, W)
    return (1 - strength / 3).clamp(0, 1).expand(-1, 3, -1, -1)


def edge_likeness(first: Tensor, second: Tensor) -> Tensor:
    """Cosine of the edge maps of two stacks of pictures, (N, 3, H, W) each, less their stack's mean map: (N,).

    About 0 for pictures that share no more than what all pictures share, 1 for the same edges.
    """
    maps = [EdgeFront()(images) for images in (first, second)]
    flat = [(found - found.mean(dim=0, keepdim=True)).flatten(1) for found in maps]
    return torch.cosine_similarity(*flat)


def strength_maps(codes: Tensor) -> Tensor:
    """How far each place's code lies from the mean code: (N, C, h, w) -> (N, 3, h, w) in [0, 1], grey."""
    away = _centred(codes).square().sum(dim=1, keepdim=True).sqrt()
    return _stretched(away).expand(-1, 3, -1, -1)


def principal_maps(codes: Tensor) -> Tensor:
    """The three directions in which the codes differ most as red, green and blue: (N, C, h, w) -> (N, 3, h, w).

    A direction's sign is free: its largest entry counts as positive. Fewer than three channels leave the rest grey.
    """
    centred = _centred(codes).double()
    values = centred.permute(1, 0, 2, 3).flatten(1)  # (C, N h w)
    _, vectors = torch.linalg.eigh(values @ values.T)
    chosen = vectors.flip(1)[:, :3]  # (C, 3), the largest first
    signs = chosen.gather(0, chosen.abs().argmax(dim=0, keepdim=True)).sign()
    maps = _stretched(torch.einsum("nchw,cd->ndhw", centred, chosen * signs).float())
    grey = maps.new_full((len(maps), 3 - maps.shape[1], *maps.shape[2:]), 0.5)
    return torch.cat([maps, grey], dim=1)


def liveliest_channels(codes: Tensor, count: int) -> tuple[list[int], Tensor]:
    """The channels that change most between places and pictures: their numbers, and (N, count, 1, h, w) in [0, 1]."""
    change = codes.var(dim=(0, 2, 3))
    chosen = change.argsort(descending=True, stable=True)[:count].tolist()
    return chosen, _stretched(codes[:, chosen])[:, :, None]


def _centred(codes: Tensor) -> Tensor:
    return codes - codes.mean(dim=(0, 2, 3), keepdim=True)


def _stretched(maps: Tensor) -> Tensor:
    """Each channel (of all rows together) stretched to [0, 1] between two quantiles; a flat one becomes 1/2."""
    values = maps.transpose(0, 1).flatten(1).sort(dim=1).values  # (C, N h w)
    places = [round(share * (values.shape[1] - 1)) for share in (_DARKEST, _LIGHTEST)]
    low, high = (values[:, place].view(1, -1, 1, 1) for place in places)
    return torch.where(high > low, (maps - low) / (high - low).clamp(min=1e-12), 0.5).clamp(0, 1)
