"""What a node is told that prepares a dataset itself and shares no folder with the driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpbench.core.stage import PretrainSpec, StageRequest
from gpbench.planning import requests
from tests import plugins
from tests.planning.asked import plan


def test_storage_and_dataset_travel_with_every_stage_that_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins.install(
        tmp_path, monkeypatch, "datasets", {"town": plugins.dataset("red", "green", "blue")}
    )
    for split in ("train", "test"):
        (tmp_path / "data" / split).mkdir(parents=True)
        (tmp_path / "data" / split / "a.png").touch()
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        (tmp_path / "pictures" / name / "x.png").touch()
    monkeypatch.chdir(tmp_path)
    found = plan(
        strategies=["imagenet"],
        datasets=["town"],
        sources=["folder[root=pictures]"],
        data_root=["town=data", "loveda=elsewhere"],
        allow_partial=True,
    )
    sent = requests(found, tmp_path, storage="s3://bucket/runs").values()
    assert len(sent) == 2
    for request in sent:
        reads = not isinstance(request.spec, PretrainSpec)
        assert request.storage == "s3://bucket/runs"
        assert request.selector == ("town" if reads else None)
        assert request.data_roots == ({"town": str(tmp_path / "data")} if reads else {})
        assert request.roots == ({} if reads else {"labelled": str(tmp_path / "pictures")})
        assert request.allow_partial == reads
        assert StageRequest.from_json(request.to_json()) == request


def test_without_a_storage_the_working_directory_is_shared(tmp_path: Path) -> None:
    found = plan(strategies=["imagenet"], datasets=["demo-mfnet"])
    assert {request.storage for request in requests(found, tmp_path).values()} == {None}
