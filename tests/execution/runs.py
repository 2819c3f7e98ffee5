"""Runs as real processes: started, found among all processes, killed, and seen to leave nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from gpbench.store import Store
from tests.cli.conftest import Said

MARK = "GPBENCH_TEST_MARK"
"""Environment variable by which the processes of a run are known: children inherit it."""

LONG_S = 240.0
"""Far more than anything here takes: what waits longer hangs."""

GONE_S = 90.0
"""How soon after a run's end its last process must be gone.

Where all that watches over Ray's agents is killed too, they give up after a minute.
"""

SMALL = ("-b", "test_convnext3", "--recipe", "demo", "-y")
"""What every run here shares: a backbone of seconds."""

Role = Literal["driver", "worker", "raylet", "gcs_server", "agent", "warden", "other"]
Whom = Literal["group", "all"]


@dataclass(frozen=True)
class Process:
    """A living process of a run, and what it does there."""

    pid: int
    role: Role

    def kill(self) -> None:
        """End it at once; it may have ended by itself."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


@dataclass
class Run:
    """`gpbench run` in a session of its own; as a context it leaves no process behind.

    It writes into files: a process that outlives the run would hold a pipe open for ever.
    """

    workdir: Path
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __enter__(self) -> Self:
        self.workdir.mkdir(parents=True, exist_ok=True)
        self._out, self._err = (self.workdir / f"{self.mark}.{name}" for name in ("out", "err"))
        command = [sys.executable, "-m", "gpbench.cli.main", "run", *self.arguments]
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(
                [*command, "--workdir", str(self.workdir)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **self.environment, MARK: self.mark},
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end_all(self.processes)
        self._process.wait()

    @property
    def pid(self) -> int:
        """Return the driver's process id."""
        return self._process.pid

    @property
    def err(self) -> str:
        """Return what the run has printed on stderr so far."""
        return self._err.read_text()

    def over_within(self, seconds: float) -> bool:
        """Wait so long for the run's end; return whether it came."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode is not None

    def processes(self) -> list[Process]:
        """Return the living processes of the run, by process id."""
        found = marked(self.mark)
        seen = {each.pid for each in found}
        # Ray's agents write their title over their environment, but stay in the session
        found += [
            Process(pid, _role(pid))
            for pid in _pids()
            if pid not in seen and _session(pid) == self.pid
        ]
        return sorted(
            (Process(each.pid, "driver") if each.pid == self.pid else each for each in found),
            key=lambda each: each.pid,
        )

    def of_role(self, role: Role) -> list[Process]:
        return [each for each in self.processes() if each.role == role]

    def interrupt(self) -> None:
        """Press Ctrl-C: the terminal tells the whole process group."""
        os.killpg(self.pid, signal.SIGINT)

    def terminate(self, whom: Whom) -> None:
        """Send SIGTERM to the process group, as `timeout` does, or to all, as batch systems do."""
        if whom == "group":
            os.killpg(self.pid, signal.SIGTERM)
            return
        for each in self.processes():
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGTERM)

    def ended(self, timeout_s: float = LONG_S) -> Said:
        """Return how the run ended; a run that does not end is an error."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout_s:g} s:\n{self.err}") from None
        return Said(code, self._out.read_text(), self.err)

    def left(self) -> list[Process]:
        """Return the processes that are there `GONE_S` after the run's end; none is right."""
        deadline = time.monotonic() + GONE_S
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left


def ran_well(
    workdir: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> Said:
    """Run to the end and return what was said; anything but exit code 0 is an error."""
    with Run(workdir, arguments, environment or {}) as run:
        said = run.ended()
        assert said.code == 0, said.err
        assert not run.left()
    return said


def marked(mark: str) -> list[Process]:
    """Return the living processes that were started with this mark."""
    return [
        Process(pid, _role(pid))
        for pid in _pids()
        if f"{MARK}={mark}".encode() in _read(pid, "environ").split(b"\0")
    ]


def end_all(processes: Callable[[], Sequence[Process]]) -> None:
    """Kill processes until there are none, those too that are started meanwhile."""
    deadline = time.monotonic() + GONE_S
    while (left := processes()) and time.monotonic() < deadline:
        for each in left:
            each.kill()
        time.sleep(0.05)
    assert not left, f"these processes cannot be killed: {left}"


def wait_until(holds: Callable[[], bool], what: str, timeout_s: float = LONG_S) -> None:
    """Wait until something holds; `what` says what never came."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.05)


@contextmanager
def opened(workdir: Path) -> Iterator[Store]:
    """Read the database of a working directory."""
    with Store.open(f"sqlite:///{workdir / 'gpbench.sqlite'}", read_only=True) as store:
        yield store


def states_of(workdir: Path) -> dict[str, int]:
    """Return how many stages are in which state, without the states that none is in."""
    with opened(workdir) as store:
        return {state: number for state, number in store.status().counts.items() if number}


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    """Return a file of a process; empty where it is gone, a zombie, or not ours to read."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _session(pid: int) -> int | None:
    """Return the session of a process; None: it is gone, or a zombie."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[3]) if fields and fields[0] not in {b"Z", b"X"} else None


def _role(pid: int) -> Role:
    command = _read(pid, "cmdline")
    if b"/raylet/raylet" in command:
        return "raylet"
    if b"/gcs/gcs_server" in command:
        return "gcs_server"
    if b"ray::" in command:
        return "agent" if b"Agent" in command else "worker"
    if b"ray_warden" in command:
        return "warden"
    return "worker" if b"spawn_main" in command else "other"
