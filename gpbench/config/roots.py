"""Where data sets lie, from GPBENCH_DATA."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gpbench import registry

DATA_VARIABLE = "GPBENCH_DATA"


def data_roots(said: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return dataset or source -> folder: $GPBENCH_DATA/NAME where that is there, else as said.

    Where the variable is set, what is installed and nowhere said has a folder in it all the same,
    so that a message can say where it is missing.

    Args:
        said: What an experiment file says.
        environ: The environment.
    """
    found = dict(said)
    if environ.get(DATA_VARIABLE):
        data = Path(environ[DATA_VARIABLE]).expanduser().absolute()
        installed = [*registry.listed("datasets"), *registry.listed("sources")]
        there = [path.name for path in data.iterdir() if path.is_dir()] if data.is_dir() else []
        for name in (*there, *(each.name for each in installed)):
            if name in there or name not in said:
                found[name] = str(data / name)
    return found
