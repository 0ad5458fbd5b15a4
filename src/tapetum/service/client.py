"""A small Python client of the service.

    with ServiceClient("http://127.0.0.1:8000", key="...") as service:
        answer = service.search([Path("night.jpg")], SearchFields(modality="ir", among="rgb", cameras=["gate"]))
        for hit in answer.hits:
            print(hit.rank, hit.id, hit.camera, hit.score)

It raises GalleryError with the service's own sentence where the service refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from tapetum.errors import DataError, GalleryError
from tapetum.service.messages import (
    Added,
    AuditAnswer,
    CropAnswer,
    CropFields,
    ForgetAsked,
    GalleryAnswer,
    Health,
    Removed,
    RetainAsked,
    SearchAnswer,
    SearchFields,
    ShortlistAsked,
)

_PATIENCE = httpx.Timeout(60, connect=5)
A = TypeVar("A", bound=BaseModel)


class ServiceClient:
    """Talks to one service; close it, or use it as a context.

    address: such as "http://127.0.0.1:8000".   key: the API key, where the service has keys.
    Every call raises GalleryError when the service cannot be reached or refuses.
    """

    def __init__(self, address: str, key: str | None = None) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        try:
            self._http = httpx.Client(base_url=address, headers=headers, timeout=_PATIENCE, trust_env=False)
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise GalleryError(
                f"{address} with this key cannot be asked ({error}). Give an address such as http://127.0.0.1:8000,"
                " and the key as `tapetum key add` printed it."
            ) from error
        self._address = address

    def health(self) -> Health:
        """Whether the service is up."""
        return self._ask(Health, "GET", "/api/health")

    def gallery(self) -> GalleryAnswer:
        """What the gallery holds."""
        return self._ask(GalleryAnswer, "GET", "/api/gallery")

    def search(self, pictures: Sequence[Path] = (), fields: SearchFields | None = None) -> SearchAnswer:
        """Rank the gallery for one person's pictures, for crops of the gallery (`fields.ids`), or for both.

        Raises DataError for a picture that cannot be read.
        """
        data = (fields or SearchFields()).model_dump(mode="json", exclude_none=True)
        return self._upload(SearchAnswer, "/api/search", pictures, data)

    def add(self, picture: Path, fields: CropFields) -> Added:
        """Take a picture into the gallery. Raises DataError when it cannot be read."""
        return self._upload(Added, "/api/crops", [picture], fields.model_dump(mode="json", exclude_none=True))

    def crop(self, number: int) -> CropAnswer:
        """What is known about one crop."""
        return self._ask(CropAnswer, "GET", f"/api/crops/{number}")

    def thumbnail(self, number: int) -> bytes:
        """The small JPEG of one crop."""
        return self._send("GET", f"/api/crops/{number}/thumbnail").content

    def delete(self, number: int) -> Removed:
        """Remove one crop."""
        return self._ask(Removed, "DELETE", f"/api/crops/{number}")

    def forget(self, persons: Sequence[int] = (), ids: Sequence[int] = ()) -> Removed:
        """Remove every trace of persons and crops from the gallery's files, with a proof."""
        body = ForgetAsked(persons=list(persons), ids=list(ids))
        return self._ask(Removed, "POST", "/api/forget", json=body.model_dump())

    def retain(self, older_than_days: float, camera: str | None = None) -> Removed:
        """Remove the crops of a camera (None: of all) that are older than this."""
        body = RetainAsked(older_than_days=older_than_days, camera=camera)
        return self._ask(Removed, "POST", "/api/retain", json=body.model_dump())

    def shortlist(self, asked: ShortlistAsked) -> bytes:
        """Some answers of a search as a CSV or HTML file with provenance."""
        return self._send("POST", "/api/shortlist", json=asked.model_dump()).content

    def verify_audit(self) -> AuditAnswer:
        """Whether the audit log is whole."""
        return self._ask(AuditAnswer, "GET", "/api/audit/verify")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _upload(self, kind: type[A], path: str, pictures: Sequence[Path], data: dict[str, Any]) -> A:
        with ExitStack() as opened:
            try:
                files: list[tuple[str, Any]] = [
                    ("picture", (f"picture{place}", opened.enter_context(picture.open("rb"))))
                    for place, picture in enumerate(pictures, 1)
                ]
            except OSError as error:
                raise DataError(f"{error.filename} cannot be read: {error.strerror}. Give another picture.") from error
            for name, value in data.items():  # fields as parts, so that a search without a picture is multipart too
                values = value if isinstance(value, list) else [value]
                files.extend((name, (None, _as_text(one))) for one in values)
            return self._ask(kind, "POST", path, files=files)

    def _ask(self, kind: type[A], method: str, path: str, **content: Any) -> A:
        response = self._send(method, path, **content)
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise GalleryError(
                f"{self._address} answers as no Tapetum service does. Ask another address, or update Tapetum."
            ) from error

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **content)
        except httpx.HTTPError as error:
            raise GalleryError(
                f"no service answers at {self._address} ({error}). Start one with `tapetum serve`."
            ) from error
        if response.is_success:
            return response
        try:
            sentence = str(response.json()["error"])
        except (ValueError, KeyError, TypeError):
            sentence = f"{self._address} answers {response.status_code}, as no Tapetum service does."
        raise GalleryError(sentence)


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
