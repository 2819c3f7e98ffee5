"""Batches fetched ahead by threads, handed on in order. Knows nothing of images."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

DEPTH = 4
"""Batches that are ready or under way at a time, unless a loader says otherwise."""


class Loader(Generic[T]):
    """Iterates over `fetch(step)` for the steps in order; the same values for any `workers`.

    `fetch` runs in `workers` threads, at most `depth` steps ahead; with 0 workers, in the caller's
    thread when a value is asked for. The first error, in the order of the steps, is raised where
    its value was due. Leaving the `with` block waits for the fetches under way and starts no other.

    Args:
        fetch: A pure function; called from several threads at once.
        steps: What `fetch` is called with.
        workers: Threads.
        depth: More than 0.
    """

    def __init__(
        self, fetch: Callable[[int], T], steps: Iterable[int], workers: int, depth: int = DEPTH
    ) -> None:
        self._values = _ahead(fetch, steps, workers, depth) if workers else _inline(fetch, steps)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return next(self._values)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop fetching; no thread of this loader runs afterwards."""
        self._values.close()


def _inline(fetch: Callable[[int], T], steps: Iterable[int]) -> Generator[T]:
    for step in steps:
        yield fetch(step)


def _ahead(
    fetch: Callable[[int], T], steps: Iterable[int], workers: int, depth: int
) -> Generator[T]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="gpbench-loader")
    pending: deque[Future[T]] = deque()
    try:
        for step in steps:
            pending.append(pool.submit(fetch, step))
            if len(pending) == depth:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
