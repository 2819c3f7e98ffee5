"""What all tests share: real samples, system programs, no network, and slow tests last."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

SAMPLES_VARIABLE = "GPBENCH_SAMPLES"
RAY, STARTING_RAY = "ray", ("test_ray_", "test_interruption")
LOOPBACK = ("127.", "::1", "localhost")


def refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise where this process connects to another machine: a test that does cannot be repeated."""
    if event != "socket.connect":
        return
    connection, address = arguments
    if connection.family in {socket.AF_INET, socket.AF_INET6} and not str(address[0]).startswith(
        LOOPBACK
    ):
        message = f"tests use no network, and this one connects to {address[0]}:{address[1]}"
        raise PermissionError(message)


sys.addaudithook(refuse_network)

os.environ.pop("COLUMNS", None)  # pytest's own terminal is not that of the commands under test

settings.register_profile("gpbench", deadline=None)  # a busy machine is no failure
settings.load_profile("gpbench")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the slow tests last, so that what breaks quickly is seen quickly.

    One of several processes begins with the tests that start Ray: they take half of the time.
    """
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: share(item.nodeid) != RAY)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out whole files; all that start Ray run in one process, or clusters would compete."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist is untyped
        def _split_scope(self, nodeid: str) -> str:
            return share(nodeid)

    return ByFile(config, log)


def share(nodeid: str) -> str:
    """Return what is run in one process: the test's file, or all tests that start Ray."""
    file = nodeid.partition("::")[0]
    return RAY if Path(file).name.startswith(STARTING_RAY) else file


def samples_folder(variable: str | None) -> Path:
    """Return the folder that `variable` names; skip where it is unset, fail where it is wrong."""
    if not variable:
        pytest.skip(f"{SAMPLES_VARIABLE} is not set: it names a folder of real sample images")
    folder = Path(variable)
    if not folder.is_dir():
        pytest.fail(f"{SAMPLES_VARIABLE} names {folder}, which is not a folder")
    return folder


def system_program(name: str, in_ci: str | None) -> str:
    """Return the path of a system program; where it is absent skip, but fail in CI."""
    path = shutil.which(name)
    if path is None and in_ci:
        pytest.fail(f"{name} is not installed, and CI must not skip what needs it")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture(scope="session")
def samples() -> Path:
    """Return the folder of real sample images."""
    return samples_folder(os.environ.get(SAMPLES_VARIABLE))


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the browser that site tests drive."""
    return system_program("chromium", os.environ.get("CI"))
