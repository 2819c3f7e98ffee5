from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gpbench.cli.leaderboard import app
from gpbench.core.errors import ConfigError, StoreError
from gpbench.store import Store
from tests.leaderboard.sites import World, made


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GPBENCH_WORKDIR", "GPBENCH_DB"):
        monkeypatch.delenv(name, raising=False)


def build(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["build", *map(str, arguments)])


def test_site_of_the_last_experiment_goes_into_the_workdir(tmp_path: Path) -> None:
    made(tmp_path, World(name="first", seeds=(0,))).close()
    made(tmp_path, World(name="second", seeds=(0,))).close()
    done = build("--workdir", tmp_path)
    assert done.exit_code == 0
    assert done.stdout.strip() == str(tmp_path / "site" / "index.html")
    assert "<h1>second</h1>" in (tmp_path / "site" / "index.html").read_text()


def test_experiment_database_and_output_are_taken_as_given(tmp_path: Path) -> None:
    made(tmp_path, World(name="first", seeds=(0,))).close()
    made(tmp_path, World(name="second", seeds=(0,))).close()
    database, output = tmp_path / "gpbench.sqlite", tmp_path / "public"
    done = build("--db", database, "--output", output, "--experiment", "first")
    assert done.exit_code == 0
    assert "<h1>first</h1>" in (output / "index.html").read_text()


def test_missing_database_is_an_expected_error(tmp_path: Path) -> None:
    assert isinstance(build("--workdir", tmp_path).exception, StoreError)
    assert list(tmp_path.iterdir()) == []


def test_database_without_an_experiment_is_an_expected_error(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}").close()
    error = build("--workdir", tmp_path).exception
    assert isinstance(error, ConfigError)
    assert "no experiment" in str(error)
