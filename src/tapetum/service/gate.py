"""What stands before every route: host and origin, the length of a body, and headers that bind browsers."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tapetum.service.context import Service
from tapetum.service.refusals import Refused, problem_response

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
        " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


class Gate:
    """Refuses strange hosts, foreign pages and long bodies before a route is looked for."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service
        self._longest = service.settings.limits.body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer its refusal."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        try:
            self._service.access.check_origin(scope["method"], scope["path"], headers)
        except Refused as refusal:
            await run_in_threadpool(self._service.note_refusal, scope, "a strange host name or a foreign page")
            await problem_response(refusal.status, str(refusal))(scope, receive, send_bound)
            return
        given = headers.get("content-length", "")
        if given.isdecimal() and int(given[:20]) > self._longest:
            await problem_response(413, self._too_long())(scope, receive, send_bound)
            return
        await self._app(scope, self._counted(receive), send_bound)

    def _counted(self, receive: Receive) -> Receive:
        """The same body; HTTPException (413) where it goes on beyond the limit (a body may come without a length)."""
        total = 0

        async def receive_counted() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self._longest:
                raise HTTPException(413, self._too_long())
            return message

        return receive_counted

    def _too_long(self) -> str:
        return f"the body is longer than {self._longest:,} bytes. Send fewer or smaller pictures."
