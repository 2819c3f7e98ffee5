"""Reads the images of a dataset one after another, here or in several processes.

Names travel, classes do not: a worker is told the dataset's selector and root, loads the dataset
itself, and writes pixels straight into the store's files. Only rows of text come back.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from multiprocessing.synchronize import Event
from pathlib import Path

from gpbench.api import Dataset
from gpbench.core.errors import ContractError, DataError, GpbenchError
from gpbench.data.image_listing import Listed
from gpbench.data.tile_files import TileFiles
from gpbench.data.tile_reading import ImageReader, ReadError, Taken
from gpbench.planning import resolve_dataset

IMAGES_PER_JOB = 8
"""Fewer are read sooner than a process starts, which takes about a second."""
BATCH_IMAGES, BATCH_BYTES = 16, 1 << 20
"""What a worker is handed at once: small images would spend their time on the way."""
SHOWN_NAMES = 5

_SPAWN = get_context("spawn")  # a forked process may hang in a lock that a thread held


def jobs_for(n_images: int) -> int:
    """Return how many processes are worth starting to read so many images: at least 1."""
    return max(1, min(len(os.sched_getaffinity(0)), n_images // IMAGES_PER_JOB))


@dataclass(frozen=True)
class Readers:
    """Who reads the images of a dataset.

    Args:
        dataset: Read in this process where `jobs` is 1.
        root: Of its files.
        selector: What `gpbench.planning.resolve_dataset` finds the dataset by; needed by more jobs.
        jobs: Processes.

    Raises:
        ValueError: If more than one job has no selector.
    """

    dataset: Dataset
    root: Path
    selector: str | None = None
    jobs: int = 1

    def __post_init__(self) -> None:
        if self.jobs < 1 or (self.jobs > 1 and self.selector is None):
            raise ValueError(f"{self.jobs} jobs, and selector {self.selector!r}")

    def read(self, images: Sequence[Listed], files: Path | None) -> Generator[Taken, None, None]:
        """Yield what came of each image, in the order in which they are finished.

        To be closed by who does not read to the end: it ends the processes.

        Args:
            images: To be read.
            files: The folder of the store's files; None: images are checked only.

        Raises:
            ContractError: If the dataset's code fails.
            DataError: If a process dies.
        """
        try:
            if self.jobs == 1 or self.selector is None:
                yield from self._read_here(images, files)
            elif images:
                start = partial(_start, self.selector, self.root, files)
                yield from self._read_in_processes(start, images, kept=files is not None)
        except ReadError as error:
            raise ContractError(self.dataset.info.title, str(error)) from error

    def _read_here(self, images: Sequence[Listed], files: Path | None) -> Iterator[Taken]:
        with TileFiles(files) if files else nullcontext() as opened:
            reader = ImageReader(self.dataset, self.root, opened)
            yield from map(reader.take, images)

    def _read_in_processes(
        self, start: Callable[[Event], None], images: Sequence[Listed], *, kept: bool
    ) -> Iterator[Taken]:
        with self._starting():
            stop = _SPAWN.Event()
            pool = ProcessPoolExecutor(self.jobs, _SPAWN, partial(start, stop))
        try:
            yield from self._from_pool(pool, _batches(images, self.root), kept=kept)
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)

    def _from_pool(
        self, pool: ProcessPoolExecutor, batches: Iterator[list[Listed]], *, kept: bool
    ) -> Iterator[Taken]:
        running: dict[Future[list[Taken]], list[Listed]] = {}
        try:
            while True:
                for batch in islice(batches, 2 * self.jobs - len(running)):
                    with self._starting(), _interrupts_held():
                        running[pool.submit(_take, batch)] = batch
                if not running:
                    return
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    taken = done.result()
                    del running[done]
                    yield from taken
        except BrokenProcessPool as error:
            raise _died(self.dataset.info.title, running.values(), kept=kept) from error

    @contextmanager
    def _starting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            title, jobs = self.dataset.info.title, self.jobs
            raise DataError(
                f"{title}: {jobs} processes that read images cannot be started: {error}; "
                "read in one: --jobs 1"
            ) from error


def _batches(images: Sequence[Listed], root: Path) -> Iterator[list[Listed]]:
    batch: list[Listed] = []
    n_bytes = 0
    for listed in images:
        batch.append(listed)
        n_bytes += sum(_size(root / file) for file in listed.ref.files)
        if len(batch) == BATCH_IMAGES or n_bytes >= BATCH_BYTES:
            yield batch
            batch, n_bytes = [], 0
    if batch:
        yield batch


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _died(title: str, batches: Iterable[Sequence[Listed]], *, kept: bool) -> DataError:
    names = [listed.where for batch in batches for listed in batch]
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    after = "; images that were stored before are kept, and the next run continues" if kept else ""
    return DataError(
        f"{title}: a process that reads images died, at one of {', '.join(names[:SHOWN_NAMES])}"
        f"{more}: too little memory for so many at once (fewer processes: --jobs 1), or a file "
        f"that crashes its decoder{after}"
    )


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while a process may be started, which inherits that for its life.

    The terminal sends Ctrl-C to all processes: it ends this one, which then ends the workers.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- in a worker ---


class _Worker:
    """What a worker process was started with; everything else it finds when it is needed."""

    def __init__(self, selector: str, root: Path, files: Path | None, stop: Event) -> None:
        self._selector, self._root, self._files = selector, root, files
        self.stop = stop

    @cached_property
    def reader(self) -> ImageReader:
        """Return a reader of the dataset; whoever continues a killed run waits while it is open.

        Raises:
            ReadError: If the dataset cannot be loaded in this process.
        """
        files = TileFiles(self._files) if self._files else None
        _end_without_parent(timeout_s=0)  # only now is it sure that nobody else writes
        try:
            dataset = resolve_dataset(self._selector, {}).dataset
        except GpbenchError as error:
            raise ReadError(f"a worker cannot load it: {error}") from error
        return ImageReader(dataset, self._root, files)


_workers: list[_Worker] = []
"""In a worker process one, in others none."""


def _start(selector: str, root: Path, files: Path | None, stop: Event) -> None:
    threading.Thread(target=_end_without_parent, daemon=True).start()
    _workers.append(_Worker(selector, root, files, stop))


def _end_without_parent(timeout_s: float | None = None) -> None:
    """End this process once the one that started it is gone, which it waits for."""
    parent = parent_process()
    if parent is None or connection.wait([parent.sentinel], timeout_s):
        os._exit(1)


def _take(batch: Sequence[Listed]) -> list[Taken]:
    (worker,) = _workers
    return [worker.reader.take(listed) for listed in batch if not worker.stop.is_set()]
