"""How the service says no: a status and one sentence, always as {"error": sentence}."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tapetum.errors import GalleryError, InputError, OutputError, TapetumError
from tapetum.service.messages import Problem

_LONGEST_ECHO = 80
_MEANINGS = {
    400: "The request cannot be read, or its body is not what its headers say.",
    401: "No key, or a wrong one.",
    403: "The key's role does not cover this, or the request comes from a page of another origin.",
    404: "There is no such thing in the gallery.",
    413: "The body, a picture or its number of pixels is too large.",
    415: "It is no JPEG, PNG or WEBP.",
    422: "A field's value is impossible, or a picture is damaged.",
    500: "The service failed inside; its log says where.",
    503: "The line of waiting requests is full, or nothing can be written; ask again after Retry-After seconds.",
}
_EVERYWHERE = (400, 403, 413, 500, 503)
_PLAIN_WORDS = {
    400: "the body cannot be read as what its headers say. Send it as the description at /api/openapi.json tells.",
    404: "there is nothing at this address. The addresses are in /api/openapi.json.",
    405: "this address does not take this method. The methods are in /api/openapi.json.",
}


class Refused(Exception):  # noqa: N818 (the service works as it should)
    """An answer that is a refusal. retry_after: seconds after which the same request may be taken."""

    def __init__(self, status: int, sentence: str, *, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after = retry_after


def busy(sentence: str) -> Refused:
    """The refusal of a service that has enough to do."""
    return Refused(503, sentence, retry_after=1)


def no_such_crop(number: int) -> Refused:
    """The refusal of an id that does not live."""
    return Refused(404, f"no crop of the gallery has the id {number}. Search again: it may be deleted.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for its OpenAPI description: these, and those that every route has."""
    return {
        status: {"model": Problem, "description": _MEANINGS[status]} for status in sorted({*statuses, *_EVERYWHERE})
    }


def problem_response(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A refusal as it goes out."""
    return JSONResponse({"error": sentence}, status, headers=dict(headers or {}))


def say_problems(app: FastAPI) -> None:
    """Have every error of an application answered as {"error": sentence}."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(TapetumError, _raised_on_purpose)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(OSError, _cannot_write)
    app.add_exception_handler(Exception, _failed)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    status, retry = (error.status, error.retry_after) if isinstance(error, Refused) else (500, None)
    headers = {} if retry is None else {"Retry-After": str(retry)}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem_response(status, str(error), headers)


async def _raised_on_purpose(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, OutputError):
        return await _cannot_write(request, error)
    asked_wrongly = isinstance(error, InputError) and not isinstance(error, GalleryError)
    return problem_response(422 if asked_wrongly else 500, str(error))


async def _cannot_write(_: Request, error: Exception) -> JSONResponse:
    return problem_response(503, f"nothing can be written: {error}", {"Retry-After": "60"})


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    if first.get("type") == "json_invalid":
        return problem_response(400, _PLAIN_WORDS[400])
    place = ".".join(str(part) for part in first.get("loc", ())[1:]) or "the request's body"
    message = str(first.get("msg", "it is impossible")).removeprefix("Value error, ")
    given = first.get("input")
    echo = "" if given is None or isinstance(given, (dict, list, bytes)) else f" (given {_short(given)})"
    return problem_response(422, f"{place}: {message}{echo}.")


async def _of_the_framework(request: Request, error: Exception) -> JSONResponse:
    status, detail = (error.status_code, str(error.detail)) if isinstance(error, HTTPException) else (500, "")
    headers = dict(getattr(error, "headers", None) or {})
    if status == 405:
        headers["Allow"] = _methods(request) or headers.get("Allow", "GET")
    return problem_response(status, _PLAIN_WORDS.get(status, detail), headers)


def _methods(request: Request) -> str:
    """Every method that the description has for this path; the framework names those of one route."""
    for path, described in request.app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), request.url.path):
            return ", ".join(sorted(method.upper() for method in described))
    return ""


async def _failed(_: Request, __: Exception) -> JSONResponse:
    return problem_response(500, "the service failed inside. Its log says where; tell whoever runs it.")


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}..."
