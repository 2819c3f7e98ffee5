"""Defaults < file < environment < flags -> Experiment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gpbench.config import config_folder, data_roots, load_experiment, load_recipe
from gpbench.core.errors import ConfigError, GpbenchError, UnknownNameError
from gpbench.core.plan import Experiment, SourceChoice
from tests.plugins import CARDS, dataset, install, strategy

BACKBONES = frozenset({"swin_tiny_patch4_window7_224", "convnext_tiny", "test_convnext3"})
ASKED: dict[str, Any] = {"strategies": ["imagenet"], "datasets": ["demo-isaid"], "recipe": "demo"}


def load(
    file: Path | None = None, environ: Mapping[str, str] | None = None, **flags: Any
) -> Experiment:
    return load_experiment(file, flags, environ or {}, BACKBONES)


def written(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def message_of(*arguments: Any, **flags: Any) -> str:
    with pytest.raises(GpbenchError) as caught:
        load(*arguments, **flags)
    return str(caught.value)


# --- defaults and precedence ---


def test_defaults() -> None:
    experiment = load(strategies=["imagenet"], datasets=["demo-isaid"])
    assert experiment.backbones == ("swin_tiny_patch4_window7_224", "convnext_tiny")
    assert experiment.recipe == load_recipe("paper")
    assert (experiment.pretrain_seeds, experiment.seeds) == ((0, 1, 2), (0,))
    assert experiment.label_fractions == (1.0,)
    assert experiment.sources == ()
    assert experiment.limit is None
    assert not experiment.allow_partial


def test_every_field_of_a_file(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """
        name: everything
        strategies: [scratch, 'imagenet[inflate=mean]']
        backbones: test_convnext3
        datasets: demo-isaid, demo-mfnet
        sources: unlabelled=folder[root=pics],demo
        pretrain_seeds: 1,7
        seeds: [3]
        label_fraction: [0.1, 1]
        recipe: demo
        pretrain: {steps: 7, optim: {lr: 1e-4}}
        cpu_threads: 3
        precision: bf16
        channels_last: true
        execution: {loader_workers: 4}
        data_roots: {folder: raw}
        limit: 5
        allow_partial: true
        """,
    )
    experiment = load(file)
    assert experiment.name == "everything-trial-5"
    assert experiment.arms == ("scratch", "imagenet[inflate=mean]")
    assert experiment.backbones == ("test_convnext3",)
    assert experiment.datasets == ("demo-isaid", "demo-mfnet")
    assert experiment.sources == (
        SourceChoice("folder", "unlabelled", str(tmp_path / "pics")),
        SourceChoice("demo"),
    )
    assert (experiment.pretrain_seeds, experiment.seeds) == ((1, 7), (3,))
    assert experiment.label_fractions == (0.1, 1.0)
    assert experiment.recipe.pretrain.steps == 7
    assert experiment.recipe.pretrain.optim.lr == 1e-4
    assert experiment.recipe.cpu_threads == 3
    assert experiment.recipe.precision == "bf16"
    assert experiment.recipe.channels_last
    assert experiment.execution.loader_workers == 4
    assert experiment.data_roots == {"folder": str(tmp_path / "raw")}
    assert (experiment.limit, experiment.allow_partial) == (5, True)


def test_flags_replace_what_the_file_says_and_leave_the_rest(tmp_path: Path) -> None:
    file = written(tmp_path, "strategies: scratch\ndatasets: demo-isaid\nseeds: 4\nrecipe: demo\n")
    experiment = load(file, strategies=["imagenet"], seeds="2")
    assert experiment.arms == ("imagenet",)
    assert experiment.seeds == (0, 1)
    assert experiment.datasets == ("demo-isaid",)


def test_flag_that_is_not_given_says_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, "strategies: scratch\ndatasets: demo-isaid\nallow_partial: true\n")
    experiment = load(file, strategies=[], seeds=None, allow_partial=False)
    assert experiment.arms == ("scratch",)
    assert experiment.allow_partial


def test_set_writes_the_paths_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "strategies: scratch\ndatasets: demo-isaid\npretrain: {batch: 8}\n")
    settings = ["pretrain.steps=10", "finetune.optim.lr=1e-4", "execution.loader_workers=0"]
    experiment = load(file, recipe="demo", set=[*settings, "pretrain.optim.clip_grad=null"])
    assert experiment.recipe.pretrain.steps == 10
    assert experiment.recipe.pretrain.batch == 8
    assert experiment.recipe.finetune.optim.lr == 1e-4
    assert experiment.recipe.finetune.optim.schedule == "poly"
    assert experiment.execution.loader_workers == 0


def test_set_of_steps_replaces_the_epochs_of_recipe_and_file(tmp_path: Path) -> None:
    file = written(tmp_path, "strategies: scratch\ndatasets: demo-isaid\npretrain: {epochs: 2}\n")
    assert load(file, recipe="demo").recipe.pretrain.epochs == 2
    pretrain = load(file, recipe="demo", set=["pretrain.steps=9"]).recipe.pretrain
    assert (pretrain.steps, pretrain.epochs) == (9, None)


def test_data_roots_flag_over_variable_over_file(tmp_path: Path) -> None:
    file = written(tmp_path, "data_roots: {demo-isaid: a, demo-mfnet: b, demo-potsdam: c}\n")
    (tmp_path / "data" / "demo-isaid").mkdir(parents=True)
    (tmp_path / "data" / "demo-mfnet").mkdir()
    flags = {**ASKED, "data_root": [f"demo-isaid={tmp_path}/flag"]}
    roots = load(file, {"GPBENCH_DATA": str(tmp_path / "data")}, **flags).data_roots
    assert roots["demo-isaid"] == str(tmp_path / "flag")
    assert roots["demo-mfnet"] == str(tmp_path / "data" / "demo-mfnet")
    assert roots["demo-potsdam"] == str(tmp_path / "c")
    assert roots["demo-pst900"] == str(tmp_path / "data" / "demo-pst900")


def test_unreadable_folder_of_the_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(ConfigError, match=f"^GPBENCH_DATA names the folder {tmp_path}, .* denied"):
        data_roots({}, {"GPBENCH_DATA": str(tmp_path)})


def test_folder_dataset_has_a_data_root_by_the_name_of_its_card(tmp_path: Path) -> None:
    assert load(**ASKED, data_root=[f"folder:trees={tmp_path}"]).data_roots == {
        "folder:trees": str(tmp_path)
    }


# --- names ---


def test_all_strategies_are_those_without_a_required_parameter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = strategy("[]", params="    file: str")
    install(tmp_path, monkeypatch, "strategies", {"needs": needs, "broken": "1 / 0"})
    experiment = load(**{**ASKED, "strategies": ["all"]})
    assert set(experiment.arms) >= {"scratch", "imagenet", "generalised", "broken"}
    assert "needs" not in experiment.arms
    assert experiment.brought_in >= set(experiment.arms)


def test_all_datasets_are_neither_the_synthetic_ones_nor_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "datasets", {"real_town": dataset("red", "green", "blue")})
    experiment = load(**{**ASKED, "datasets": ["all"]})
    assert "real-town" in experiment.datasets
    assert not [name for name in experiment.datasets if name.startswith(("demo-", "folder"))]


def test_glob_reaches_what_all_leaves_out() -> None:
    experiment = load(**{**ASKED, "datasets": ["demo-*"]})
    assert "demo-isaid" in experiment.datasets
    assert experiment.brought_in == set(experiment.datasets)


def test_same_arm_written_twice_is_one_arm_and_named() -> None:
    arms = ["imagenet,imagenet[inflate=repeat]", "im*"]
    experiment = load(**{**ASKED, "strategies": arms})
    assert experiment.arms == ("imagenet",)
    assert not experiment.brought_in


def test_path_in_a_selector_starts_at_the_file_s_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "datasets", {"cards": CARDS})
    file = written(tmp_path, "datasets: cards[card=some/a.yaml]\n")
    (text,) = load(file, strategies=["scratch"]).datasets
    assert text == f"cards[card={tmp_path}/some/a.yaml]"


# --- the name of the experiment ---


def test_name_is_the_flag_else_the_field_else_the_stem(tmp_path: Path) -> None:
    plain = written(tmp_path, "strategies: scratch\ndatasets: demo-isaid\n", "plain.yaml")
    named = written(tmp_path, "name: said\nstrategies: scratch\ndatasets: demo-isaid\n")
    assert load(plain).name == "plain"
    assert load(named).name == "said"
    assert load(named, experiment="flag").name == "flag"
    assert load(named, experiment="flag", limit=2).name == "flag-trial-2"


def test_name_without_a_file_is_a_hash_of_what_is_asked_and_not_of_how_it_runs() -> None:
    name = load(**ASKED).name
    assert re.fullmatch(r"[0-9a-f]{10}", name)
    assert load(**ASKED, set=["execution.loader_workers=7"], data_root=["demo=/x"]).name == name
    assert load(**ASKED, seeds="2").name != name
    assert load(**ASKED, set=["pretrain.steps=5"]).name != name
    assert load(**ASKED, limit=1).name == f"{name}-trial-1"


# --- what is wrong ---


def test_all_problems_of_a_file_are_shown_together(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """
        strategies: imagnet, generalised[shufle=batch], generalised[shuffle=never]
        backbones: [convnxt_tiny]
        datasets: demo-isiad, folder
        source: demo
        seeds: x
        pretrain_seeds: true
        label_fraction: [0, 0.5]
        recipe: papr
        pretrain: {stepz: 10}
        finetune: {steps: 1, epochs: 1, optim: {lr: fast}}
        cpu_threads: 0
        execution: {loader_workers: -1}
        data_roots: {isiad: /x}
        limit: 0
        """,
    )
    assert message_of(file) == "\n".join(
        [
            f"{file}: 18 problems",
            "  - unknown field 'source'. Did you mean 'sources'?",
            "  - unknown strategy 'imagnet'. Did you mean 'imagenet'?",
            "  - unknown parameter of generalised 'shufle'. Did you mean 'shuffle'?",
            "  - generalised[shuffle] = 'never' is not allowed: one of sample, batch, none",
            "  - unknown backbone 'convnxt_tiny'. Did you mean 'convnext_tiny'?",
            "  - unknown dataset 'demo-isiad'. Did you mean 'demo-isaid'?",
            "  - folder needs the parameter 'card': folder[card=...]",
            (
                "  - pretrain_seeds = True is not allowed: a count (5), a text ('0-4', '1,7'), or "
                "a list ([1, 7])"
            ),
            (
                "  - seeds = 'x' is not allowed: a count (5), a range (0-4), a list (1,7), or one "
                "given seed (7-7)"
            ),
            (
                "  - label_fraction = [0, 0.5] is not allowed: numbers above 0 and at most 1, each "
                "once: 0.01,0.1,1"
            ),
            "  - unknown recipe 'papr'. Did you mean 'paper'?",
            "  - unknown dataset or source 'isiad'. Did you mean 'isaid'?",
            "  - limit = 0 is not allowed: a whole number, 1 or more",
            "  - finetune: give steps or epochs, not both",
            "  - unknown field of pretrain 'stepz'. Did you mean 'steps'?",
            "  - finetune.optim.lr = 'fast' is not allowed: a number",
            "  - cpu_threads = 0 is not allowed: more than 0",
            "  - execution.loader_workers = -1 is not allowed: 0 or more",
        ]
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {},
            (
                "command line: 2 problems\n"
                "  - no strategy is named: -s NAME, or `strategies:` in the file\n"
                "  - no dataset is named: -d NAME, or `datasets:` in the file"
            ),
        ),
        ({"set": ["pretrain"]}, "--set takes a.b=c, not 'pretrain'"),
        (
            {"set": ["pretrain.optm.lr=1"]},
            "command line: unknown field of pretrain 'optm'. Did you mean 'optim'?",
        ),
        (
            {"set": ["seeds.x=1"]},
            (
                "command line: seeds = {'x': 1} is not allowed: a count (5), a text ('0-4', '1,7'),"
                " or a list ([1, 7])"
            ),
        ),
        ({"data_root": ["demo"]}, "--data-root takes NAME=DIR, not 'demo'"),
        (
            {"sources": ["labeled=demo"]},
            "command line: unknown role 'labeled'. Did you mean 'labelled'?",
        ),
        (
            {"sources": ["imagenet-21k"]},
            "command line: unknown source 'imagenet-21k'. Did you mean 'imagenet-1k'?",
        ),
        (
            {"sources": ["folder[rot=/x]"]},
            "command line: unknown parameter of source 'folder' 'rot'. Did you mean 'root'?",
        ),
        (
            {"datasets": ["demo-isaid+demo-mfnet"]},
            (
                "command line: 'demo-isaid+demo-mfnet': datasets are not chained; write them with "
                "a comma"
            ),
        ),
        (
            {"datasets": ["demo-isaid[x=1]"]},
            "command line: dataset 'demo-isaid' has no parameters; 'demo-isaid[x=1]' gives it some",
        ),
        ({"seeds": "0"}, "command line: seeds = '0' is not allowed: 1 to 1000 seeds"),
        ({"limit": 0}, "command line: limit = 0 is not allowed: a whole number, 1 or more"),
        (
            {"label_fraction": "0.1,2"},
            (
                "command line: label_fraction = '0.1,2' is not allowed: numbers above 0 and at "
                "most 1, each once: 0.01,0.1,1"
            ),
        ),
    ],
)
def test_wrong_flags(flags: dict[str, Any], message: str) -> None:
    assert message_of(**flags) == message


def test_name_that_is_no_file_name_is_refused() -> None:
    assert message_of(**ASKED, experiment="../x").startswith("name = '../x' is not allowed")


def test_flag_that_a_caller_mistyped_is_the_caller_s_error() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown flag 'sedes'\. Did you mean 'seeds'"):
        load(**ASKED, sedes="1")


def test_what_is_wrong_with_the_flags_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "strategies: scratch\ndatasets: demo-isaid\n")
    assert message_of(file, set=["pretrain.batch=0"]) == (
        "command line: pretrain.batch = 0 is not allowed: more than 0"
    )


# --- the files that come with gpbench ---


@pytest.mark.parametrize("name", ["demo", "ablation", "controls", "low_label"])
def test_config_that_comes_with_gpbench_loads(name: str) -> None:
    experiment = load(config_folder() / f"{name}.yaml")
    assert experiment.name == name
    assert experiment.recipe == load_recipe("demo")


def test_paper_is_the_grid_of_the_paper() -> None:
    """literature.md 1.2: two backbones, four targets, ImageNet-1K, 300 epochs; four baselines."""
    names = frozenset({"convnext_tiny", "swin_tiny_patch4_window7_224"})
    paper = load_experiment(config_folder() / "paper.yaml", {}, {}, names)
    inflations = (f"imagenet[inflate={way}]" for way in ("mean", "zero", "random"))
    assert paper.arms == ("imagenet", *inflations, "generalised")
    assert set(paper.backbones) == names
    assert {str(each) for each in paper.datasets} == {"isaid", "mfnet", "pst900", "potsdam"}
    assert paper.sources == (SourceChoice("imagenet-1k", "labelled"),)
    assert paper.recipe == load_recipe("paper")


def test_ablation_turns_each_switch_of_generalised_once() -> None:
    first, *others = load(config_folder() / "ablation.yaml").arms
    assert first == "generalised"
    assert all(re.fullmatch(r"generalised\[\w+=[\w.]+\]", arm) for arm in others)
    assert {arm.split("[")[1].split("=")[0] for arm in others} == {
        "shuffle", "probability", "duplicate", "normalise"
    }  # fmt: skip


def test_broken_file_that_is_named_is_the_only_thing_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml")
