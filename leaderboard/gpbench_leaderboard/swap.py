"""A folder that appears whole: built under another name beside its place, then swapped in."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from gpbench.core.errors import ConfigError, InvalidValueError


@contextmanager
def swapped_in(output: Path, names: Collection[str]) -> Iterator[Path]:
    """Give an empty folder to fill; when the block ends well it takes the place of `output`.

    A folder at `output` is replaced only if it is empty or holds nothing but `names`; if the block
    raises, it stays as it is. A link is followed: what it points to is replaced.

    Raises:
        InvalidValueError: If something else lies at `output`.
        ConfigError: If the folder cannot be written.
    """
    output = output.resolve()
    check_replaceable(output, names)
    fresh = output.with_name(f".{output.name}.{uuid.uuid4().hex}.partial")
    try:
        fresh.mkdir(parents=True)
        yield fresh
        _swap(fresh, output)
    except OSError as error:
        raise ConfigError(
            f"--output {output} cannot be written: {error.strerror or error}; choose another folder"
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def check_replaceable(output: Path, names: Collection[str]) -> None:
    """Raise InvalidValueError if replacing `output` would delete what is not ours."""
    if not output.exists():
        return
    if not output.is_dir():
        raise InvalidValueError("--output", str(output), "a folder, not a file")
    foreign = sorted(path.name for path in output.iterdir() if path.name not in names)
    if foreign:
        allowed = f"a new or empty folder, or a site's; this one also holds {foreign[0]}"
        raise InvalidValueError("--output", str(output), allowed)


def _swap(fresh: Path, output: Path) -> None:
    old = output.with_name(f".{output.name}.{uuid.uuid4().hex}.old")
    existed = output.exists()
    if existed:
        output.rename(old)
    try:
        fresh.rename(output)
    except OSError:
        if existed:
            old.rename(output)
        raise
    shutil.rmtree(old, ignore_errors=True)
