"""The command line as a function: arguments in, exit code and output back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gpbench.cli.main import main


@dataclass(frozen=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


Command = Callable[..., Said]


@pytest.fixture
def gpbench(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, through `main` as the shell would."""

    def run(*arguments: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["gpbench", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        out, err = capfd.readouterr()
        return Said(code, out, err)

    for name in ("GPBENCH_WORKDIR", "GPBENCH_DB", "GPBENCH_DATA"):
        monkeypatch.delenv(name, raising=False)
    return run


TINY = (
    *("run", "-b", "test_convnext3", "--recipe", "demo", "-y", "--executor", "inline"),
    *(
        "--set",
        "pretrain.steps=3",
        "--set",
        "pretrain.batch=8",
        "--set",
        "pretrain.optim.warmup_steps=0",
    ),
    *(
        "--set",
        "finetune.steps=3",
        "--set",
        "finetune.batch=4",
        "--set",
        "finetune.optim.warmup_steps=0",
    ),
)
"""A run of seconds, to which strategies, datasets and seeds are added."""


@pytest.fixture
def tiny(gpbench: Command, tmp_path: Path) -> Command:
    """Run a tiny experiment in a working directory of the test's own."""

    def run(*arguments: str | Path) -> Said:
        return gpbench(*TINY, "--workdir", tmp_path / "work", *arguments)

    return run
