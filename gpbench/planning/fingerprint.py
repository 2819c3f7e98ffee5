"""The fingerprints of data that enter keys, made of names and sizes: no pixel is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from gpbench.api import Dataset, Role, Source
from gpbench.core.dataset import SPLITS
from gpbench.core.errors import DataError
from gpbench.core.stage import canonical_json


def dataset_fingerprint(dataset: Dataset, root: Path | None) -> str:
    """Return the sha256 over (split, image, relative path, size) of all files, sorted.

    A procedural dataset has no files: its images' names count. Moving a dataset changes nothing,
    moving an image to another split does.

    Raises:
        DatasetNotFoundError: If nothing usable lies at `root`.
        DataError: If a file that the dataset names is not there.
    """
    base = root or NOWHERE
    rows: list[tuple[str | int, ...]] = []
    for split in SPLITS:
        for image in dataset.images(base, split):
            rows.append((split, image.name, "", 0))
            rows.extend((split, image.name, path, _size(base / path)) for path in image.files)
    return _digest(rows)


def source_fingerprint(source: Source, root: Path | None, role: Role) -> tuple[str, int]:
    """Return the sha256 over (image, label, size) of a role's images, sorted, and their number.

    Raises:
        DatasetNotFoundError: If nothing usable lies at `root`.
        DataError: If what lies there is not as declared.
    """
    refs = source.images(root or NOWHERE, role)
    rows = ((ref.name, -1 if ref.label is None else ref.label, ref.size_bytes) for ref in refs)
    return _digest(rows), len(refs)


NOWHERE = Path("/dev/null/no-folder-is-known")
"""What a plugin is handed where no folder is known: nothing can lie there, on any system."""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _digest(rows: Iterable[tuple[str | int, ...]]) -> str:
    total = hashlib.sha256()
    for row in sorted(rows):
        total.update(canonical_json(row).encode() + b"\n")
    return total.hexdigest()
