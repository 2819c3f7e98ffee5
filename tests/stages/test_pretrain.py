"""What a pre-training stage refuses before it trains, and what it leaves behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from gpbench.core.recipe import Execution, Optimisation, PretrainRecipe
from gpbench.core.stage import (
    BACKBONE_FILE,
    Numerics,
    PluginSpec,
    PretrainSpec,
    SourceSpec,
    StageRequest,
)
from gpbench.engine.monitor import Silent
from gpbench.stages.run import run_stage

RECIPE = PretrainRecipe(batch=6, crop_px=32, steps=2, optim=Optimisation(warmup_steps=0))
SPEC = PretrainSpec(
    PluginSpec("imagenet", 1, {}),
    "supervised",
    0,
    "test_convnext3",
    3,
    (SourceSpec("labelled", PluginSpec("demo", 1), "f" * 64),),
    RECIPE,
    Numerics(1, "fp32", channels_last=False),
    pretrain_seed=0,
)


def request(folder: Path, spec: PretrainSpec = SPEC, **execution: Any) -> StageRequest:
    settings = Execution(device="cpu", loader_workers=0, **execution)
    return StageRequest(spec, str(folder), None, {}, str(folder), settings)


def test_outcome_names_the_weights_it_left_and_the_request_survives_json(tmp_path: Path) -> None:
    asked = request(tmp_path)
    assert StageRequest.from_json(asked.to_json()) == asked
    outcome = run_stage(asked, Silent())
    assert outcome.status == "ok", outcome.error
    assert [each.name for each in outcome.artefacts] == [BACKBONE_FILE]
    assert all(torch.isfinite(each).all() for each in load_file(tmp_path / BACKBONE_FILE).values())
    assert json.loads((tmp_path / "outcome.json").read_text())["key"] == SPEC.key
    assert not (tmp_path / "checkpoint.pt").exists()


def test_micro_batches_change_the_weights_by_rounding_alone(tmp_path: Path) -> None:
    run_stage(request(tmp_path / "whole"), Silent())
    run_stage(request(tmp_path / "cut", micro_batch=2), Silent())
    whole, cut = (load_file(tmp_path / name / BACKBONE_FILE) for name in ("whole", "cut"))
    for name, weights in whole.items():
        torch.testing.assert_close(cut[name], weights, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"backbone": "test_resnet"}, "batch statistics"),
        ({"recipe": replace(RECIPE, drop_path=0.2)}, "drops at random"),
    ],
)
def test_micro_batches_are_refused_where_they_would_change_numbers(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    outcome = run_stage(request(tmp_path, replace(SPEC, **changes), micro_batch=2), Silent())
    assert outcome.status == "invalid"
    assert reason in str(outcome.error)
    assert "Traceback" in (tmp_path / "log.txt").read_text()


def test_loss_that_explodes_is_an_outcome_with_its_step(tmp_path: Path) -> None:
    wild = replace(RECIPE, steps=20, optim=Optimisation(lr=1e30))
    outcome = run_stage(request(tmp_path, replace(SPEC, recipe=wild)), Silent())
    assert outcome.status == "diverged"
    assert outcome.diverged_at is not None
    assert 0 < outcome.diverged_at < 20


def test_unknown_phase_breaks_the_plugins_contract(tmp_path: Path) -> None:
    outcome = run_stage(request(tmp_path, replace(SPEC, phase="gone")), Silent())
    assert "'gone'" in str(outcome.error)
