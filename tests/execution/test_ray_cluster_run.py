"""A run on a cluster of several nodes on one machine, each with a scratch folder of its own."""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_run import counts_of
from tests.execution.runs import (
    MARK,
    SMALL,
    Run,
    end_all,
    marked,
    opened,
    ran_well,
    states_of,
    wait_until,
)

pytestmark = pytest.mark.slow

GRID = (
    *SMALL,
    *("-s", "scratch,imagenet", "-d", "demo-isaid", "--pretrain-seeds", "2"),
    *("--set", "pretrain.steps=30", "--set", "finetune.steps=30"),
    *("--set", "execution.checkpoint_seconds=0"),
)
STAGES = 6


@dataclass(frozen=True)
class Nodes:
    """A cluster whose nodes stand for machines."""

    cluster: Any
    folder: Path

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def scratch(self, name: str) -> Path:
        return self.folder / name

    def add(self, name: str, **variables: str) -> Any:
        """Start a node for one stage at a time."""
        return self.cluster.add_node(**self._arguments(name, **variables))

    def begin(self, name: str, temporary: Path) -> None:
        """Start the first node."""
        self.cluster.add_node(
            **self._arguments(name), temp_dir=str(temporary), include_dashboard=False
        )

    def _arguments(self, name: str, **variables: str) -> dict[str, Any]:
        own = {"GPBENCH_SCRATCH": str(self.scratch(name)), **variables}
        return {"num_cpus": 1, "env_vars": own}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Return a cluster of the nodes `one` and `two`."""
    from ray.cluster_utils import Cluster

    mark = uuid.uuid4().hex
    # Ray's sockets lie below it, and the path of a socket is short
    temporary = Path(tempfile.mkdtemp(prefix="gpbench-test-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            (MARK, mark),
            ("RAY_USAGE_STATS_ENABLED", "0"),
            ("RAY_BACKEND_LOG_LEVEL", "fatal"),
        ):
            patch.setenv(name, value)
        cluster = Cluster(shutdown_at_exit=False)
        nodes = Nodes(cluster, tmp_path_factory.mktemp("nodes"))
        try:
            nodes.begin("one", temporary)
            nodes.add("two")
            yield nodes
        finally:
            cluster.shutdown()
            end_all(lambda: marked(mark))
            shutil.rmtree(temporary, ignore_errors=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    workdir = tmp_path_factory.mktemp("undisturbed")
    ran_well(workdir, (*GRID, "--executor", "inline", "-j", "2"))
    return counts_of(workdir)


Joined = Callable[..., Run]


@pytest.fixture
def joined(nodes: Nodes, tmp_path: Path) -> Joined:
    """Return what makes a run on the cluster; only the storage is common to all of its nodes."""

    def make(*arguments: str) -> Run:
        common = ("--address", nodes.address, "--storage", str(tmp_path / "storage"))
        return Run(tmp_path / "work", (*GRID, "--executor", "ray", *common, *arguments))

    return make


def prepared(scratch: Path) -> list[str]:
    """Return the tile stores that a node has prepared, whole or not."""
    folder = scratch / "data"
    return [path.name for path in folder.iterdir() if path.is_dir()] if folder.exists() else []


def test_nodes_share_the_stages_and_each_prepares_the_data_once(
    nodes: Nodes, joined: Joined, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    with joined() as run:
        said = run.ended()
        assert said.code == 0, said.err
        assert not run.left()
    assert counts_of(tmp_path / "work") == undisturbed
    (store,) = prepared(nodes.scratch("one"))
    assert prepared(nodes.scratch("two")) == [store]
    for name in ("one", "two"):  # what stages left is in the storage
        assert not list((nodes.scratch(name) / "stages").glob("*/*"))
    with opened(tmp_path / "work") as database:
        keys = database.states(list(undisturbed))
        pids = {facts["worker_pid"] for facts in database.environments(list(keys)).values()}
    assert len(pids) >= 2
    assert len(list((tmp_path / "storage" / "stages").iterdir())) == STAGES


def test_stages_of_a_removed_node_go_on_elsewhere_from_their_checkpoints(
    nodes: Nodes, joined: Joined, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    third = nodes.add("three")
    with joined() as run:
        wait_until(
            lambda: any((nodes.scratch("three") / "stages").glob("*/checkpoint.pt")),
            "a checkpoint on the node that is to go",
        )
        nodes.cluster.remove_node(third, allow_graceful=False)
        said = run.ended()
        assert said.code == 0, said.err
        assert not run.left()
    assert states_of(tmp_path / "work") == {"done": STAGES}
    assert counts_of(tmp_path / "work") == undisturbed


@pytest.fixture
def other_torch(tmp_path: Path) -> str:
    """Return a folder that makes another version of torch seem to be installed."""
    info = tmp_path / "other" / "torch-9.9.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.9\n")
    return str(info.parent)


def test_node_that_joins_a_run_with_another_torch_ends_it_and_no_stage_has_failed(
    nodes: Nodes, joined: Joined, other_torch: str, tmp_path: Path
) -> None:
    endless = (f"{kind}.steps={10**6}" for kind in ("pretrain", "finetune"))
    strange = None
    try:
        with joined(*(word for steps in endless for word in ("--set", steps))) as run:
            wait_until(
                lambda: all(
                    any((nodes.scratch(name) / "stages").glob("*/checkpoint.pt"))
                    for name in ("one", "two")
                ),
                "a stage on each of the right nodes",
            )
            strange = nodes.add("strange", PYTHONPATH=other_torch)
            said = run.ended()
            assert not run.left()
    finally:
        if strange is not None:
            nodes.cluster.remove_node(strange)  # it says goodbye: no later run asks it
    assert said.code == 2, said.err
    needs = r"the Ray cluster needs this machine's versions: \S+ \(\S+\), which joined"
    assert re.search(needs + r" it during the run, has torch 9\.9 instead of \d", said.err)
    assert "Traceback" not in said.err
    assert states_of(tmp_path / "work") == {"pending": STAGES}


def test_node_with_another_torch_is_refused_by_name(
    nodes: Nodes, joined: Joined, other_torch: str, tmp_path: Path
) -> None:
    strange = nodes.add("strange", PYTHONPATH=other_torch)
    try:
        with joined() as run:
            said = run.ended()
            assert not run.left()
    finally:
        nodes.cluster.remove_node(strange)  # it says goodbye: no later run asks it
    assert said.code == 2
    assert "torch 9.9" in said.err
    assert metadata.version("torch") in said.err
    assert "127.0.0.1" in said.err or "(" in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "storage" / "stages").exists() or not any(
        (tmp_path / "storage" / "stages").iterdir()
    )
