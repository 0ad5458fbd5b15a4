"""Sharing work out to processes that are gone when the caller is: on success, on an error, on Ctrl-C."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, cast

from tapetum.data.interrupts import interrupts_held
from tapetum.errors import InternalError, TapetumError


def share_out(
    task: Callable[..., None], context: tuple[Any, ...], items: Sequence[int], workers: int
) -> Generator[int, None, None]:
    """Run task(*context, item) for all items, in `workers` processes, and yield each item when it is done.

    One worker runs in this process. Errors of a task are raised here; then, and when the iterator is closed or
    interrupted, the other processes are ended before the error goes on. Raises InternalError when a process dies.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        for item in items:
            task(*context, item)
            yield item
        return
    start = multiprocessing.get_context("spawn")
    processes: list[SpawnProcess] = []
    receivers: list[Connection] = []
    try:
        for place in range(workers):
            receiver, sender = start.Pipe(duplex=False)
            process = start.Process(target=_work, args=(task, context, items[place::workers], sender), daemon=True)
            with interrupts_held():
                process.start()
            sender.close()
            processes.append(process)
            receivers.append(receiver)
        yield from _collect(receivers)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _collect(receivers: list[Connection]) -> Iterator[int]:
    open_ones = list(receivers)
    while open_ones:
        for ready in wait(open_ones):
            receiver = cast(Connection, ready)
            try:
                message = receiver.recv()
            except EOFError:
                raise InternalError("a worker process ended before its work was done (out of memory?).") from None
            if isinstance(message, BaseException):
                raise message
            if message is None:
                open_ones.remove(receiver)
            else:
                yield message


def _work(task: Callable[..., None], context: tuple[Any, ...], items: Sequence[int], sender: Connection) -> None:
    try:
        for item in items:
            task(*context, item)
            sender.send(item)
        sender.send(None)
    except (TapetumError, OSError, ValueError, ArithmeticError) as error:
        sender.send(error)
