"""From an uploaded file to pixels: limits first, then the headers, then the decoder that training uses."""

from __future__ import annotations

from dataclasses import dataclass

from tapetum.core import Modality
from tapetum.errors import DataError
from tapetum.gallery.pictures import Picture, picture_of
from tapetum.service.messages import MOST_PICTURES
from tapetum.service.picture_files import DamagedFile, UnknownFormat, read_facts
from tapetum.service.refusals import Refused

_MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """bytes: of one file.   pixels: of one picture, before it is decoded."""

    bytes: int = 10 * _MEBIBYTE
    pixels: int = 16_000_000

    @property
    def body(self) -> int:
        """Bytes of a whole request: a search's pictures and its fields."""
        return MOST_PICTURES * self.bytes + _MEBIBYTE


def check_upload(data: bytes, name: str, limits: UploadLimits) -> None:
    """Look at a file's length and headers; nothing is decoded. name: what errors call it, never a client's word.

    Raises Refused: 413 for too many bytes or pixels, 415 for what is no plain JPEG, PNG or WEBP, 422 for damage.
    """
    if len(data) > limits.bytes:
        raise Refused(413, f"{name} has more than {limits.bytes:,} bytes. Cut out the person, or save it smaller.")
    try:
        facts = read_facts(data)
    except UnknownFormat as error:
        raise Refused(415, f"{name} {error}. Save it anew as a plain JPEG, PNG or WEBP.") from error
    except DamagedFile as error:
        raise Refused(422, f"{name} {error}. Send the picture again.") from error
    if facts.width * facts.height > limits.pixels:
        raise Refused(
            413,
            f"{name} has {facts.width} x {facts.height} pixels, and at most {limits.pixels:,} are taken."
            " Cut out the person, or make it smaller.",
        )


def decode_upload(data: bytes, name: str, modality: Modality, size: tuple[int, int], limits: UploadLimits) -> Picture:
    """Check a file and decode it for a model's size = (H, W). Raises Refused as `check_upload`, 422 for damage."""
    check_upload(data, name, limits)
    try:
        return picture_of(data, name, modality, size)
    except DataError as error:
        raise Refused(422, str(error)) from error
