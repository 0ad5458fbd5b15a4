"""Files that attack: each is refused with its status within its limit, before anything is decoded where that can be."""

from __future__ import annotations

import struct
import time
import zlib
from io import BytesIO

import numpy as np
import pytest
from api_calls import search
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tapetum.service.picture_files import DamagedFile, UnknownFormat, read_facts
from tapetum.service.uploads import UploadLimits

RNG = np.random.default_rng(0)
NOISE = Image.fromarray(RNG.integers(0, 255, (48, 24, 3), np.uint8))


def saved(image: Image.Image, kind: str, **settings) -> bytes:
    written = BytesIO()
    image.save(written, kind, **settings)
    return written.getvalue()


PLAIN = {
    "jpeg": saved(NOISE, "JPEG"),
    "jpeg progressive": saved(NOISE, "JPEG", progressive=True),
    "jpeg restarts": saved(NOISE, "JPEG", restart_marker_blocks=1),
    "jpeg grey": saved(NOISE.convert("L"), "JPEG"),
    "png": saved(NOISE, "PNG"),
    "png palette": saved(NOISE.convert("P"), "PNG"),
    "webp lossy": saved(NOISE, "WEBP"),
    "webp lossless": saved(NOISE, "WEBP", lossless=True),
    "webp alpha": saved(NOISE.convert("RGBA").rotate(5), "WEBP"),
    "webp exif": saved(NOISE, "WEBP", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00"),
}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int) -> bytes:
    """A PNG whose pixels are all zero: a megabyte of a kilobyte."""
    pixels = zlib.compress(b"\x00" * min((width + 1) * height, 50_000_000), 9)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def many_scans(passes: int) -> bytes:
    """A progressive JPEG whose last scan is there again and again."""
    data = PLAIN["jpeg progressive"]
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * passes + b"\xff\xd9"


@pytest.mark.parametrize("name", PLAIN)
def test_plain_pictures_are_taken(client, name):
    facts = read_facts(PLAIN[name])
    assert (facts.format.lower(), facts.width, facts.height) == (name.split()[0], 24, 48)
    assert facts.end == len(PLAIN[name])
    assert search(client, [("picture", PLAIN[name])], k=1).status_code == 200


@pytest.mark.parametrize("name", PLAIN)
def test_a_file_that_is_cut_off_is_refused(client, name):
    data = PLAIN[name]
    for end in {1, 4, 11, 13, 20, 29, len(data) // 2, len(data) - 12, len(data) - 1}:
        answer = search(client, [("picture", data[:end])])
        assert answer.status_code in (415, 422)
        assert answer.json()["error"].startswith("picture 1 ")


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(
    "behind", [b"<script>alert(1)</script>", b"PK\x03\x04" + bytes(30), PLAIN["png"], b"GIF89a"], ids=repr
)
def test_a_picture_with_something_behind_it_is_refused(client, name, behind):
    answer = search(client, [("picture", PLAIN[name] + behind)])
    assert answer.status_code == 415
    assert f"has {len(behind)} bytes of something else behind the picture" in answer.json()["error"]
    assert search(client, [("picture", PLAIN[name] + b"\x00" * 32)], k=1).status_code == 200  # padding of a recorder


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", 422, "is empty (0 bytes)"),
        (b"MZ\x90\x00", 415, "is no JPEG, PNG or WEBP"),
        (saved(NOISE, "GIF"), 415, "is no JPEG, PNG or WEBP"),
        (saved(NOISE, "TIFF"), 415, "is no JPEG, PNG or WEBP"),
        (saved(NOISE, "BMP"), 415, "is no JPEG, PNG or WEBP"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415, "is no JPEG, PNG or WEBP"),
        (b"%PDF-1.4\n" + PLAIN["jpeg"], 415, "is no JPEG, PNG or WEBP"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(24), 415, "is no JPEG, PNG or WEBP"),
        (saved(NOISE, "WEBP", save_all=True, append_images=[NOISE.rotate(90)]), 415, "is a WEBP that moves"),
        (png_of(60_000, 60_000), 413, "has 60000 x 60000 pixels, and at most 16,000,000 are taken"),
        (png_of(4_001, 4_000), 413, "has 4001 x 4000 pixels"),
        (png_of(0, 10), 422, "says that it has 0 x 10 pixels"),
        (many_scans(200), 422, "asks for more than 100 passes"),
        (PLAIN["png"][:40] + b"\x00" * 20 + PLAIN["png"][60:], 422, "picture 1 is not a picture"),
        (PLAIN["jpeg"][:200] + b"\x01" + PLAIN["jpeg"][202:], 422, "picture 1 "),
        (b"\x00" * (10 * 2**20 + 1), 413, "has more than 10,485,760 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_plain_picture_is_refused(client, data, status, words):
    began = time.monotonic()
    answer = search(client, [("picture", ("night.jpg", data, "image/jpeg"))])
    assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text
    assert time.monotonic() - began < 5
    assert client.get("/api/health").status_code == 200


def test_a_webp_bomb_is_refused_by_its_header(client):
    wide = (16_383).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x00" * 4 + wide + wide
    answer = search(client, [("picture", b"RIFF" + struct.pack("<I", len(body)) + body)])
    assert answer.status_code == 413
    assert "16384 x 16384 pixels" in answer.json()["error"]


def test_nine_pictures_and_other_forms_are_refused(client):
    one = ("picture", PLAIN["jpeg"])
    assert search(client, [one] * 8, k=1).status_code == 200
    nine = search(client, [one] * 9)
    assert nine.status_code == 422
    assert "picture: List should have at most 8 items" in nine.json()["error"]
    assert client.post("/api/search", files=[("picture", (None, "text"))]).status_code == 422
    assert client.post("/api/search", json={"ids": [1]}).status_code == 422
    for flood in ([one] * 17, [("ids", (None, "1"))] * 1101, [("k", (None, "1" * 5000))]):
        answer = client.post("/api/search", files=flood)
        assert (answer.status_code, list(answer.json())) == (400, ["error"])
    broken = {"content-type": "multipart/form-data"}
    assert client.post("/api/search", content=b"--x", headers=broken).status_code == 400


def test_a_body_is_not_read_beyond_its_limit(serving):
    client = serving(limits=UploadLimits(bytes=1000))
    long = client.app.state.service.settings.limits.body + 1
    sent = [0]

    def endless():
        while True:
            sent[0] += 2**16
            yield bytes(2**16)

    known = client.post("/api/search", content=b"", headers={"content-length": str(10**12)})
    assert known.status_code == 413
    assert f"the body is longer than {long - 1:,} bytes" in known.json()["error"]
    one = search(client, [("picture", PLAIN["png"][:1001])])
    assert one.status_code == 413
    unknown = client.post(
        "/api/search", content=b"x" * long, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert unknown.status_code == 413


@given(st.sampled_from(sorted(PLAIN)), st.data())
def test_whatever_bytes_come_the_headers_are_read_or_refused(name, data):
    bytes_ = bytearray(PLAIN[name])
    for _ in range(data.draw(st.integers(1, 8))):
        bytes_[data.draw(st.integers(0, len(bytes_) - 1))] = data.draw(st.integers(0, 255))
    try:
        facts = read_facts(bytes(bytes_[: data.draw(st.integers(0, len(bytes_)))]))
    except (UnknownFormat, DamagedFile):
        return
    assert 0 < facts.end <= len(bytes_)
    assert facts.width > 0 < facts.height
