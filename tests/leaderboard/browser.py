"""Chromium driven over its debugging pipe: standard library only, no driver program, no port."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

ON_PIPES = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4);"
    "os.execv(sys.argv[3], sys.argv[3:])"
)
"""Chromium reads commands from file descriptor 3 and writes answers to 4, each ended by a NUL."""
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--remote-debugging-pipe", "--no-first-run", "--disable-background-networking"),
)


@dataclass
class Tab:
    """One page; `events` are what it reported."""

    commands: BinaryIO
    answers: BinaryIO
    session: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    sent: int = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the result of a command of the DevTools protocol."""
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self.sent:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def visit(self, url: str) -> None:
        """Load a page and wait until everything it asks for is there."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not self.said("Page.loadEventFired"):
            self._next()

    def value(self, expression: str) -> Any:
        """Return what a JavaScript expression is on the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def said(self, *methods: str) -> list[dict[str, Any]]:
        """Return the parameters of the events of these kinds."""
        return [event["params"] for event in self.events if event["method"] in methods]

    def _next(self) -> dict[str, Any]:
        """Return the next message; one that is an event is kept too."""
        raw = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "chromium ended"
            raw += byte
        message: dict[str, Any] = json.loads(raw)
        if "method" in message:
            self.events.append(message)
        return message


@contextmanager
def opened(chromium: str, profile: Path) -> Iterator[Tab]:
    """Give a blank tab of a fresh browser."""
    ours, theirs = _pipe(), _pipe()
    arguments = [chromium, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    passed = (ours[0], theirs[1])
    with subprocess.Popen(
        [sys.executable, "-c", ON_PIPES, *map(str, passed), *arguments],
        pass_fds=passed,
        stderr=subprocess.DEVNULL,
    ) as process:
        for descriptor in passed:
            os.close(descriptor)
        with os.fdopen(ours[1], "wb") as commands, os.fdopen(theirs[0], "rb") as answers:
            tab = Tab(commands, answers)
            try:
                target = tab.call("Target.createTarget", url="about:blank")["targetId"]
                attached = tab.call("Target.attachToTarget", targetId=target, flatten=True)
                tab.session = attached["sessionId"]
                for domain in ("Page", "Network", "Runtime", "Log"):
                    tab.call(f"{domain}.enable")
                yield tab
            finally:
                process.terminate()


def _pipe() -> tuple[int, int]:
    """Return a pipe whose ends are above the descriptors that chromium expects."""
    low = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low]
    for end in low:
        os.close(end)
    return high[0], high[1]
