"""Who runs a stage: a process of a host, and whether it is still there. Imports stdlib only."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Presence = Literal["alive", "gone", "unknown"]
_DEAD_STATES = frozenset("ZXx")


@dataclass(frozen=True)
class Owner:
    """A process, not to be taken for one of another host or container, nor for a reused pid."""

    host: str
    boot: str
    """Boot id of the kernel, and pid namespace: containers of one host count processes anew."""
    pid: int
    started: int
    """Start of the process in clock ticks since boot; 0 where the system does not tell."""

    @classmethod
    def current(cls) -> Owner:
        """Return this process."""
        _, started = _process(os.getpid()) or ("", 0)
        return cls(socket.gethostname(), _boot(), os.getpid(), started)

    def presence(self) -> Presence:
        """Return whether the process lives; `unknown` for other hosts and containers."""
        if (self.host, self.boot) != (socket.gethostname(), _boot()):
            return "unknown"
        found = _process(self.pid)
        if found is None:
            return "unknown" if _exists(self.pid) else "gone"
        state, started = found
        return "gone" if state in _DEAD_STATES or started != self.started else "alive"


def _boot() -> str:
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot_id} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _process(pid: int) -> tuple[str, int] | None:
    """Return a process's state letter and start (ticks since boot), None where /proc has none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    return fields[0], int(fields[19])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
