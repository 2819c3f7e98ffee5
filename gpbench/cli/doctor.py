"""`gpbench doctor`: whether this installation and machine can run gpbench, and what to mend."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import typer

from gpbench.cli import options
from gpbench.cli.output import print_json, print_table, stderr
from gpbench.core.errors import GpbenchError, nearest

app = typer.Typer()

VARIABLES = ("GPBENCH_WORKDIR", "GPBENCH_DB", "GPBENCH_DATA", "GPBENCH_SAMPLES")
OLDEST_PYTHON = (3, 11)
LEAST_SPACE_GB = 1.0
"""What `gpbench demo` writes, and room to work."""
BROKEN = (ImportError, OSError, RuntimeError, AttributeError, AssertionError)
"""What libraries raise on import where a shared library or a matching version is missing."""
MENDS = {
    "torch": "pip install torch torchvision",
    "torchvision": "install the release that belongs to this torch: pip install torch torchvision",
    "timm": "pip install timm",
    "mmseg": "pip install onedl-mmcv onedl-mmengine onedl-mmsegmentation",
    "cv2": "pip uninstall -y opencv-python; "
    "pip install --force-reinstall --no-deps opencv-python-headless",
    "ray": "pip install 'ray[tune]'",
}


@dataclass(frozen=True)
class Check:
    """One thing looked at; `detail` is what was found and, where it is not ok, the mend."""

    name: str
    ok: bool
    detail: str


@app.command()
def doctor(
    workdir: options.Workdir = None,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Check this installation and machine; exit 2 where something is wrong."""
    checks: list[Check] = []
    console = stderr()
    with console.status("looking", spinner="line") as status:
        for name, check in _checks(options.workdir_path(workdir), os.environ):
            status.update(f"looking at {name}")
            try:
                checks.append(check())
            except GpbenchError as error:
                checks.append(Check(name, ok=False, detail=str(error)))
    healthy = all(check.ok for check in checks)
    if format_ is options.DataFormat.json:
        rows = [asdict(check) for check in checks]
        print_json({"schema": "gpbench.check/1", "ok": healthy, "checks": rows})
    else:
        print_table(
            ("check", "", "detail"),
            ((check.name, "ok" if check.ok else "WRONG", check.detail) for check in checks),
        )
    if not healthy:
        raise typer.Exit(2)


def python_version(version: tuple[int, ...]) -> Check:
    """Return whether this Python is new enough."""
    text = ".".join(map(str, version[:3]))
    if version[:2] < OLDEST_PYTHON:
        return Check("python", ok=False, detail=f"{text}; gpbench needs 3.11 or newer")
    return Check("python", ok=True, detail=f"{text} on {platform.machine()}")


def library(name: str, about: Callable[[], str] = str) -> Check:
    """Return whether a library can be imported, with its version and what `about` says of it."""
    try:
        with warnings.catch_warnings(action="ignore"):  # a library's remarks on its own parts
            module = importlib.import_module(name)
            facts = [str(getattr(module, "__version__", "")), about()]
    except BROKEN as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        return Check(name, ok=False, detail=f"{reason}; mend: {MENDS[name]}")
    return Check(name, ok=True, detail=", ".join(filter(None, facts)))


def disk_space(workdir: Path, least_gb: float = LEAST_SPACE_GB) -> Check:
    """Return whether the disk of the working directory has room."""
    folder = _existing(workdir)
    free_gb = shutil.disk_usage(folder).free / 1e9
    detail = f"{free_gb:.1f} GB free at {folder}"
    if free_gb >= least_gb:
        return Check("disk", ok=True, detail=detail)
    mend = f"make room for {least_gb:g} GB, or choose another --workdir"
    return Check("disk", ok=False, detail=f"{detail}; mend: {mend}")


def write_access(workdir: Path) -> Check:
    """Return whether the working directory, or the folder it will be made in, can be written."""
    folder = _existing(workdir)
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Check("workdir", ok=True, detail=f"{workdir} can be written")
    except OSError as error:
        return Check(
            "workdir",
            ok=False,
            detail=f"nothing can be written in {workdir} ({error.strerror}); "
            "mend: choose another with --workdir or GPBENCH_WORKDIR",
        )


def variables(environ: Mapping[str, str]) -> Check:
    """Return whether all GPBENCH_ variables are known: a mistyped one would be ignored."""
    found = {name: value for name, value in environ.items() if name.startswith("GPBENCH_")}
    unknown = [f"{name} is unknown.{nearest(name, VARIABLES)}" for name in found.keys() - VARIABLES]
    if unknown:
        detail = f"{' '.join(sorted(unknown))}; mend: correct or unset it"
        return Check("variables", ok=False, detail=detail)
    shown = ", ".join(f"{name}={value}" for name, value in sorted(found.items()))
    return Check("variables", ok=True, detail=shown or "no GPBENCH_ variable is set")


def data_roots(environ: Mapping[str, str]) -> Check:
    """Return which datasets and sources lie in GPBENCH_DATA; an absent one is no fault."""
    from gpbench import registry

    text = environ.get("GPBENCH_DATA")
    if not text:
        detail = "GPBENCH_DATA is not set: demo-* run, others need it or --data-root NAME=DIR"
        return Check("data", ok=True, detail=detail)
    root = Path(text)
    if not root.is_dir():
        detail = f"GPBENCH_DATA={text} is no folder; mend: create it, or name the one that you have"
        return Check("data", ok=False, detail=detail)
    names = {found.name for kind in ("datasets", "sources") for found in registry.listed(kind)}
    there = sorted(name for name in names if (root / name).is_dir())
    return Check("data", ok=True, detail=f"in {root}: {', '.join(there) or 'none that is known'}")


def _checks(workdir: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, Callable[[], Check]]]:
    yield "python", lambda: python_version(sys.version_info[:3])
    yield "torch", lambda: library("torch", _devices)
    yield "torchvision", lambda: library("torchvision")
    yield "timm", lambda: library("timm")
    yield "cv2", lambda: library("cv2", _opencv_flavour)
    yield "mmseg", lambda: library("mmseg", _decode_heads)
    yield "ray", lambda: library("ray")
    yield "disk", lambda: disk_space(workdir)
    yield "workdir", lambda: write_access(workdir)
    yield "variables", lambda: variables(environ)
    yield "data", lambda: data_roots(environ)


def _devices() -> str:
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ", ".join(names) or f"no CUDA device, {len(os.sched_getaffinity(0))} CPU cores"


def _opencv_flavour() -> str:
    """Return a remark where OpenCV with its windows is installed: it imports on desktops only."""
    try:
        metadata.version("opencv-python")
    except metadata.PackageNotFoundError:
        return "headless"
    return f"with a GUI, so it fails where libGL is absent: {MENDS['cv2']}"


def _decode_heads() -> str:
    import mmseg.models

    return f"{mmseg.models.UPerHead.__name__} can be built"


def _existing(folder: Path) -> Path:
    """Return the folder, else the nearest thing above it that exists, be it a file."""
    folder = folder.absolute()
    return next(each for each in (folder, *folder.parents) if each.exists())
