from __future__ import annotations

import pytest

from gpbench.compare.ablation import ablation_of
from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.core.errors import ComparisonError, UnknownNameError
from tests.compare.made import pretrained, study_of

ARMS = (
    "imagenet",
    "generalised",
    "generalised[shuffle=none]",
    "generalised[probability=0.5,shuffle=batch]",
)


def test_the_same_strategy_with_other_parameters_is_an_ablation() -> None:
    found = ablation_of("generalised", ARMS)
    assert found.ingredients == (
        ("generalised[shuffle=none]", "shuffle=none"),
        ("generalised[probability=0.5,shuffle=batch]", "probability=0.5, shuffle=batch"),
    )


def test_a_full_method_with_parameters_of_its_own() -> None:
    found = ablation_of("generalised[shuffle=none]", ARMS)
    assert dict(found.ingredients) == {
        "generalised": "shuffle=default instead of none",
        "generalised[probability=0.5,shuffle=batch]": "shuffle=batch instead of none, "
        "probability=0.5",
    }


def test_a_chain_without_one_of_its_strategies_is_an_ablation() -> None:
    arms = ("simmim+egmim[share=0.3]", "simmim", "egmim[share=0.3]", "simmim+egmim", "mae")
    found = ablation_of(arms[0], arms)
    assert dict(found.ingredients) == {
        "simmim": "without egmim[share=0.3]",
        "egmim[share=0.3]": "without simmim",
        "simmim+egmim": "egmim share=default instead of 0.3",
    }


def test_chosen_arms_are_taken_whatever_they_are() -> None:
    found = ablation_of("generalised", ARMS, ["imagenet", "generalised[shuffle=none]"])
    assert found.ingredients == (
        ("imagenet", "imagenet instead"),
        ("generalised[shuffle=none]", "shuffle=none"),
    )


def test_names_of_a_table_need_not_be_selectors() -> None:
    with pytest.raises(ComparisonError, match="no ablation of 'ours \\(full\\)'"):
        ablation_of("ours (full)", ("ours (full)", "ours w/o edges"))
    chosen = ablation_of("ours (full)", ("ours (full)", "ours w/o edges"), ["ours w/o edges"])
    assert chosen.ingredients == (("ours w/o edges", "ours w/o edges instead"),)


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownNameError):
        ablation_of("generalized", ARMS)
    with pytest.raises(UnknownNameError):
        ablation_of("generalised", ARMS, ["scratch"])
    with pytest.raises(ComparisonError, match="no ablation of itself"):
        ablation_of("generalised", ARMS, ["generalised"])
    with pytest.raises(ComparisonError, match="no ablation of 'imagenet'"):
        ablation_of("imagenet", ARMS)


@pytest.mark.parametrize("lacking", [ARMS[2:3], ARMS[2:]])
def test_each_ingredient_is_tested_and_the_best_ablation_is_the_baseline(
    lacking: tuple[str, ...],
) -> None:
    levels = dict(zip(lacking, (50.0, 55.0), strict=False))
    runs = [
        run
        for dataset in ("town", "farm")
        for arm, level in {"generalised": 60.0, **levels}.items()
        for run in pretrained(arm, dataset, [level + each for each in (-0.1, 0, 0.1)])
    ]
    study = study_of(runs)
    ablation = ablation_of("generalised", study.arms)
    found = compare(
        study, Request(candidates=("generalised",), baselines=lacking, ablation=ablation)
    )
    (contrast,) = found.contrasts
    assert contrast.baseline == lacking[-1]
    gains = {each.baseline: each.finding.difference for each in contrast.against}
    assert gains == pytest.approx({arm: 60 - level for arm, level in levels.items()})
    assert all(each.finding.verdict == "better" for each in contrast.against)
    assert found.ablation == ablation
