"""A site of one made-up experiment, built once from a store; others as text alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpbench_leaderboard.build import build_site, site_files
from tests.leaderboard.document import Element, parsed
from tests.leaderboard.sites import SOURCES, World, made, results, stored


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site of an ordinary experiment."""
    folder = tmp_path_factory.mktemp("site")
    with made(folder, World()) as store:
        return build_site(store, World().name, folder / "site").parent


@pytest.fixture(scope="session")
def page(site: Path) -> Element:
    """Return its index.html."""
    return parsed((site / "index.html").read_text())


def files_of(world: World) -> dict[str, str]:
    """Return the files of the site of a world."""
    return site_files(stored(world), results(world), SOURCES)


def page_of(world: World) -> Element:
    """Return the page of a world."""
    return parsed(files_of(world)["index.html"])
