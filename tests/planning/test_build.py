"""Experiment -> Plan on the synthetic world and on fakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpbench import registry
from gpbench.config import config_folder
from gpbench.core.errors import (
    ConfigError,
    DataError,
    DatasetNotFoundError,
    UnknownNameError,
)
from gpbench.core.plan import BackboneCatalog, Plan
from gpbench.core.recipe import steps_of
from gpbench.core.stage import PretrainSpec
from gpbench.planning import build_plan
from gpbench.planning.data import DEFAULT_SOURCES
from tests.planning.asked import DEMO, finetunings, items, plan, pretrainings, shown, transfers
from tests.plugins import CARDS, SOURCE, dataset, install, strategy


@pytest.fixture(scope="module")
def demo() -> Plan:
    return plan(config_folder() / "demo.yaml")


# --- the demo ---


def test_demo_has_48_stages(demo: Plan) -> None:
    """3 + 9 pre-trainings: `generalised` needs one for each of the channel counts 3, 4 and 5."""
    assert len(demo.stages()) == 48
    by_arm = [(spec.strategy.name, spec.in_chans) for spec in pretrainings(demo)]
    assert sorted(by_arm) == sorted(
        [("imagenet", 3), ("generalised", 3), ("generalised", 4), ("generalised", 5)] * 3
    )
    assert len(finetunings(demo)) == 36
    assert demo.cells == 12
    assert not demo.trial
    assert demo.images == {
        "pretrain": 12 * shown(DEMO.pretrain),
        "finetune": 36 * shown(DEMO.finetune),
    }


def test_parents_come_before_their_children(demo: Plan) -> None:
    assert [item.index for item in demo.items] == list(range(len(demo.items)))
    assert all(need < item.index for item in demo.items for need in item.needs)
    for item in demo.items:
        parents = [demo.items[need].key for need in item.needs]
        assert item.spec is not None
        assert parents == ([item.spec.parent] if item.spec.parent else [])


def test_seeds_of_replicates(demo: Plan) -> None:
    """`scratch` takes the replicate number as its seed: replicates of all arms share theirs."""
    for item, spec in transfers(demo):
        if item.arm == "scratch":
            assert (item.pretrain_seed, item.finetune_seed) == (None, spec.replicate)
        else:
            assert (item.pretrain_seed, item.finetune_seed) == (spec.replicate, 0)
    assert {spec.replicate for _, spec in transfers(demo)} == {0, 1, 2}


def test_channels_of_pretraining_and_transfer(demo: Plan) -> None:
    found = {
        (item.arm, item.dataset): (item.in_chans, spec.parent_stem, spec.inflate)
        for item, spec in transfers(demo)
    }
    assert found["imagenet", "demo-isaid"] == (3, "rgb", None)
    assert found["imagenet", "demo-mfnet"] == (4, "rgb", "repeat")
    assert found["imagenet", "demo-potsdam"] == (5, "rgb", "repeat")
    assert found["generalised", "demo-mfnet"] == (4, "target", None)
    assert found["scratch", "demo-mfnet"] == (4, None, None)


def test_facts_for_reports(demo: Plan) -> None:
    facts = {each.arm: each for each in demo.strategies}
    assert facts["scratch"].chain == ()
    assert not facts["scratch"].pretrains
    assert facts["imagenet"].plugin.params == {"inflate": "repeat"}
    assert facts["generalised"].assumed == ("duplicate", "shuffle", "probability", "normalise")
    assert [each.name for each in demo.datasets] == [
        "demo-isaid", "demo-mfnet", "demo-pst900", "demo-potsdam"
    ]  # fmt: skip
    assert [each.name for each in demo.backbones] == ["test_convnext3"]


def test_plan_of_the_same_experiment_is_the_same(demo: Plan) -> None:
    assert plan(config_folder() / "demo.yaml") == demo


def test_low_label_shares_its_pretrainings_with_the_demo(demo: Plan) -> None:
    low = plan(config_folder() / "low_label.yaml")
    assert {spec.key for spec in pretrainings(low)} < {spec.key for spec in pretrainings(demo)}
    assert {item.label_fraction for item in items(low, "finetune")} == {0.1, 0.25, 1.0}
    full = {item.key for item in items(low, "finetune") if item.label_fraction == 1}
    assert full < set(demo.stages())


# --- seeds ---


def test_replicates_number_pairs_of_seed_values() -> None:
    found = plan(strategies=["imagenet,scratch"], pretrain_seeds="1,7", seeds="2")
    numbers = {
        (item.arm, item.pretrain_seed, item.finetune_seed): spec.replicate
        for item, spec in transfers(found)
    }
    assert numbers == {
        ("imagenet", 1, 0): 2, ("imagenet", 1, 1): 3,
        ("imagenet", 7, 0): 14, ("imagenet", 7, 1): 15,
        ("scratch", None, 2): 2, ("scratch", None, 3): 3,
        ("scratch", None, 14): 14, ("scratch", None, 15): 15,
    }  # fmt: skip


# --- keys: what they depend on ---


@pytest.mark.parametrize(
    "flags",
    [
        {"set": ["execution.device=cpu", "execution.loader_workers=7", "execution.micro_batch=2"]},
        {"experiment": "another"},
        {"environ": {"GPBENCH_DATA": "/somewhere"}},
        {"sources": ["demo"]},
        {"sources": ["labelled=demo"]},
        {"strategies": ["imagenet[inflate=mean]"]},
    ],
)
def test_how_and_where_a_plan_runs_leaves_its_keys(flags: dict[str, Any]) -> None:
    """demo-isaid is RGB: how its stem would be inflated changes nothing, so both arms share."""
    assert set(plan(**flags).stages()) == set(plan().stages())


def test_inflation_is_no_part_of_the_pretraining() -> None:
    found = plan(strategies=["imagenet,imagenet[inflate=mean]"], datasets=["demo-mfnet"])
    assert len(pretrainings(found)) == 1
    assert [spec.inflate for _, spec in transfers(found)] == ["repeat", "mean"]
    assert len(finetunings(found)) == 2
    assert len(items(found, "pretrain")) == 2


def test_target_channel_strategy_depends_on_the_channel_count_alone() -> None:
    found = plan(strategies=["generalised"], datasets=["demo-mfnet,demo-pst900"])
    (spec,) = pretrainings(found)
    assert spec.in_chans == 4
    assert spec.dataset is None


def test_moved_source_keeps_its_keys_and_a_changed_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "sources", {"pics": SOURCE})
    for name, size in (("here", 3), ("there", 3), ("changed", 4)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"x" * size)
    here, there, changed = (
        plan(sources=[f"pics[root={tmp_path}/{name}]"]) for name in ("here", "there", "changed")
    )
    assert set(here.stages()) == set(there.stages())
    assert not set(here.stages()) & set(changed.stages())
    assert here.source_roots == {"labelled": str(tmp_path / "here")}


def test_source_that_a_phase_does_not_read_leaves_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "sources", {"pics": SOURCE})
    with_more = plan(sources=["labelled=demo", f"unlabelled=pics[root={tmp_path}]"])
    assert set(with_more.stages()) == set(plan().stages())


def test_moved_dataset_keeps_its_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "datasets", {"town": dataset("red", "green", "blue")})
    for root in ("a", "b"):
        (tmp_path / root / "train").mkdir(parents=True)
        (tmp_path / root / "train" / "1.png").write_bytes(b"xyz")
    a, b = (
        plan(strategies=["scratch"], datasets=["town"], data_root=[f"town={tmp_path}/{root}"])
        for root in ("a", "b")
    )
    assert list(a.stages()) == list(b.stages())


# --- chains ---


def test_equal_prefixes_of_chains_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = strategy('[Phase("more", "labelled", None)]', params="    width: int = 1")
    install(tmp_path, monkeypatch, "strategies", {"more": more})
    found = plan(strategies=["imagenet+more", "imagenet+more[width=2]"])
    first, *others = pretrainings(found)
    assert first.strategy.name == "imagenet"
    assert [spec.parent for spec in others] == [first.key, first.key]
    assert [spec.position for spec in others] == [1, 1]
    assert [spec.recipe.steps for spec in (first, *others)] == [steps_of(DEMO.pretrain) // 2] * 3
    assert found.strategies[0].chain == ("supervised", "more")
    assert found.strategies[0].title == "Supervised ImageNet pre-training + Fake"


def test_phase_on_more_channels_inflates_its_parent_s_stem_once_per_dataset() -> None:
    found = plan(
        strategies=["imagenet[inflate=zero]+generalised"],
        datasets=["demo-isaid,demo-mfnet,demo-pst900"],
    )
    second = [spec for spec in pretrainings(found) if spec.position == 1]
    assert [(spec.in_chans, spec.parent_stem, spec.inflate) for spec in second] == [
        (3, "rgb", None), (4, "rgb", "zero"), (4, "rgb", "zero")
    ]  # fmt: skip
    assert [spec.dataset is None for spec in second] == [True, False, False]
    assert len({spec.key for spec in second}) == 3
    assert {spec.parent_stem for spec in finetunings(found)} == {"target"}


def test_chain_from_more_channels_back_to_three_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        plan(strategies=["generalised+imagenet"], datasets=["demo-mfnet"])
    assert str(caught.value) == (
        "arm 'generalised+imagenet' cannot run on dataset 'demo-mfnet': 'imagenet' trains on 3 "
        "channels, after a strategy that trained on the dataset's 4; put it first in the chain"
    )


def test_phase_on_the_target_s_own_images_depends_on_the_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapt = strategy('[Phase("adapt", "target-train", None)]', channels="target")
    install(tmp_path, monkeypatch, "strategies", {"adapt": adapt})
    found = plan(strategies=["adapt"], datasets=["demo-mfnet,demo-pst900"], label_fraction="0.5,1")
    assert [spec.dataset.plugin.name for spec in pretrainings(found) if spec.dataset] == [
        "demo-mfnet", "demo-pst900"
    ]  # fmt: skip
    assert [item.dataset for item in items(found, "pretrain")] == ["demo-mfnet", "demo-pst900"]
    assert all(spec.sources == () for spec in pretrainings(found))
    assert len(finetunings(found)) == 4


def test_phase_with_two_roles_reads_both_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "sources", {"pics": SOURCE})
    both = strategy('[Phase("both", ("labelled", "unlabelled"), None)]')
    install(tmp_path / "more", monkeypatch, "strategies", {"both": both})
    found = plan(
        strategies=["both"], sources=["labelled=demo", f"unlabelled=pics[root={tmp_path}]"]
    )
    (spec,) = pretrainings(found)
    assert [(each.role, each.source.name) for each in spec.sources] == [
        ("labelled", "demo"), ("unlabelled", "pics")
    ]  # fmt: skip
    assert found.images["pretrain"] == 2 * shown(DEMO.pretrain)


# --- epochs ---


def test_epochs_of_a_source_become_steps() -> None:
    (spec,) = pretrainings(plan(set=["pretrain.epochs=2"]))
    images = len(registry.load("sources", "demo").images(Path(), "labelled"))
    assert spec.recipe.steps == round(2 * images / DEMO.pretrain.batch)
    assert spec.recipe.epochs is None


def test_epochs_of_a_dataset_need_its_tiles_counted() -> None:
    asked: dict[str, Any] = {"set": ["finetune.epochs=2"]}
    (spec,) = finetunings(plan(training_tiles={"demo-isaid": 320}, label_fraction="0.5", **asked))
    assert (spec.recipe.steps, spec.recipe.epochs) == (320 // DEMO.finetune.batch, None)
    assert finetunings(plan(require_data=False, **asked)) == []
    with pytest.raises(ConfigError) as caught:
        plan(**asked)
    assert str(caught.value) == (
        "finetune.epochs = 2 cannot be turned into steps: the tiles of 'demo-isaid' are not "
        "counted; give finetune.steps"
    )


# --- bands ---


@pytest.mark.parametrize(
    ("bands", "inflate"),
    [
        (("red", "green", "blue"), None),
        (("Red", "Green", "Blue"), None),
        (("nir", "red", "green"), "repeat"),
        (("blue", "green", "red"), "repeat"),
        (("red",), "repeat"),
    ],
)
def test_stem_is_inflated_by_band_name_and_not_by_count(
    bands: tuple[str, ...],
    inflate: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(tmp_path, monkeypatch, "datasets", {"town": dataset(*bands)})
    found = plan(datasets=["town"], data_root=[f"town={tmp_path}"], sources=["demo"])
    (spec,) = finetunings(found)
    assert (spec.in_chans, spec.inflate) == (len(bands), inflate)


# --- what is not there ---


def test_named_dataset_without_data_is_unprepared_in_a_plan_and_an_error_in_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "datasets", {"town": dataset("red", "nir")})
    asked: dict[str, Any] = {"datasets": ["town,demo-mfnet"], "sources": ["demo"]}
    found = plan(require_data=False, **asked)
    keys = {item.dataset: item.key for item in items(found, "finetune")}
    assert keys["town"] is None
    assert keys["demo-mfnet"] is not None
    assert [item.key is None for item in items(found, "pretrain")] == [False]
    with pytest.raises(DatasetNotFoundError) as caught:
        plan(**asked)
    assert str(caught.value) == (
        "no folder is known for 'town'; put it into $GPBENCH_DATA/town, or name its folder: "
        "--data-root town=DIR"
    )
    with pytest.raises(DatasetNotFoundError, match="no data for 'fake' at /nowhere/town"):
        plan(environ={"GPBENCH_DATA": "/nowhere"}, **asked)


def test_missing_source_leaves_everything_after_it_unprepared_and_counted_once() -> None:
    asked: dict[str, Any] = {
        "sources": ["folder[root=/nowhere]"],
        "strategies": ["imagenet,imagenet[inflate=mean]"],
    }
    found = plan(require_data=False, **asked)
    assert [item.key for item in found.items] == [None] * 4
    assert len({item.identity for item in found.items}) == 2
    with pytest.raises(DatasetNotFoundError, match="no data for 'folder' at /nowhere"):
        plan(**asked)


def test_phase_after_one_without_data_has_no_key_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = strategy('[Phase("later", "unlabelled", None)]')
    install(tmp_path, monkeypatch, "strategies", {"later": later})
    found = plan(
        strategies=["imagenet+later"],
        sources=["labelled=folder[root=/nowhere]", "unlabelled=demo"],
        require_data=False,
    )
    assert [item.key for item in found.items] == [None, None, None]


def test_default_source_that_is_not_installed_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(DEFAULT_SOURCES, "labelled", "far-away")
    with pytest.raises(ConfigError) as caught:
        plan(datasets=["demo-isaid", "folder[card=configs/real-run/urban_trees.yaml]"],
             require_data=False)  # fmt: skip
    assert str(caught.value) == (
        "arm 'imagenet' reads images of the role 'labelled': no source is named for it, and the "
        "default source 'far-away' is not installed; name one: --source labelled=NAME, or "
        "--source 'labelled=folder[root=DIR]' for images in a folder"
    )


def strategies() -> list[str]:
    return [each.name for each in registry.listed("strategies")]


def test_what_a_pattern_brought_in_and_cannot_run_is_excluded_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "datasets", {"town_a": dataset("red"), "town_b": dataset("red")})
    install(tmp_path / "more", monkeypatch, "strategies", {"broken": "1 / 0"})
    asked: dict[str, Any] = {
        "strategies": ["all"],
        "datasets": ["town-*"],
        "data_root": [f"town-b={tmp_path}"],
        "sources": ["demo"],
    }
    found = plan(**asked)
    assert plan(require_data=False, **asked) == found
    assert [each.name for each in found.excluded] == ["broken", "town-a"]
    assert "ZeroDivisionError" in found.excluded[0].reason
    assert found.excluded[1].reason.startswith("no folder is known for 'town-a'; put it into")
    assert {item.dataset for item in items(found, "finetune")} == {"town-b"}
    assert {item.arm for item in found.items} == {*strategies()} - {"broken"}


def test_arm_that_a_pattern_brought_in_is_excluded_where_its_role_has_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = strategy('[Phase("a", "scenes", None)]')
    install(tmp_path, monkeypatch, "strategies", {"far": far})
    install(tmp_path / "more", monkeypatch, "datasets", {"town": dataset("red")})
    install(tmp_path / "yet", monkeypatch, "sources", {"pictures": SOURCE})
    monkeypatch.setitem(DEFAULT_SOURCES, "scenes", "pictures")
    asked: dict[str, Any] = {
        "datasets": ["town"],
        "data_root": [f"town={tmp_path}"],
        "sources": ["labelled=demo"],
    }
    found = plan(strategies=["all"], **asked)
    assert [each.name for each in found.excluded] == ["far"]
    assert "reads images of the role 'scenes'" in found.excluded[0].reason
    with pytest.raises(ConfigError, match="default source 'pictures' does not serve it"):
        plan(strategies=["far"], **asked)


def test_arm_that_a_pattern_brought_in_is_excluded_where_the_default_source_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "datasets", {"town": dataset("red")})
    found = plan(strategies=["all"], datasets=["town"], data_root=[f"town={tmp_path}"])
    pretrained = [name for name in strategies() if name != "scratch"]
    assert [each.name for each in found.excluded] == pretrained
    assert {"generalised", "imagenet"} <= {*pretrained}
    assert found.excluded[0].reason.startswith(
        "no folder is known for 'imagenet-1k'; it serves the role 'labelled': put it into "
        "$GPBENCH_DATA/imagenet-1k, or name its folder: "
        "--source 'labelled=imagenet-1k[root=DIR]'. "
    )
    assert "image-net.org" in found.excluded[0].reason
    assert {item.arm for item in found.items} == {"scratch"}


def test_nothing_left_says_what_was_left_out_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "datasets", {"town": dataset("red")})
    with pytest.raises(ConfigError) as caught:
        plan(datasets=["tow*"], sources=["demo"])
    assert str(caught.value) == (
        "nothing to run: no dataset is left of what was asked for\n"
        "  - town: no folder is known for 'town'; put it into $GPBENCH_DATA/town, or name its "
        "folder: --data-root town=DIR"
    )


def test_files_that_are_not_as_declared_are_an_error_for_plan_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "datasets", {"town": dataset("red", "nir")})
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "gone.png").symlink_to(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"train/gone.png cannot be read: No such file"):
        plan(
            datasets=["town"], data_root=[f"town={tmp_path}"], sources=["demo"], require_data=False
        )


def test_two_datasets_of_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "datasets", {"cards": CARDS})
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("trees")
    with pytest.raises(ConfigError, match="two datasets have the name 'cards:trees'"):
        plan(
            datasets=[f"cards[card={tmp_path}/a.yaml],cards[card={tmp_path}/b.yaml]"],
            sources=["demo"],
        )


def test_card_s_content_and_not_its_path_enters_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "datasets", {"cards": CARDS})
    keys = []
    for folder, name in (("a", "trees"), ("b", "trees"), ("c", "cars")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.yaml").write_text(name)
        card = tmp_path / folder / "x.yaml"
        found = plan(strategies=["scratch"], datasets=[f"cards[card={card}]"])
        assert [each.name for each in found.datasets] == [f"cards:{name}"]
        keys.append(set(found.stages()))
    assert keys[0] == keys[1]
    assert not keys[0] & keys[2]


def test_two_sources_for_one_role_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        plan(sources=["demo", "folder[root=/x]"])
    assert str(caught.value) == (
        "demo and folder both serve the role 'labelled': say which, --source labelled=demo"
    )


def test_source_with_a_role_comes_before_one_without() -> None:
    (spec,) = pretrainings(plan(sources=["folder[root=/x]", "labelled=demo"]))
    assert [each.source.name for each in spec.sources] == ["demo"]


def test_source_that_does_not_offer_the_role_it_is_named_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "sources", {"pics": SOURCE})
    with pytest.raises(UnknownNameError) as caught:
        plan(sources=["scenes=pics"])
    assert str(caught.value) == (
        "unknown role of source 'pics' 'scenes'. Known: labelled, unlabelled."
    )


def test_backbone_that_is_gone_since_the_experiment_was_made_is_refused() -> None:
    experiment = plan(backbones=["test_vit"]).experiment
    catalog = BackboneCatalog(frozenset({"test_vit2"}))
    with pytest.raises(UnknownNameError, match=r"unknown backbone 'test_vit'\. Did you mean"):
        build_plan(experiment, catalog, require_data=True)


def test_isotropic_backbone_is_planned_like_any_other() -> None:
    found = plan(backbones=["test_*"])
    assert {item.backbone for item in found.items} == {"test_convnext3", "test_vit"}
    assert all(isinstance(spec, PretrainSpec) for spec in pretrainings(found))
