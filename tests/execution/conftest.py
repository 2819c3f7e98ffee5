"""What all tests of runs share: none may wait for ever."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Never

import pytest

from tests.execution.worlds import World

LONGEST_S = 600


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Fail a test that hangs: an executor that waits for ever is just what is looked for."""
    before = signal.signal(signal.SIGALRM, _too_late)
    signal.alarm(LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _too_late(_number: int, _frame: FrameType | None) -> Never:
    raise AssertionError(f"still not over after {LONGEST_S} s")
