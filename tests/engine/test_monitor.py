"""What a monitor hears of a training."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpbench.core.errors import StageInterruptedError
from gpbench.core.recipe import Execution
from gpbench.engine import checkpoint
from gpbench.engine.monitor import Beat, Silent
from tests.engine.test_loop import STEPS, StopAfter, trained


class Noting(StopAfter):
    """A monitor that keeps what it hears, and the checkpoints that lay there when it did."""

    def __init__(self, stop_after: int = 10**9) -> None:
        super().__init__(stop_after)
        self.beats = list[Beat]()
        self.checkpoints = list[bytes]()

    def beat(self, beat: Beat) -> None:
        self.beats.append(beat)

    def saved(self, folder: Path) -> None:
        self.checkpoints.append((folder / checkpoint.NAME).read_bytes())


def test_beats_say_how_much_memory_the_process_holds(tmp_path: Path) -> None:
    monitor = Noting()
    trained(tmp_path / "run", monitor)
    held = monitor.beats[-1].memory_bytes
    assert held is not None
    assert 50e6 < held < 1e12  # torch alone is more, no machine has as much


def test_every_checkpoint_is_told_of_once_it_lies_there(tmp_path: Path) -> None:
    monitor = Noting()
    trained(tmp_path / "run", monitor, execution=Execution(loader_workers=0, checkpoint_seconds=0))
    assert len(monitor.checkpoints) == STEPS + 1
    assert monitor.checkpoints[-1] == (tmp_path / "run" / checkpoint.NAME).read_bytes()


def test_checkpoint_of_a_stopped_training_is_told_of(tmp_path: Path) -> None:
    monitor = Noting(stop_after=4)
    with pytest.raises(StageInterruptedError):
        trained(tmp_path / "run", monitor)
    assert len(monitor.checkpoints) == 1


def test_silent_monitor_meets_the_protocol(tmp_path: Path) -> None:
    Silent().saved(tmp_path)
    assert not Silent().stop_wanted()
