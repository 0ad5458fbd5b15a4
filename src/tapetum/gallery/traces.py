"""Looking for bytes in files: the proof that what was removed from a gallery is in none of its files any more.

Each sought text of bytes is known by a window of 8 of its bytes and by the hash of the whole. Every offset of every
file is compared with the windows; where one stands, the bytes around it are hashed and compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_WINDOW = 8
_WINDOWS = 64
_BLOCK = 2**22
_Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Scan:
    """What was looked through. size: bytes of all files; found: path of a file -> hashes of texts that it holds."""

    files: int
    size: int
    found: dict[str, frozenset[bytes]]

    @property
    def hashes(self) -> frozenset[bytes]:
        """Every sought text that some file holds."""
        return frozenset().union(*self.found.values())


@dataclass
class Traces:
    """Texts of bytes to look for; those shorter than 8 bytes would be met by chance and are passed over."""

    _shapes: dict[int, set[tuple[int, int]]] = field(default_factory=dict)  # window -> (its place, the text's length)
    hashes: set[bytes] = field(default_factory=set)

    def add(self, texts: Iterable[bytes]) -> None:
        """Look for these as well."""
        for text in texts:
            if len(text) >= _WINDOW:
                place = _telling_window(text)
                window = int.from_bytes(text[place : place + _WINDOW], "little")
                self._shapes.setdefault(window, set()).add((place, len(text)))
                self.hashes.add(hash_of(text))

    def drop(self, hashes: Iterable[bytes]) -> None:
        """Look for these no more."""
        self.hashes.difference_update(hashes)

    def __len__(self) -> int:
        return len(self.hashes)

    def scan(self, folder: Path) -> Scan:
        """Look through every file below a folder."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        found, size = dict[str, frozenset[bytes]](), 0
        for path in files:
            data: _Bytes = (
                np.fromfile(path, np.uint8) if path.stat().st_size < _BLOCK else np.memmap(path, np.uint8, "r")
            )
            size += len(data)
            here = frozenset(self._in(data))
            if here:
                found[str(path.relative_to(folder))] = here
        return Scan(len(files), size, found)

    def within(self, text: bytes) -> frozenset[bytes]:
        """The hashes of those that stand somewhere in a text."""
        return frozenset(self._in(np.frombuffer(text, np.uint8)))

    def _in(self, data: _Bytes) -> Iterator[bytes]:
        windows = np.array(sorted(self._shapes), dtype=np.uint64)
        if len(windows) == 0:
            return
        first, second = (np.zeros(2**16, dtype=np.bool_) for _ in range(2))
        first[(windows & np.uint64(0xFFFF)).astype(np.int64)] = True
        second[(windows >> np.uint64(16) & np.uint64(0xFFFF)).astype(np.int64)] = True
        for start in range(0, len(data) - _WINDOW + 1, _BLOCK):
            block = np.asarray(data[start : start + _BLOCK + _WINDOW - 1])
            for offset in _meetings(block, windows, first, second):
                at = start + offset
                window = int.from_bytes(data[at : at + _WINDOW].tobytes(), "little")
                for place, length in self._shapes[window]:
                    text = data[max(at - place, 0) : at - place + length].tobytes()
                    if hash_of(text) in self.hashes:
                        yield hash_of(text)


def hash_of(text: bytes) -> bytes:
    """BLAKE2b-128."""
    return hashlib.blake2b(text, digest_size=16).digest()


def _telling_window(text: bytes) -> int:
    """The place of the window, of some evenly spaced ones, with the most different bytes; the last of equal ones."""
    last = len(text) - _WINDOW
    places = sorted({last * number // _WINDOWS for number in range(_WINDOWS + 1)})
    return max(places, key=lambda place: (len(set(text[place : place + _WINDOW])), place))


def _meetings(
    block: _Bytes, windows: NDArray[np.uint64], first: NDArray[np.bool_], second: NDArray[np.bool_]
) -> list[int]:
    """Offsets in a block at which one of the windows stands, ascending."""
    met = []
    for shift in (0, 1):
        words = block[shift : shift + (len(block) - shift) // 2 * 2].view("<u2")
        near = np.flatnonzero(first.take(words[:-1]))
        near = 2 * near[second[words[near + 1]]] + shift
        near = near[near + _WINDOW <= len(block)]
        values = block[near[:, None] + np.arange(_WINDOW)].copy().view("<u8")[:, 0]
        at = np.minimum(np.searchsorted(windows, values), len(windows) - 1)
        met.append(near[windows[at] == values])
    return sorted(np.concatenate(met).tolist())
