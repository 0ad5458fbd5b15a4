"""What a gallery holds, counted: crops by camera and place, kinds of light, first and last time."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import numpy as np

from tapetum.core import Modality
from tapetum.gallery.segments import Segments
from tapetum.service.messages import CameraCount, TimeSpan


def count_gallery(segments: Segments) -> dict[str, Any]:
    """crops, cameras, sites, modalities and time of a GalleryAnswer, of the living rows."""
    cameras: Counter[tuple[str, str | None]] = Counter()
    modalities: set[str] = set()
    times: list[np.datetime64] = []
    for segment in segments.view:
        places = len(segment.sites.names) + 1  # code -1: no site
        pairs = segment.cameras.codes[segment.live].astype(np.int64) * places + segment.sites.codes[segment.live] + 1
        for pair, count in zip(*np.unique(pairs, return_counts=True), strict=True):
            camera, site = divmod(int(pair), places)
            cameras[segment.cameras.names[camera], segment.sites.names[site - 1] if site else None] += int(count)
        modalities |= {segment.modalities.names[code] for code in np.unique(segment.modalities.codes[segment.live])}
        known = segment.times[segment.live & ~np.isnat(segment.times)]
        times += [known.min(), known.max()] if len(known) else []
    ordered = sorted(cameras.items(), key=lambda item: (item[0][0], item[0][1] or ""))
    return {
        "crops": cameras.total(),
        "cameras": [CameraCount(name=name, site=site, crops=count) for (name, site), count in ordered],
        "sites": sorted({site for _, site in cameras if site is not None}),
        "modalities": [modality for modality in Modality if modality.value in modalities],
        "time": TimeSpan(first=_moment(min(times)), last=_moment(max(times))) if times else _NEVER,
    }


_NEVER = TimeSpan(first=None, last=None)


def _moment(time: np.datetime64) -> datetime:
    moment: datetime = time.astype("datetime64[us]").item()
    return moment
