"""Running the service: a socket, a server on it, and an end that leaves the gallery whole."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import uvicorn

from tapetum.errors import RecipeError
from tapetum.gallery.gallery import Gallery
from tapetum.service.app import create_app
from tapetum.service.context import ServiceSettings

_CONNECTIONS = 256
_LAST_ANSWERS = 10  # seconds in which requests at hand may end
_BACKLOG = 128
_NEAR = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""How this machine reaches a service that listens on every address."""


def serve(gallery: Gallery, settings: ServiceSettings, port: int, started: Callable[[str], None]) -> None:
    """Serve an open gallery until Ctrl-C or SIGTERM. port: 0 takes a free one.   started: is told the address.

    Raises RecipeError for a port that is taken, and for others than this machine without a key.
    """
    app = create_app(gallery, settings)
    try:
        with _listening(settings.host, port) as listener:
            host, given = listener.getsockname()[:2]
            host = _NEAR.get(host, host)
            address = f"http://[{host}]:{given}" if ":" in host else f"http://{host}:{given}"
            gallery.answer_at(address)
            config = uvicorn.Config(
                app,
                ws="none",
                access_log=False,
                log_level="warning",
                server_header=False,
                proxy_headers=False,  # what a proxy says of its client could be said by anybody
                limit_concurrency=_CONNECTIONS,
                timeout_graceful_shutdown=_LAST_ANSWERS,
            )
            started(address)
            with _ended_by_signals():
                uvicorn.Server(config).run(sockets=[listener])
    finally:
        app.state.service.close()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RecipeError(f"cannot listen on {host}, port {port}: {reason}. Give another --port or --host.") from error
    with listener:
        yield listener


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, and neither of them is an error."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _interrupt) if main else None
    try:
        with suppress(KeyboardInterrupt):  # the server ends first, then raises it
            yield
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
