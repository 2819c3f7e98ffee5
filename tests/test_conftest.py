"""The guards of the test suite itself, each seen to fail."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from _pytest.outcomes import Failed, Skipped

from tests.conftest import RAY, samples_folder, share, system_program


def test_connection_to_another_machine_is_refused() -> None:
    with pytest.raises(PermissionError, match=r"tests use no network.* 192\.0\.2\.1:9"):
        socket.create_connection(("192.0.2.1", 9), timeout=1)


def test_connection_to_this_machine_is_allowed() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as connection,
    ):
        assert connection.getpeername() == server.getsockname()


def test_samples_that_are_not_named_skip() -> None:
    with pytest.raises(Skipped, match="GPBENCH_SAMPLES is not set"):
        samples_folder(None)


def test_samples_that_are_named_and_missing_fail(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="which is not a folder"):
        samples_folder(str(tmp_path / "absent"))


def test_missing_program_skips_on_a_desk() -> None:
    with pytest.raises(Skipped, match="no-such-program is not installed"):
        system_program("no-such-program", None)


def test_missing_program_fails_in_ci() -> None:
    with pytest.raises(Failed, match="CI must not skip"):
        system_program("no-such-program", "true")


def test_slow_tests_run_last(request: pytest.FixtureRequest) -> None:
    first = RAY if hasattr(request.config, "workerinput") else ""  # one process begins with these
    items = [item for item in request.session.items if share(item.nodeid) != first]
    slow = [item.get_closest_marker("slow") is not None for item in items]
    assert slow == sorted(slow)


def test_all_that_starts_ray_is_one_share_and_every_other_file_its_own() -> None:
    assert share("tests/execution/test_ray_faults.py::test_one[a::b]") == RAY
    assert share("tests/execution/test_interruption.py::test_one") == RAY
    assert share("tests/stats/test_arrays.py::test_one[ray]") == "tests/stats/test_arrays.py"
