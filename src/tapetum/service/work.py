"""Threads for what takes time, with a bounded line before them; and the lock between searches and removals."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from tapetum.service.refusals import busy

P = ParamSpec("P")
R = TypeVar("R")


class WorkPool:
    """what: what its threads do, for the refusal.   waiting: how many calls may wait for a thread."""

    def __init__(self, what: str, threads: int, waiting: int) -> None:
        self._what = what
        self._places = threading.BoundedSemaphore(threads + waiting)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=what)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in a thread. Raises Refused (503) when the line is full."""
        if not self._places.acquire(blocking=False):
            raise busy(f"too many requests wait for {self._what}. Ask again in a second.")
        try:
            future = self._threads.submit(function, *args, **kwargs)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finish what runs, drop what waits."""
        self._threads.shutdown(cancel_futures=True)


class SharedLock:
    """Held by many readers, or by one writer; a waiting writer goes before new readers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers, self._writers_waiting, self._writing = 0, 0, False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold it beside other readers."""
        with self._changed:
            self._changed.wait_for(lambda: not self._writing and not self._writers_waiting)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold it alone."""
        with self._changed:
            self._writers_waiting += 1
            self._changed.wait_for(lambda: not self._writing and not self._readers)
            self._writers_waiting -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
