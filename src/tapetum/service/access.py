"""Who may ask for what: keys with roles, names that the service answers to, and pages that may ask it.

Without any key the service answers the machine that it runs on, as an admin; keys once given out close it to everybody
else. A page of another origin is refused whatever it holds, and so is a name that the service is not known by, so that
no site can reach a service on loopback through its visitors' browsers (DNS rebinding). A literal address is always
good: a name is what an attacker would rebind.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from tapetum.errors import RecipeError
from tapetum.gallery.audit import AuditLog
from tapetum.gallery.keys import KeyRing, Role
from tapetum.service.refusals import Refused

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_MOST_KINDS = 1_024
_WINDOW = 60.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as the audit log names them."""

    name: str
    role: Role


_LOCAL = Caller("local", "admin")


class Access:
    """host: where the service listens.   names: host names beyond loopback's that it is reached by.

    Raises RecipeError where it would answer others than this machine without a key.
    """

    def __init__(self, keys: KeyRing, host: str = "127.0.0.1", names: tuple[str, ...] = ()) -> None:
        self._keys, self._names = keys, frozenset({"localhost", *(name.lower() for name in names)})
        self._open = is_loopback(host) and not names
        if keys.empty and not self._open:
            reached = f"on {host}" if not is_loopback(host) else f"as {names[0]}"
            raise RecipeError(
                f"a service {reached} is reached by others, and this gallery has no keys. Give out a key first:"
                " `tapetum key add GALLERY NAME --role admin`."
            )

    def caller(self, authorization: str | None, needed: Role) -> Caller:
        """Who sends this header. Raises Refused: 401 without a valid key, 403 for one whose role does not cover it."""
        if self._keys.empty and self._open:
            return _LOCAL
        kind, _, key = (authorization or "").partition(" ")
        found = self._keys.find(key.strip()) if kind.lower() == "bearer" else None
        if found is None:
            given = "a wrong key" if authorization else "no key"
            raise Refused(401, f"{given} was given. Send the header `Authorization: Bearer KEY` with a valid key.")
        if not found.may(needed):
            raise Refused(403, f"the key '{found.name}' may {found.role}, and this needs {needed}. Use another key.")
        return Caller(found.name, found.role)

    def check_origin(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Raises Refused (403) for a strange host name and for a page of another origin; a link to the page is good."""
        host = headers.get("host", "")
        if not self._known(host):
            raise Refused(403, f"this service is not called {host[:100]!a}. Name it with `tapetum serve --name`.")
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
        elsewhere = headers.get("sec-fetch-site") == "cross-site" and path.startswith("/api/")
        if elsewhere or (foreign and method not in _SAFE_METHODS):
            raise Refused(403, "a page of another origin asks. Open the service's own page.")

    def _known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or _address(name) is not None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


class RefusalLog:
    """Refusals in the audit log. The first of a kind is written at once; what follows within a minute is counted.

    Without that, whoever is refused could fill the disk. A count is written with the next of its kind, when other kinds
    push it out, and at `close`.
    """

    def __init__(self, audit: AuditLog, clock: Callable[[], float] = time.monotonic) -> None:
        self._audit, self._clock = audit, clock
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str, str], tuple[float, int]] = {}

    def note(self, action: str, sentence: str, address: str) -> None:
        """Write or count one refusal. action: what was asked for.   address: of the client."""
        kind = (action, sentence, address)
        with self._lock:
            since, uncounted = self._seen.get(kind, (float("-inf"), 0))
            if self._clock() - since < _WINDOW:
                self._seen[kind] = (since, uncounted + 1)
                return
            self._seen.pop(kind, None)
            if len(self._seen) >= _MOST_KINDS:
                self._flush(next(iter(self._seen)))
            self._write(kind, uncounted + 1)
            self._seen[kind] = (self._clock(), 0)

    def close(self) -> None:
        """Write what was counted."""
        with self._lock:
            for kind in list(self._seen):
                self._flush(kind)

    def _flush(self, kind: tuple[str, str, str]) -> None:
        _, uncounted = self._seen.pop(kind)
        if uncounted:
            self._write(kind, uncounted)

    def _write(self, kind: tuple[str, str, str], times: int) -> None:
        action, sentence, address = kind
        self._audit.append("refused", asked=action, reason=sentence, address=address, times=times)


def guarded(role: Role) -> type[APIRoute]:
    """A kind of route that looks at the key before a byte of the body is read."""

    class Guarded(APIRoute):
        """Answers callers of one role."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """The route's answer, behind the check."""
            answer = super().get_route_handler()

            async def admitted(request: Request) -> Response:
                service = request.app.state.service
                try:
                    caller = service.access.caller(request.headers.get("authorization"), role)
                except Refused as refusal:
                    await run_in_threadpool(service.note_refusal, request.scope, str(refusal))
                    raise
                request.state.caller = caller
                return await answer(request)

            return admitted

    return Guarded
