"""One thread that embeds for everybody: requests that wait together are embedded together.

While a batch is in the model, newcomers line up; the next batch takes as many of them as fit. A lone request does not
wait for company, and a crowd shares the model's passes. The line is bounded: beyond it a request is refused at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from tapetum.core import Modality, VectorArray
from tapetum.data.decoding import Pixels
from tapetum.service.refusals import busy

Embed = Callable[[Pixels, Modality], VectorArray]


@dataclass(frozen=True)
class _Waiting:
    """The pictures (n, 3, H, W) of one request, and where their vectors are awaited."""

    pixels: Pixels
    modality: Modality
    vectors: Future[VectorArray] = field(default_factory=Future)


class BatchEmbedder:
    """embed: (B, 3, H, W) uint8 -> (B, D).   batch: pictures at once.   waiting: pictures in line at most."""

    def __init__(self, embed: Embed, *, batch: int = 16, waiting: int = 64) -> None:
        self._embed, self._batch, self._most = embed, batch, waiting
        self._line: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._work, name="embedder", daemon=True)
        self._thread.start()

    def submit(self, pixels: Pixels, modality: Modality) -> Future[VectorArray]:
        """Line up pictures (n, 3, H, W) for their vectors (n, D). Raises Refused (503) when the line is full."""
        asked = _Waiting(pixels, modality)
        with self._changed:
            if not self._open:
                raise busy("the service is stopping. Ask again when it is back.")
            if sum(len(other.pixels) for other in self._line) + len(pixels) > self._most:
                raise busy(f"{self._most} pictures wait to be embedded. Ask again in a second.")
            self._line.append(asked)
            self._changed.notify()
        return asked.vectors

    def close(self) -> None:
        """Finish the batch at hand, refuse what waits, end the thread."""
        with self._changed:
            self._open = False
            left, self._line = self._line, deque()
            self._changed.notify()
        for asked in left:
            if asked.vectors.set_running_or_notify_cancel():
                asked.vectors.set_exception(busy("the service is stopping. Ask again when it is back."))
        self._thread.join()

    def _work(self) -> None:
        while together := self._next():
            try:
                vectors = self._embed(np.concatenate([one.pixels for one in together]), together[0].modality)
            except Exception as error:  # whatever it is, those who wait must hear of it and the others go on
                for one in together:
                    one.vectors.set_exception(error)
                continue
            places = np.cumsum([len(one.pixels) for one in together])[:-1]
            for one, part in zip(together, np.split(vectors, places), strict=True):
                one.vectors.set_result(part)

    def _next(self) -> list[_Waiting]:
        """The next batch: the first in line, and those of its modality that fit beside it; empty when all is over."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._line or not self._open)
                if not self._line:
                    return []
                together: list[_Waiting] = []
                left: deque[_Waiting] = deque()
                room = self._batch
                for asked in self._line:
                    fits = not together or (asked.modality is together[0].modality and len(asked.pixels) <= room)
                    if not fits:
                        left.append(asked)
                    elif asked.vectors.set_running_or_notify_cancel():  # whoever has gone away is passed over
                        together.append(asked)
                        room -= len(asked.pixels)
                self._line = left
                if together:
                    return together
