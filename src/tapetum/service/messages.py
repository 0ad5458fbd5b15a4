"""What the service and its clients say to each other: every JSON body of the API, and the fields of a search."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tapetum.core import Modality
from tapetum.gallery.store import How

MOST_ANSWERS = 200
MOST_IDS = 200
MOST_PICTURES = 8
_LONGEST_NAME = 200
_LARGEST_ID = 2**63 - 1

CropId = Annotated[int, Field(ge=1, le=_LARGEST_ID)]
Name = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME, pattern=r"^[^\x00-\x1f\x7f]+$")]
Ids = Annotated[list[CropId], Field(max_length=MOST_IDS)]
Among = Literal["rgb", "ir", "all"]


class _Said(BaseModel):
    """What the service answers; a client of an older version passes over names that it does not know."""

    model_config = ConfigDict(frozen=True)


class _Asked(BaseModel):
    """What a client sends as JSON: an unknown name or a value of another type is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Problem(_Said):
    """Why nothing was done: what was given, what was expected, what to do."""

    error: str


class Health(_Said):
    """The service is up."""

    status: Literal["ok"] = "ok"


class CameraCount(_Said):
    """One camera and how many living crops it has."""

    name: str
    site: str | None
    crops: int


class TimeSpan(_Said):
    """The first and the last time of any crop; both null where no crop has a time."""

    first: datetime | None
    last: datetime | None


class Limits(_Said):
    """How much one request may bring: bytes and pixels of a picture, pictures of a search, answers."""

    bytes: int
    pixels: int
    pictures: int
    k: int


class GalleryAnswer(_Said):
    """What the gallery holds. model: the fingerprint of the model that embeds for it."""

    crops: int
    cameras: list[CameraCount]
    sites: list[str]
    modalities: list[Modality]
    time: TimeSpan
    model: str
    dimension: int
    engine: str
    calibrated: bool
    limits: Limits


class SearchFields(BaseModel):
    """The fields of a search beside its pictures.

    modality: of the pictures.   among: whose crops may answer.   since, until: since <= time < until.
    ids: crops of the gallery that ask beside the pictures.   right, wrong: crops that an operator has marked.
    fold_seconds: frames of one track closer in time than this count as one answer.
    """

    model_config = ConfigDict(extra="forbid")

    modality: Modality = Modality.IR
    among: Among = "all"
    cameras: Annotated[list[Name], Field(max_length=MOST_IDS)] = []
    sites: Annotated[list[Name], Field(max_length=MOST_IDS)] = []
    since: datetime | None = None
    until: datetime | None = None
    k: Annotated[int, Field(ge=1, le=MOST_ANSWERS)] = 20
    approximate: bool = False
    fold_seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None
    ids: Ids = []
    right: Ids = []
    wrong: Ids = []

    @field_validator("since", "until")
    @classmethod
    def _local(cls, value: datetime | None) -> datetime | None:
        return _without_zone(value)


class CropFields(BaseModel):
    """What is known about a crop that comes in."""

    model_config = ConfigDict(extra="forbid")

    camera: Name
    modality: Modality
    site: Name | None = None
    time: datetime | None = None

    @field_validator("time")
    @classmethod
    def _local(cls, value: datetime | None) -> datetime | None:
        return _without_zone(value)


def _without_zone(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is not None:
        raise ValueError("it has a time zone, and the times of a gallery have none. Give the cameras' own time")
    return value


class Took(_Said):
    """Milliseconds: the pictures' decoding and embedding (with waiting), and the search."""

    embed_ms: float
    search_ms: float


class FoundCrop(_Said):
    """One answer. score: cosine in [-1, 1].   probability: that a first answer of this score is right; null: unknown.

    thumbnail: where its picture is; null: it came in without one.   folded: crops of its track that stand behind it.
    """

    rank: int
    id: int
    score: float
    probability: float | None
    camera: str
    site: str | None
    time: datetime | None
    modality: Modality
    path: str
    thumbnail: str | None
    folded: list[int]


class SearchAnswer(_Said):
    """A ranked list: who it may be, never who it is.

    search: its name, for a shortlist.   how: whether every admitted crop was compared, or an index was asked.
    first_is_wrong: how often a first answer of such a score is wrong; null: unknown.   meaning: the same in words.
    """

    search: str
    how: How
    took: Took
    hits: list[FoundCrop]
    first_is_wrong: float | None
    meaning: str


class CropAnswer(_Said):
    """What is known about one crop. thumbnail: where its picture is; null: it came in without one."""

    id: int
    path: str
    person: int | None
    camera: str
    site: str | None
    modality: Modality
    time: datetime | None
    thumbnail: str | None


class Added(_Said):
    """A crop came in; duplicate: the same picture had come before, and `id` is its crop's."""

    id: int
    duplicate: bool


class Removed(_Said):
    """How many crops are gone for good. proof: what was looked for afterwards and not found; null for a deletion."""

    removed: int
    proof: dict[str, Any] | None = None


class ForgetAsked(_Asked):
    """Whom to forget: persons by their labels, crops by their ids."""

    persons: Annotated[list[Annotated[int, Field(ge=0, le=_LARGEST_ID)]], Field(max_length=10_000)] = []
    ids: Annotated[list[CropId], Field(max_length=10_000)] = []


class RetainAsked(_Asked):
    """Which crops have been kept long enough. camera: null means every camera; crops without a time stay."""

    older_than_days: Annotated[float, Field(ge=0, le=36_525, allow_inf_nan=False)]
    camera: Name | None = None


class ShortlistAsked(_Asked):
    """Which answers of a search to write down, and why."""

    search: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    ids: Annotated[list[CropId], Field(min_length=1, max_length=MOST_ANSWERS)]
    format: Literal["csv", "html"] = "csv"
    note: Annotated[str, Field(max_length=2_000)] = ""


class AuditAnswer(_Said):
    """Whether the audit log is whole. head: its last entry, to note elsewhere.   problem: where its chain breaks."""

    entries: int
    intact: bool
    head: str | None = None
    problem: str | None = None
