"""The commands for galleries, with their places in the command line and their examples."""

from __future__ import annotations

import typer

from tapetum import commands_access as access
from tapetum import commands_gallery as commands
from tapetum.console import command


def add_gallery_commands(app: typer.Typer) -> None:
    """Add `index` and the groups `gallery`, `audit` and `key`."""
    command(
        app,
        "index",
        "tapetum index gallery people --model runs/first",
        "tapetum index gallery night --modality ir --camera gate --site yard",
        "tapetum index gallery crops.csv",
    )(commands.index)
    gallery = typer.Typer(help="Look at a gallery, keep it in order, and remove crops from it.", no_args_is_help=True)
    app.add_typer(gallery, name="gallery")
    command(gallery, "info", "tapetum gallery info gallery")(commands.info)
    command(gallery, "verify", "tapetum gallery verify gallery")(commands.verify)
    command(gallery, "delete", "tapetum gallery delete gallery 17 18")(commands.delete)
    command(
        gallery,
        "forget",
        "tapetum gallery forget gallery --person 230",
        "tapetum gallery forget gallery --camera gate --since 2026-05-01T18:00 --until 2026-05-01T19:00",
    )(commands.forget)
    command(gallery, "retain", "tapetum gallery retain gallery --older-than 30 --camera gate")(commands.retain)
    command(gallery, "export", "tapetum gallery export gallery --output gallery.parquet")(commands.export)
    command(gallery, "rebuild", "tapetum gallery rebuild gallery")(commands.rebuild)
    command(gallery, "migrate", "tapetum gallery migrate gallery --model runs/second")(commands.migrate)
    _add_access_commands(app)


def _add_access_commands(app: typer.Typer) -> None:
    audit = typer.Typer(help="Who asked a gallery for what, and when.", no_args_is_help=True)
    app.add_typer(audit, name="audit")
    command(audit, "verify", "tapetum audit verify gallery")(access.audit_verify)
    command(audit, "show", "tapetum audit show gallery --last 5")(access.audit_show)
    key = typer.Typer(help="Who may ask a gallery's service.", no_args_is_help=True)
    app.add_typer(key, name="key")
    command(key, "add", "tapetum key add gallery reception --role search")(access.key_add)
    command(key, "list", "tapetum key list gallery")(access.key_list)
    command(key, "revoke", "tapetum key revoke gallery reception")(access.key_revoke)
