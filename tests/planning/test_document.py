"""`gpbench.plan/1`, requests and estimates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gpbench.config import config_folder
from gpbench.core.plan import BackboneFacts, Excluded, Plan
from gpbench.core.recipe import FinetuneRecipe
from gpbench.core.stage import StageRequest, State
from gpbench.planning import Pace, requests
from gpbench.planning.document import plan_document
from gpbench.planning.estimate import head_parameters, images_shown, weights_bytes
from tests.planning.asked import DEMO, plan, pretrainings, shown
from tests.plugins import dataset, install

ITEM_FIELDS = [
    "key", "kind", "phase", "arm", "backbone", "in_chans", "dataset", "label_fraction",
    "pretrain_seed", "finetune_seed", "needs", "state",
]  # fmt: skip


@pytest.fixture(scope="module")
def demo() -> Plan:
    return plan(config_folder() / "demo.yaml")


def test_document_has_the_fields_of_the_contract(demo: Plan) -> None:
    document = plan_document(demo, {})
    assert document["schema"] == "gpbench.plan/1"
    assert next(iter(document)) == "schema"
    assert {"cells", "stages", "estimate", "design", "excluded", "items"} <= set(document)
    assert list(document["stages"]) == ["total", "pretrain", "finetune", "done", "todo"]
    assert list(document["estimate"])[:3] == ["images", "gpu_hours", "bytes"]
    assert list(document["design"])[:5] == [
        "level", "pretrainings", "finetunings", "p_floor", "detectable_difference"
    ]  # fmt: skip
    assert all(list(item) == ITEM_FIELDS for item in document["items"])
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_document_of_the_demo(demo: Plan) -> None:
    document = plan_document(demo, {})
    assert document["cells"] == 12
    assert document["stages"] == {
        "total": 48, "pretrain": 12, "finetune": 36, "done": 0, "todo": 48
    }  # fmt: skip
    assert document["estimate"]["images"] == 12 * shown(DEMO.pretrain) + 36 * shown(DEMO.finetune)
    assert document["estimate"]["gpu_hours"] is None
    assert document["estimate"]["gpu_hours_reason"] == "no stages of its kind were run here yet"
    assert document["estimate"]["images_reason"] is None
    assert (document["design"]["pretrainings"], document["design"]["finetunings"]) == (3, 1)


def test_states_come_from_the_store_and_the_rest_is_pending(demo: Plan) -> None:
    first, second = list(demo.stages())[:2]
    states: dict[str, State] = {first: "done", second: "failed"}
    document = plan_document(demo, states)
    assert [item["state"] for item in document["items"][:3]] == ["done", "failed", "pending"]
    assert (document["stages"]["done"], document["stages"]["todo"]) == (1, 47)
    everything: dict[str, State] = dict.fromkeys(demo.stages(), "done")
    assert plan_document(demo, everything)["estimate"]["images"] == 0


def test_items_name_the_keys_they_need(demo: Plan) -> None:
    by_key = {item["key"]: item for item in plan_document(demo, {})["items"]}
    for item in by_key.values():
        if item["kind"] == "finetune" and item["arm"] == "imagenet":
            (parent,) = item["needs"]
            assert by_key[parent]["pretrain_seed"] == item["pretrain_seed"]
            assert by_key[parent]["phase"] == "supervised"
        else:
            assert item["arm"] == "generalised" or item["needs"] == []


def test_hours_come_from_measured_times(demo: Plan) -> None:
    stages = [item.spec for item in demo.stages().values()]
    pretraining = next(spec for spec in stages if spec is not None and spec.kind == "pretrain")
    finetuning = next(spec for spec in stages if spec is not None and spec.kind == "finetune")
    pace = Pace([(pretraining, 0.5 * images_shown(pretraining))])
    assert plan_document(demo, {}, pace=pace)["estimate"]["gpu_hours"] is None
    pace.add(finetuning, 2.0 * images_shown(finetuning))
    expected = (12 * shown(DEMO.pretrain) * 0.5 + 36 * shown(DEMO.finetune) * 2.0) / 3600
    document = plan_document(demo, {}, pace=pace)
    assert document["estimate"]["gpu_hours"] == pytest.approx(expected)
    everything: dict[str, State] = dict.fromkeys(demo.stages(), "done")
    nothing_left = plan_document(demo, everything)["estimate"]
    assert (nothing_left["gpu_hours"], nothing_left["gpu_hours_reason"]) == (0, None)


def test_bytes_are_those_of_kept_weights(demo: Plan) -> None:
    """1000 weights in the catalogue's backbone; a head of 32 channels has 11 * 9 * 32 * 32."""
    head = 11 * 9 * 32 * 32
    assert head_parameters(FinetuneRecipe(batch=1, steps=1, head_channels=32)) == head
    kept = plan_document(demo, {})["estimate"]["bytes"]
    assert kept == 4 * (12 * 1000 + 36 * (1000 + head))
    dropped = plan_document(demo, {}, keep_weights=False)["estimate"]["bytes"]
    assert dropped == 4 * 12 * 1000


def test_bytes_are_unknown_where_a_backbone_s_size_is(demo: Plan) -> None:
    facts = {"test_convnext3": BackboneFacts("test_convnext3", "hierarchical", None)}
    assert weights_bytes(pretrainings(demo), facts, keep_finetuned=True) is None
    estimate = plan_document(replace(demo, backbones=tuple(facts.values())), {})["estimate"]
    assert (estimate["bytes"], estimate["bytes_reason"]) == (
        None,
        "the size of a backbone is not known",
    )


def test_work_of_an_unprepared_stage_makes_the_estimate_unknown(demo: Plan) -> None:
    items = (*demo.items[:-1], replace(demo.items[-1], spec=None))
    estimate = plan_document(replace(demo, items=items), {})["estimate"]
    assert (estimate["images"], estimate["bytes"]) == (None, None)
    assert "epochs" in estimate["images_reason"]  # no data are missing
    gone = replace(demo, items=items, missing=(Excluded("town", "no folder"),))
    estimate = plan_document(gone, {})["estimate"]
    assert estimate["images_reason"] == "the data are missing: town"


def test_unprepared_stages_are_counted_once_and_have_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "datasets", {"town": dataset("red", "nir")})
    found = plan(
        strategies=["imagenet,imagenet[inflate=mean]"], datasets=["town"],
        sources=["folder[root=/nowhere]"], require_data=False,
    )  # fmt: skip
    document = plan_document(found, {})
    assert document["stages"] == {"total": 3, "pretrain": 1, "finetune": 2, "done": 0, "todo": 3}
    assert {item["state"] for item in document["items"]} == {"unprepared"}
    assert {item["key"] for item in document["items"]} == {None}
    assert all(item["needs"] == [] for item in document["items"])
    why = "the data are missing: town, folder"
    assert document["estimate"] == {
        **dict.fromkeys(("images", "gpu_hours", "bytes")),
        **dict.fromkeys(("images_reason", "gpu_hours_reason", "bytes_reason"), why),
    }
    assert requests(found, tmp_path) == {}


def test_requests_say_where_everything_lies(demo: Plan, tmp_path: Path) -> None:
    found = requests(demo, tmp_path, keep_weights=False)
    assert list(found) == list(demo.stages())
    for key, request in found.items():
        assert request.spec.key == key
        assert request.folder == str(tmp_path / "stages" / key)
        assert request.data_folder == str(tmp_path / "data")
        assert request.execution == demo.experiment.execution
        assert request.keep_weights == (request.spec.kind == "pretrain")
        if request.spec.parent is None:
            assert request.parent_weights is None
        else:
            parent = Path(str(request.parent_weights))
            assert parent == tmp_path / "stages" / request.spec.parent / "backbone.safetensors"
        assert StageRequest.from_json(request.to_json()) == request


def test_requests_hand_on_the_root_of_a_source_by_role(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"x")
    found = plan(sources=[f"folder[root={tmp_path}]"])
    roots = [request.roots for request in requests(found, tmp_path / "work").values()]
    assert roots == [{"labelled": str(tmp_path)}, {}]
