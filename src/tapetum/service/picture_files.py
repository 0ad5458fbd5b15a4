"""What a picture file says of itself before it is decoded: its format, its size, and where it ends.

JPEG, PNG and WEBP are known by their bytes; names and declared types are not looked at. A file must end where its
picture ends: what follows would be read by other programs as something else (a page, an archive).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

_ENTROPY_END = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})
_SCAN_MARKER, _END_MARKER = 0xDA, 0xD9
_MOST_SCANS = 100
"""A progressive JPEG of ten kilobytes can ask for thousands of passes over all of its pixels."""
_PNG_START = b"\x89PNG\r\n\x1a\n"
_MOVES = 0x02


class UnknownFormat(ValueError):  # noqa: N818
    """The bytes are no picture of a known format; the text says why, to go on from "it"."""


class DamagedFile(ValueError):  # noqa: N818
    """The bytes begin as a picture and do not go on as one; the text says where, to go on from "it"."""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """width, height: in pixels, as the header says.   end: where the picture's last byte stands, plus one."""

    format: str
    width: int
    height: int
    end: int


def read_facts(data: bytes) -> PictureFacts:
    """Read a file's headers without decoding a pixel; time grows with the file's bytes alone.

    Raises UnknownFormat, and DamagedFile for a file that is empty, cut off or followed by something else.
    """
    if not data:
        raise DamagedFile("is empty (0 bytes)")
    for start, read in _READERS:
        if data.startswith(start):
            try:
                facts = read(data)
            except (IndexError, struct.error) as error:
                raise DamagedFile("is cut off") from error
            if data[facts.end :].strip(b"\x00\xff"):
                raise UnknownFormat(f"has {len(data) - facts.end} bytes of something else behind the picture")
            if facts.width < 1 or facts.height < 1:
                raise DamagedFile(f"says that it has {facts.width} x {facts.height} pixels")
            return facts
    raise UnknownFormat("is no JPEG, PNG or WEBP")


def _jpeg(data: bytes) -> PictureFacts:
    at, scans, width, height = 2, 0, 0, 0
    while True:
        if data[at] != 0xFF:
            raise DamagedFile(f"has no JPEG marker at byte {at}")
        while data[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker = data[at + 1]
        at += 2
        if marker == _END_MARKER:
            return PictureFacts("JPEG", width, height, at)
        if marker in _ALONE_MARKERS:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if marker in _FRAME_MARKERS:
            rows, columns = struct.unpack_from(">HH", data, at + 3)
            width, height = max(width, columns), max(height, rows)
        at += max(length, 2)
        if marker == _SCAN_MARKER:
            scans += 1
            if scans > _MOST_SCANS:
                raise DamagedFile(f"asks for more than {_MOST_SCANS} passes over its pixels")
            found = _ENTROPY_END.search(data, at)
            if found is None:
                raise DamagedFile("is cut off")
            at = found.start(1) - 1


def _png(data: bytes) -> PictureFacts:
    if data[12:16] != b"IHDR":
        raise DamagedFile("has no PNG header")
    width, height = struct.unpack_from(">II", data, 16)
    at = len(_PNG_START)
    while True:
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        at += 12 + length
        if at > len(data):
            raise DamagedFile("is cut off")
        if kind == b"IEND":
            return PictureFacts("PNG", width, height, at)


def _webp(data: bytes) -> PictureFacts:
    kind = data[12:16]
    if data[8:12] != b"WEBP":
        raise UnknownFormat("is no JPEG, PNG or WEBP")
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 > len(data):
        raise DamagedFile("is cut off")
    if kind == b"VP8 ":
        width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", data, 26))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8X":
        if data[20] & _MOVES:
            raise UnknownFormat("is a WEBP that moves, and one picture is asked for")
        width, height = (int.from_bytes(data[place : place + 3], "little") + 1 for place in (24, 27))
    else:
        raise DamagedFile("has no WEBP header")
    return PictureFacts("WEBP", width, height, length + 8)


_READERS: tuple[tuple[bytes, Callable[[bytes], PictureFacts]], ...] = (
    (b"\xff\xd8\xff", _jpeg),
    (_PNG_START, _png),
    (b"RIFF", _webp),
)
