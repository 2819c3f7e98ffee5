"""Values come in order, errors where they are due, and no thread outlives its loader."""

import threading
from collections.abc import Iterator

import pytest

from gpbench.data.loader import Loader


def running() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("gpbench-loader")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert running() == []


@pytest.mark.parametrize(("workers", "depth"), [(0, 4), (1, 1), (2, 4), (5, 2)])
def test_values_come_in_the_order_of_the_steps(workers: int, depth: int) -> None:
    later = threading.Event()

    def fetch(step: int) -> int:
        if step == 3 and workers > 1:
            later.wait(5)  # the value after it is ready first
        if step == 4:
            later.set()
        return step * step

    with Loader(fetch, range(3, 12), workers, depth) as loader:
        assert list(loader) == [step * step for step in range(3, 12)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_without_steps_is_empty(workers: int) -> None:
    with Loader(str, range(0), workers) as loader:
        assert list(loader) == []


@pytest.mark.parametrize("workers", [0, 3])
def test_an_error_keeps_its_type_and_comes_where_its_value_was_due(workers: int) -> None:
    class BrokenTileError(Exception):
        pass

    def fetch(step: int) -> int:
        if step >= 4:
            raise BrokenTileError(step)
        return step

    with Loader(fetch, range(10), workers) as loader:
        assert [next(loader) for _ in range(4)] == [0, 1, 2, 3]
        with pytest.raises(BrokenTileError, match=r"^4$"):
            next(loader)


def test_closing_early_leaves_no_thread_and_fetches_no_more() -> None:
    fetched: list[int] = []

    def fetch(step: int) -> int:
        fetched.append(step)
        return step

    with Loader(fetch, range(1000), workers=3, depth=5) as loader:
        assert [next(loader), next(loader)] == [0, 1]
        assert running()
    assert running() == []
    assert len(fetched) <= 6  # two values given, at most depth - 1 ahead
    with pytest.raises(StopIteration):
        next(loader)


def test_a_loader_that_is_left_by_break_and_dropped_leaves_no_thread() -> None:
    for value in Loader(str, range(1000), workers=2):
        if value == "3":
            break
    assert running() == []


def test_nothing_is_fetched_further_ahead_than_the_depth() -> None:
    begun: list[int] = []

    def steps() -> Iterator[int]:
        for step in range(100):
            begun.append(step)
            yield step

    with Loader(str, steps(), workers=8, depth=3) as loader:
        assert begun == []
        assert next(loader) == "0"
        assert begun == [0, 1, 2]
        assert next(loader) == "1"
        assert begun == [0, 1, 2, 3]


def test_without_workers_a_value_is_fetched_in_the_callers_thread_when_asked_for() -> None:
    names: list[str] = []

    def fetch(step: int) -> int:
        names.append(threading.current_thread().name)
        return step

    with Loader(fetch, range(5), workers=0) as loader:
        next(loader)
        next(loader)
    assert names == [threading.current_thread().name] * 2
