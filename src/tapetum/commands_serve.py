"""The command `serve`: parses, calls the stage, prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tapetum.console import show

ServedGallery = Annotated[Path, typer.Argument(metavar="GALLERY", help="Folder of the gallery.")]
ServiceHost = Annotated[
    str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; beyond this machine only with keys.")
]
ServicePort = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 takes a free port.")]
ServiceNames = Annotated[
    list[str] | None,
    typer.Option("--name", metavar="HOST", help="A host name by which a proxy reaches the service; may be repeated."),
]


def serve(
    gallery: ServedGallery,
    host: ServiceHost = "127.0.0.1",
    port: ServicePort = 8000,
    name: ServiceNames = None,
) -> None:
    """Serve a gallery: the operators' page and the HTTP API, on this machine alone unless asked otherwise.

    Ctrl-C ends it. Other commands search through it while it holds the gallery. Beyond this machine it serves only a
    gallery with keys (`tapetum key add`), behind a proxy that speaks TLS.
    """
    from tapetum.gallery.gallery import Gallery
    from tapetum.service.context import ServiceSettings
    from tapetum.service.running import serve as run_service

    with Gallery.open(gallery) as opened:
        settings = ServiceSettings(host=host, names=tuple(name or ()))
        run_service(opened, settings, port, lambda address: show(f"Serving {gallery} at {address} (Ctrl-C ends it)."))
    show("Ended; the gallery is closed.")
