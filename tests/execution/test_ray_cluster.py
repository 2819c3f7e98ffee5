"""Clusters of several nodes on one machine: joined, refused, a node lost."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from gpbench.core.errors import ConfigError, InvalidValueError, MissingExtraError
from gpbench.execution import ray_cluster
from gpbench.execution.executor import Died, Ended, Event, Progressed, Started
from gpbench.execution.ray_cluster import (
    ClusterOptions,
    Needs,
    differing,
    installed_versions,
    require_ray,
)
from gpbench.execution.ray_tune import RayTune
from tests.execution.ray_stages import FakeWork, Stage, act, pids


def test_a_missing_ray_names_what_runs_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require_ray()
    monkeypatch.setitem(sys.modules, "ray.tune", None)
    with pytest.raises(MissingExtraError, match=r"or use --executor inline$"):
        require_ray()


@pytest.mark.parametrize("address", ["ray://host:10001", "host", "local", "host:port"])
def test_an_address_that_cannot_be_one_is_refused(address: str) -> None:
    with pytest.raises(InvalidValueError, match=r"HOST:PORT of a Ray cluster, or auto$"):
        RayTune(ClusterOptions(address), Needs(1)).__enter__()


def test_an_address_where_nothing_answers_is_told_in_seconds() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(ConfigError, match=f"no Ray cluster answers at --address {address}"):
            RayTune(ClusterOptions(address), Needs(1)).__enter__()
        assert time.monotonic() - begun < 2 * ray_cluster.CONNECT_S


def test_an_address_where_something_else_answers_is_told_in_seconds() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        with pytest.raises(ConfigError, match=r"is no Ray cluster: give the port that `ray start"):
            RayTune(ClusterOptions(f"127.0.0.1:{web.server_port}"), Needs(1)).__enter__()
        web.shutdown()


def test_versions_are_compared_by_name() -> None:
    here = {"torch": "2.5", "numpy": "2.0"}
    assert differing(here, {"torch": "2.5", "numpy": "2.0", "other": "1"}) == ""
    assert differing(here, {"torch": "2.4"}) == (
        "torch 2.4 instead of 2.5, numpy (none) instead of 2.0"
    )


def test_versions_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([{"torch": "2.5"}])
    monkeypatch.setattr("gpbench.execution.ray_nodes.versions_of", lambda _: next(answers))
    installed_versions.cache_clear()
    try:
        assert installed_versions() == installed_versions() == {"torch": "2.5"}
    finally:
        installed_versions.cache_clear()


@pytest.fixture(scope="module")
def head() -> Iterator[Cluster]:
    """Return a cluster of one node with one processor."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(Path.cwd())
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        yield cluster
    finally:
        cluster.shutdown()
        if before is None:
            del os.environ["PYTHONPATH"]


@pytest.fixture
def other_torch(tmp_path: Path) -> str:
    """Return a folder that makes another version of torch seem to be installed."""
    facts = tmp_path / "torch-0.0.1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 0.0.1\n")
    return os.pathsep.join([str(tmp_path), str(Path.cwd())])


def joining(cluster: Cluster) -> ClusterOptions:
    return ClusterOptions(f"127.0.0.1:{cluster.address.rpartition(':')[2]}")  # no network


def joined(cluster: Cluster, cpus: int = 1) -> RayTune:
    return RayTune(joining(cluster), Needs(cpus, "cpu"), runner=act)


def trial_folders(cluster: Cluster) -> list[Path]:
    return list(Path(cluster.head_node.get_session_dir_path()).glob("artifacts/*/*"))


@pytest.mark.slow
def test_a_joined_cluster_is_left_as_it_was(head: Cluster, tmp_path: Path) -> None:
    work = FakeWork([Stage(f"s{i}") for i in range(5)], tmp_path)
    said: list[str] = []
    options = replace(joining(head), jobs=1)
    with RayTune(options, Needs(1, "cpu"), runner=act, say=said.append) as ray_tune:
        ray_tune.run(work)
    assert said == [f"joining Ray at {options.address}"]
    assert set(work.state.values()) == {"done"}
    assert trial_folders(head) == []


@pytest.mark.slow
def test_more_processors_than_any_node_has_are_refused(head: Cluster, tmp_path: Path) -> None:
    work = FakeWork([Stage("a")], tmp_path)
    with (
        pytest.raises(InvalidValueError, match=r"cpu_threads = 8 .* more than 1 processors$"),
        joined(head, cpus=8),
    ):
        pass
    assert work.asked == []


@pytest.mark.slow
def test_another_version_on_a_node_is_refused(
    head: Cluster, tmp_path: Path, other_torch: str
) -> None:
    node = head.add_node(num_cpus=1, env_vars={"PYTHONPATH": other_torch})
    work = FakeWork([Stage("a")], tmp_path)
    try:
        with pytest.raises(ConfigError, match=r"has torch 0\.0\.1 instead of \d"), joined(head):
            pass
    finally:
        head.remove_node(node)
    assert work.asked == []


@pytest.mark.slow
def test_a_node_that_joined_too_late_to_be_asked_runs_nothing(
    head: Cluster, tmp_path: Path, other_torch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpbench.execution.ray_tune.check_versions", lambda _nodes: None)
    node = head.add_node(num_cpus=2, env_vars={"PYTHONPATH": other_torch})
    work = FakeWork([Stage("a")], tmp_path)
    named = (
        rf"{re.escape(socket.gethostname())} \(\S+\), which joined it during the run, has torch 0"
    )
    try:
        with pytest.raises(ConfigError, match=named), joined(head, cpus=2) as ray_tune:
            ray_tune.run(work)
    finally:
        head.remove_node(node)
    assert work.said(Died, Ended) == []  # it has not failed
    assert pids(work, "a") == []


class StopsOnceItWaits(FakeWork):
    """Work that is to stop as soon as a stage was handed out."""

    def tick(self) -> list[str]:
        self.stop_wanted = "running" in self.state.values()
        return super().tick()


def held(**resources: float) -> Any:
    """Return an actor that holds a part of the cluster, as another user does."""

    class Holder:
        def is_there(self) -> bool:
            return True

    holder: Any = ray.remote(**resources)(Holder).remote()
    assert ray.get(holder.is_there.remote(), timeout=60)
    return holder


@pytest.mark.slow
def test_a_stop_does_not_wait_for_room_that_is_another_s(head: Cluster, tmp_path: Path) -> None:
    work = StopsOnceItWaits([Stage(f"s{i}") for i in range(5)], tmp_path)
    with joined(head) as ray_tune:
        other = held(num_cpus=1)
        ray_tune.run(work)
        del other
    assert work.said(Started) == []
    assert set(work.state.values()) == {"stopped", "waiting"}
    assert trial_folders(head) == []


@pytest.mark.slow
def test_a_small_stage_runs_while_a_larger_one_waits_for_room(
    head: Cluster, tmp_path: Path
) -> None:
    """Tune asks for one waiting trial at a time unless it is told otherwise."""
    node = head.add_node(num_cpus=4, num_gpus=4)  # so it says; no stage here uses one
    work = FakeWork([Stage("large"), Stage("small", kind="pretrain")], tmp_path)
    options = replace(joining(head), gpus_per_stage=2)
    try:
        with RayTune(options, Needs(1, pretrain_workers=2), runner=act) as ray_tune:
            others = [held(num_gpus=3)]
            work.on_event = lambda name, event: (
                others.clear() if (name, type(event)) == ("small", Ended) else None
            )
            ray_tune.run(work)
    finally:
        head.remove_node(node)
    assert work.said(Ended) == ["small", "large"]


@pytest.mark.slow
def test_stages_of_a_lost_node_run_again(head: Cluster, tmp_path: Path) -> None:
    node: Any = head.add_node(num_cpus=2)
    work = FakeWork([Stage("a", "hangs 1")], tmp_path)

    def lose(_name: str, event: Event) -> None:
        nonlocal node
        if isinstance(event, Progressed):
            head.remove_node(node)
        elif isinstance(event, Died):
            node = head.add_node(num_cpus=2)

    work.on_event = lose
    try:
        with joined(head, cpus=2) as ray_tune:
            ray_tune.run(work)
    finally:
        head.remove_node(node)
    assert work.said(Died, Ended) == ["a", "a"]
    assert work.state["a"] == "done"
    (reason,) = work.reasons("a")
    assert reason.startswith("its machine was lost")
