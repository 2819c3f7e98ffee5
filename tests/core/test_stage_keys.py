"""Keys: the same wherever and whenever they are made; changed by what can change a number alone."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from gpbench.core.dataset import Band, DatasetInfo, Protocol
from gpbench.core.recipe import Execution, FinetuneRecipe, Optimisation, PretrainRecipe
from gpbench.core.stage import (
    DatasetSpec,
    FinetuneSpec,
    Numerics,
    PluginSpec,
    PretrainSpec,
    SourceSpec,
    StageRequest,
    StageSpec,
    canonical_json,
    spec_from_dict,
)

NUMERICS = Numerics(cpu_threads=2, precision="fp32", channels_last=False)
DATASET = DatasetSpec(
    PluginSpec("town", 1),
    DatasetInfo("Town", 1, (Band("red"), Band("nir")), ("ground", "house")),
    Protocol("standard", 1, "mIoU", tile_px=64, stride_px=32),
    fingerprint="f" * 64,
)
PRETRAIN = PretrainSpec(
    strategy=PluginSpec("generalised", 1, {"shuffle": "sample", "probability": 1.0}),
    phase="csp",
    position=0,
    backbone="test_convnext3",
    in_chans=4,
    sources=(SourceSpec("labelled", PluginSpec("demo", 1), "a" * 64),),
    recipe=PretrainRecipe(batch=32, crop_px=64, steps=200),
    numerics=NUMERICS,
    pretrain_seed=0,
)
FINETUNE = FinetuneSpec(
    backbone="test_convnext3",
    in_chans=2,
    dataset=DATASET,
    recipe=FinetuneRecipe(batch=16, steps=120),
    numerics=NUMERICS,
    replicate=0,
    parent=PRETRAIN.key,
    parent_stem="target",
)


def test_keys_of_two_fixed_specs_are_as_committed() -> None:
    """A key that moves orphans every stored result: the next run trains everything again.

    When this fails because a spec gained a field or a default changed, that is what happens to
    users' databases; commit the new keys only if it is meant.
    """
    assert PRETRAIN.key == "33a5e942f50f37088f7b32e67fbe42607968afd40bae8b60a6c05446267095f8"
    assert FINETUNE.key == "58a30803887f86b71217a8b20cdc6f018c574ac4f7a2374158232991f811ba9c"


@pytest.mark.parametrize(
    "change",
    [
        {"strategy": PluginSpec("generalised", 2, PRETRAIN.strategy.params)},
        {"strategy": PluginSpec("generalised", 1, {"shuffle": "batch", "probability": 1.0})},
        {"phase": "other"},
        {"position": 1},
        {"backbone": "convnext_tiny"},
        {"in_chans": 5},
        {"sources": (SourceSpec("labelled", PluginSpec("demo", 1), "b" * 64),)},
        {"sources": (SourceSpec("labelled", PluginSpec("demo", 2), "a" * 64),)},
        {"recipe": dataclasses.replace(PRETRAIN.recipe, steps=201)},
        {"recipe": dataclasses.replace(PRETRAIN.recipe, optim=Optimisation(lr=2e-3))},
        {"numerics": dataclasses.replace(NUMERICS, cpu_threads=1)},
        {"numerics": dataclasses.replace(NUMERICS, precision="bf16")},
        {"pretrain_seed": 1},
        {"parent": "c" * 64},
        {"inflate": "mean"},
        {"dataset": DATASET},
        {"engine_version": 3},
    ],
)
def test_what_can_change_pretrained_weights_changes_their_key(change: dict[str, Any]) -> None:
    assert dataclasses.replace(PRETRAIN, **change).key != PRETRAIN.key


@pytest.mark.parametrize(
    "change",
    [
        {"replicate": 1},
        {"label_fraction": 0.5},
        {"parent": None},
        {"inflate": "mean"},
        {"recipe": dataclasses.replace(FINETUNE.recipe, head="FCNHead")},
        {"dataset": dataclasses.replace(DATASET, fingerprint="e" * 64)},
        {"dataset": dataclasses.replace(DATASET, plugin=PluginSpec("town", 2))},
        {
            "dataset": dataclasses.replace(
                DATASET, protocol=dataclasses.replace(DATASET.protocol, stride_px=64)
            )
        },
    ],
)
def test_what_can_change_a_score_changes_the_key(change: dict[str, Any]) -> None:
    assert dataclasses.replace(FINETUNE, **change).key != FINETUNE.key


@pytest.mark.parametrize(
    "change",
    [
        {"info": dataclasses.replace(DATASET.info, title="Village", licence="CC0")},
        {"protocol": dataclasses.replace(DATASET.protocol, metric="mF1", absent="zero")},
    ],
)
def test_how_a_dataset_is_shown_and_scored_leaves_the_key(change: dict[str, Any]) -> None:
    """Counts are stored and scores derived: another metric needs no other training."""
    dataset = dataclasses.replace(DATASET, **change)
    assert dataclasses.replace(FINETUNE, dataset=dataset).key == FINETUNE.key


@pytest.mark.parametrize(
    "spec", [PRETRAIN, FINETUNE, dataclasses.replace(PRETRAIN, dataset=DATASET)]
)
def test_spec_survives_json_with_its_key(spec: StageSpec) -> None:
    again = spec_from_dict(json.loads(canonical_json(spec)))
    assert again == spec
    assert again.key == spec.key


def test_order_in_which_parameters_were_given_leaves_the_key() -> None:
    turned = PluginSpec("generalised", 1, {"probability": 1.0, "shuffle": "sample"})
    assert dataclasses.replace(PRETRAIN, strategy=turned).key == PRETRAIN.key


def test_where_and_how_a_stage_is_run_is_no_part_of_its_spec() -> None:
    here = StageRequest(PRETRAIN, "/here", None, {"labelled": "/a"}, "/data", Execution())
    there = StageRequest(
        PRETRAIN, "/there", None, {"labelled": "/b"}, "/elsewhere",
        Execution(device="cuda", loader_workers=9, micro_batch=1), keep_weights=False,
    )  # fmt: skip
    assert StageRequest.from_json(here.to_json()).spec.key == PRETRAIN.key
    assert StageRequest.from_json(there.to_json()).spec.key == PRETRAIN.key
    fields = {field.name for field in dataclasses.fields(Execution)}
    assert not fields & set(json.loads(canonical_json(PRETRAIN)))
