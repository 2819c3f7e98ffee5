"""Where data sets lie, from GPBENCH_DATA."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gpbench import registry
from gpbench.core.errors import ConfigError

DATA_VARIABLE = "GPBENCH_DATA"


def data_roots(said: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return dataset or source -> folder: $GPBENCH_DATA/NAME where that is there, else as said.

    Where the variable is set, what is installed and nowhere said has a folder in it all the same,
    so that a message can say where it is missing.

    Args:
        said: What an experiment file says.
        environ: The environment.

    Raises:
        ConfigError: If the variable names a folder that cannot be read.
    """
    found = dict(said)
    if environ.get(DATA_VARIABLE):
        data = Path(environ[DATA_VARIABLE]).expanduser().absolute()
        installed = [*registry.listed("datasets"), *registry.listed("sources")]
        there = _folders(data)
        for name in (*there, *(each.name for each in installed)):
            if name in there or name not in said:
                found[name] = str(data / name)
    return found


def _folders(data: Path) -> list[str]:
    """Return the names of the folders in a folder; none where it is not there."""
    try:
        return [path.name for path in data.iterdir() if path.is_dir()] if data.is_dir() else []
    except OSError as error:
        raise ConfigError(
            f"{DATA_VARIABLE} names the folder {data}, which cannot be read: {error.strerror}"
        ) from error
