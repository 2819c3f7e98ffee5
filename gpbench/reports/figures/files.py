"""Writes all figures of a comparison into a folder."""

from __future__ import annotations

from pathlib import Path

from gpbench.compare.comparison import Comparison
from gpbench.core.errors import ConfigError
from gpbench.core.whole_file import write_whole
from gpbench.reports.figures.all_figures import figures
from gpbench.reports.figures.render import png, svg


def write_plots(comparison: Comparison, folder: Path) -> tuple[Path, ...]:
    """Write NAME.svg and NAME.png of each figure, and return their paths.

    Args:
        comparison: What to show.
        folder: Made where needed; each file is replaced whole, others stay.

    Raises:
        ConfigError: If a file cannot be written; no part of it is left.
    """
    contents = {
        folder / f"{figure.name}{suffix}": content
        for figure in figures(comparison)
        for suffix, content in ((".svg", svg(figure).encode()), (".png", png(figure)))
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            write_whole(path, content)
    except OSError as error:
        raise ConfigError(
            f"cannot write plots into {folder}: {error.strerror}; name another folder"
        ) from error
    return tuple(contents)
