"""What a stage reads, at hand on the node on which it runs: tile store and parent's weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gpbench.core.errors import GpbenchError, StageInterruptedError
from gpbench.core.stage import BACKBONE_FILE, DatasetSpec, Outcome, StageRequest
from gpbench.data.tile_store import store_folder, write_store
from gpbench.engine.monitor import Beat, Monitor
from gpbench.planning import resolve_dataset
from gpbench.stages import artefacts
from gpbench.stages.lock import locked
from gpbench.stages.reach import OutOfReachError, node_name, writing
from gpbench.stages.scratch import lock_of, remove_unused, scratch_folder
from gpbench.stages.storage import Storage


def at_hand(request: StageRequest, monitor: Monitor) -> StageRequest:
    """Return the request with its inputs where this node can read them.

    In a shared working directory they are looked for; with a storage, the dataset is prepared and
    the weights are fetched, each once per node.

    Raises:
        OutOfReachError: If this node cannot have them.
        StageInterruptedError: If the monitor wanted a stop meanwhile.
    """
    if request.storage is None:
        _check_shared(request)
        return request
    scratch = scratch_folder()
    data = scratch / "data"
    if request.spec.dataset is not None:
        _prepare(store_folder(data, request.spec.dataset), request.spec.dataset, request, monitor)
    weights = request.parent_weights
    if request.spec.parent is not None:
        storage = Storage(request.storage)
        weights = str(_fetched(storage, request.spec.parent, scratch / "weights", monitor))
    return replace(request, data_folder=str(data), parent_weights=weights)


def waiting(monitor: Monitor) -> Callable[[float], None]:
    """Return what tells a monitor that a stage waits for another process, and hears of a stop."""

    def tell(waited_s: float) -> None:
        monitor.beat(Beat("wait", int(waited_s), int(waited_s)))
        if monitor.stop_wanted():
            raise StageInterruptedError("stopped while it waited for another process")

    return tell


def _check_shared(request: StageRequest) -> None:
    """Look for what a stage reads in the working directory."""
    needed = {}
    if request.parent_weights is not None:
        needed["its parent's weights"] = Path(request.parent_weights)
    if request.spec.dataset is not None:
        needed["its tile store"] = store_folder(Path(request.data_folder), request.spec.dataset)
    for what, path in needed.items():
        if not os.access(path, os.R_OK):
            raise OutOfReachError(
                f"{what} {path} cannot be read on node {node_name()}: share the working directory, "
                "or give --storage"
            )


def _prepare(folder: Path, dataset: DatasetSpec, request: StageRequest, monitor: Monitor) -> None:
    """Write the tile store of a dataset from its raw files, as the driver did."""

    def progress(done: int, total: int) -> None:
        monitor.beat(Beat("prepare", done, total))
        if monitor.stop_wanted():
            raise StageInterruptedError(f"stopped while preparing {request.selector}")

    if folder.is_dir():
        return
    with locked(folder.with_name(f".{folder.name}.turn"), waiting(monitor)):
        try:
            resolved = resolve_dataset(str(request.selector), request.data_roots)
            found = resolved.spec(allow_partial=request.allow_partial)
            if found.fingerprint != dataset.fingerprint:
                where = f" in {resolved.root}" if resolved.root else ""
                raise OutOfReachError(
                    f"its files{where} are not those that the run was planned with"
                )
            write_store(
                folder,
                resolved.dataset,
                resolved.root or Path(),
                progress,
                allow_partial=request.allow_partial,
            )
        except StageInterruptedError:
            raise
        except GpbenchError as error:
            raise OutOfReachError(
                f"{request.selector} cannot be prepared on node {node_name()}: {error}"
            ) from error


def _fetched(storage: Storage, parent: str, weights: Path, monitor: Monitor) -> Path:
    """Return the file of the parent's weights, fetched where no stage of this node did before.

    It is named by its hash: weights that were made anew are others.
    """

    def unreadable(reason: str) -> OutOfReachError:
        return OutOfReachError(
            f"its parent's weights {storage.url}/stages/{parent}/{BACKBONE_FILE} cannot be read on "
            f"node {node_name()}: {reason}"
        )

    text = storage.text(parent, artefacts.OUTCOME)
    if text is None:
        raise unreadable("there is no outcome beside them")
    kept = {each.name: each.sha256 for each in Outcome.from_json(text).artefacts}
    if BACKBONE_FILE not in kept:
        raise unreadable("its parent failed")
    file = weights / f"{kept[BACKBONE_FILE]}.safetensors"
    with locked(lock_of(file), waiting(monitor)), writing(weights):
        if not file.is_file():
            remove_unused(weights)
            fetched = file.with_suffix(".fetched")
            if not storage.fetch(parent, BACKBONE_FILE, fetched):
                raise unreadable("they are not there")
            if artefacts.file_sha256(fetched) != kept[BACKBONE_FILE]:
                raise unreadable("they are not those of its outcome")
            fetched.replace(file)
        file.touch()  # in use
    return file
