"""Whether anything was run in a place, for the commands that only read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpbench.cli.options import DEMO
from gpbench.core.errors import StoreError

if TYPE_CHECKING:
    from gpbench.cli.session import Place
    from gpbench.store import Store


def check_begun(place: Place) -> None:
    """Check that there is a database; without one, nothing was run.

    Raises:
        StoreError: If not.
    """
    from gpbench.store.database import locate

    file = locate(place.db).path
    if file is not None and not file.exists():
        raise _nothing_yet(place)


def experiment_name(store: Store, place: Place, asked: str | None) -> str:
    """Return the experiment asked for, else the one planned last.

    Raises:
        StoreError: If there is none.
    """
    name = asked or store.latest_experiment()
    if name is None:
        raise _nothing_yet(place)
    return name


def _nothing_yet(place: Place) -> StoreError:
    from gpbench.store.database import locate

    demo = f"; the demo's is --workdir {DEMO}" if DEMO.is_dir() else ""
    return StoreError(
        f"nothing was run in {place.workdir} yet (no experiment is in {locate(place.db).shown}): "
        f"`gpbench run` begins one; or name another place with --workdir or --db{demo}"
    )
