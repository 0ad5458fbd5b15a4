"""What every command shares: what it prints, how it shows progress, and how it ends when something goes wrong."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from tapetum.errors import Interrupted, TapetumError

P = ParamSpec("P")
R = TypeVar("R")
ProgressCall = Callable[[int, int], None]

# Typer's own class for a mistyped command line has moved between its versions; its best known child has not.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
_INTERRUPTED = "interrupted. Nothing half-written stays behind; the same command goes on from what was finished."


def command(group: typer.Typer, name: str, *examples: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a command: its docstring is its help, `examples` stand under it, and Ctrl-C ends it with a sentence."""

    def register(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except KeyboardInterrupt as stop:
                raise Interrupted(_INTERRUPTED) from stop

        group.command(name, help=_unwrapped(function.__doc__ or ""), epilog=examples_text(*examples))(run)
        return run

    return register


def examples_text(*examples: str) -> str:
    """The end of a help page: one example a line."""
    return "\n\n".join(("Examples:" if len(examples) > 1 else "Example:", *examples))


def _unwrapped(text: str) -> str:
    """Paragraphs without line breaks of their own, so that they are wrapped to the terminal's width."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))


def run_command_line(app: typer.Typer) -> NoReturn:
    """Run the command line and exit: an error meant for a person becomes one line and an exit code."""
    try:
        with _warnings_shown():
            sys.exit(app(prog_name="tapetum", standalone_mode=False))
    except TapetumError as error:
        _stop(str(error), error.exit_code)
    except _UsageError as error:
        _stop(_usage_sentence(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        _stop(_INTERRUPTED, Interrupted.exit_code)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _stop(f"{place}{error.strerror or error}. Mend this and run the command again.", 2)


def show(what: RenderableType) -> None:
    """Print a result on standard output; a sentence is never wrapped, so that a path in it can be copied."""
    Console().print(what, markup=False, highlight=False, soft_wrap=isinstance(what, str))


def show_error(sentence: str) -> None:
    """Print one line on standard error."""
    Console(stderr=True).print(f"tapetum: {sentence}", markup=False, highlight=False, soft_wrap=True)


class _Speed(ProgressColumn):
    """Things per second, named."""

    def __init__(self, things: str) -> None:
        super().__init__()
        self.things = things

    def render(self, task: Task) -> Text:
        """The speed so far, or nothing before the first thing is done."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {self.things}/s", style="progress.data.speed")


@contextmanager
def progress_bar(title: str, things: str) -> Iterator[ProgressCall]:
    """A bar on standard error with speed and time left; the block gets a function (done, total) that moves it.

    It appears with its first move: a command that is refused before it begins shows its sentence alone.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(things),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=Console(stderr=True))
    task = progress.add_task(title, total=None)

    def advance(done: int, total: int) -> None:
        if not progress.live.is_started:
            progress.start()
        progress.update(task, completed=done, total=total)

    try:
        yield advance
    finally:
        if progress.live.is_started:
            progress.stop()


class _ToStandardError(logging.Handler):
    """A warning of Tapetum's as one line for a person."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message."""
        show_error(record.getMessage())


@contextmanager
def _warnings_shown() -> Iterator[None]:
    handler = _ToStandardError(logging.WARNING)
    logger = logging.getLogger("tapetum")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _usage_sentence(error: Exception) -> str:
    """What Typer says about a mistyped command line, and where to look."""
    message = getattr(error, "format_message", error.__str__)().replace("Value error, ", "")
    path = getattr(getattr(error, "ctx", None), "command_path", "tapetum")
    end = "" if message.endswith((".", "?", ")")) else "."
    return f"{message}{end} See {path} --help." if message else ""


def _stop(sentence: str, code: int) -> NoReturn:
    if sentence:  # Typer has printed the help where no command was given
        show_error(" ".join(sentence.split()))
    sys.exit(code)
