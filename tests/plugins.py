"""Plugins for tests: real packages with entry points in a temporary folder, as if installed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest

_numbers = itertools.count()

STRATEGY = '''"""A strategy of one phase."""
from dataclasses import dataclass
from gpbench.api import Phase


@dataclass(frozen=True)
class Params:
    width: int = 1


class Fake:
    title, version, channels, assumed = "Fake", 1, "rgb", ()
    params = Params

    def phases(self, params):
        return [Phase("first", "labelled", task=None)]


PLUGIN = Fake()
'''

SOURCE = '''"""Any files of a folder, in two classes."""
from gpbench.api import DatasetNotFoundError, SourceInfo, SourceRef


class Fake:
    info = SourceInfo("Pictures", 1, ("labelled", "unlabelled"))

    def images(self, root, role):
        if not root.is_dir():
            raise DatasetNotFoundError("pics", root)
        paths = sorted(root.iterdir())
        return [SourceRef(p.name, i % 2, p.stat().st_size) for i, p in enumerate(paths)]

    def read(self, root, ref, least_px=None):
        raise NotImplementedError


PLUGIN = Fake()
'''

DATASET = '''"""Any files of a folder, with bands BANDS."""
from gpbench.api import Band, DatasetInfo, DatasetNotFoundError, EvaluationProtocol, ImageRef


class Fake:
    info = DatasetInfo("Fake", 1, tuple(map(Band, BANDS)), ("ground", "house"))
    protocol = EvaluationProtocol("standard", 1, "mIoU", tile_px=32, stride_px=32)

    def images(self, root, split):
        if not root.is_dir():
            raise DatasetNotFoundError("fake", root)
        paths = sorted((root / split).glob("*"))
        there = [ImageRef(p.name, p.name, (f"{split}/{p.name}",)) for p in paths]
        return [ImageRef(f"made for {split}", "nowhere"), *there]

    def read(self, root, ref):
        raise NotImplementedError


PLUGIN = Fake()
'''

CARDS = '''"""A dataset by the name that the first line of a file gives; its files lie beside it."""
from dataclasses import dataclass
from pathlib import Path
from gpbench.api import Band, DatasetInfo, DatasetNotFoundError, EvaluationProtocol, ImageRef


@dataclass(frozen=True)
class Params:
    card: Path


class Carded:
    info = DatasetInfo("Carded", 1, (Band("red"), Band("nir")), ("ground", "house"))
    protocol = EvaluationProtocol("standard", 1, "mIoU", tile_px=32, stride_px=32)

    def __init__(self, folder):
        self.default_root = folder

    def images(self, root, split):
        there = [ImageRef(p.name, p.name, (p.name,)) for p in sorted(root.glob(f"{split}*"))]
        return [ImageRef(f"made for {split}", "nowhere"), *there]

    def read(self, root, ref):
        raise NotImplementedError


class Cards:
    params = Params

    def configured(self, params):
        name = params.card.read_text().strip()
        return f"cards:{name}", Carded(params.card.parent), {"name": name}


PLUGIN = Cards()
'''


def strategy(phases: str, *, channels: str = "rgb", params: str = "    width: int = 1") -> str:
    """Return the source of a strategy with these phases (Python) and parameters."""
    return (
        STRATEGY.replace('[Phase("first", "labelled", task=None)]', phases)
        .replace('"rgb"', repr(channels))
        .replace("    width: int = 1", params)
    )


def dataset(*bands: str) -> str:
    """Return the source of a dataset with these bands."""
    return DATASET.replace("BANDS", repr(bands))


def install(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    modules: Mapping[str, str],
    attribute: str = "",
    entry: str | None = None,
) -> str:
    """Install a package with one plugin of a kind per module; return the package's name.

    Module names with `_` become plugin names with `-`, or `entry` is the name.
    """
    package = f"fake_plugins_{next(_numbers)}"
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").touch()
    lines = [f"[gpbench.{kind}]"]
    for name, source in modules.items():
        (folder / package / f"{name}.py").write_text(source)
        lines.append(f"{entry or name.replace('_', '-')} = {package}.{name}{attribute}")
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(folder)
    return package
