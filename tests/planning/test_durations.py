from __future__ import annotations

from dataclasses import replace
from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from gpbench.core.recipe import PretrainRecipe
from gpbench.core.stage import PretrainSpec, StageSpec
from gpbench.planning.durations import SECONDS_PER_IMAGE, Pace, expected_seconds
from tests.store.plans import finetune, pretrain


def longer(steps: int, seed: int = 0) -> PretrainSpec:
    """Return a pre-training of 4 images a step."""
    recipe = PretrainRecipe(batch=4, crop_px=32, steps=steps)
    return replace(pretrain(seed), recipe=recipe)


def test_stage_takes_the_median_of_those_that_differ_in_seeds_only() -> None:
    past = [(pretrain(seed), seconds) for seed, seconds in enumerate((5.0, 1.0, 9.0, 3.0))]
    assert expected_seconds([pretrain(7)], past) == {pretrain(7).key: 4.0}


def test_stage_unlike_any_takes_its_images_at_the_pace_of_its_kind() -> None:
    past: list[tuple[StageSpec, float]] = [
        (longer(10), 4.0),
        (longer(20), 24.0),
        (finetune(0, None), 1000.0),
    ]
    # 0.1 and 0.3 s per image; 50 steps of 4 images
    assert expected_seconds([longer(50)], past) == {longer(50).key: 0.2 * 200}


def test_stage_of_a_kind_that_never_ran_counts_its_images() -> None:
    past = [(finetune(0, None), 1000.0)]
    assert expected_seconds([longer(50)], past) == {longer(50).key: 200 * SECONDS_PER_IMAGE}
    assert Pace(past).seconds(longer(50)) is None


def test_shape_holds_what_a_stage_s_time_depends_on() -> None:
    base = finetune(0, None)
    others: list[StageSpec] = [
        replace(base, backbone="other"),
        replace(base, in_chans=5),
        replace(base, numerics=replace(base.numerics, cpu_threads=9)),
        replace(base, numerics=replace(base.numerics, precision="bf16")),
        replace(base, recipe=replace(base.recipe, crop_px=8)),
        replace(base, recipe=replace(base.recipe, head="FCNHead")),
        replace(
            base, dataset=replace(base.dataset, info=replace(base.dataset.info, title="Other"))
        ),
        replace(pretrain(0), phase="other"),
        replace(pretrain(0), strategy=replace(pretrain(0).strategy, name="other")),
        pretrain(0),
    ]
    # far apart: where two shapes were one, their median would be neither's
    past: list[tuple[StageSpec, float]] = [
        (spec, float(10**n)) for n, spec in enumerate([base, *others])
    ]
    expected = expected_seconds([spec for spec, _ in past], past)
    assert expected == {spec.key: seconds for spec, seconds in past}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_estimate_is_the_median_in_whatever_order_stages_ended(
    seconds: list[float],
) -> None:
    pace = Pace((pretrain(0), each) for each in seconds)
    assert pace.seconds(pretrain(1)) == median(seconds)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.floats(0.01, 1e4)), max_size=10),
    st.integers(1, 50),
    st.integers(1, 50),
)
def test_estimates_are_never_negative_and_unseen_longer_stages_never_take_less(
    ran: list[tuple[int, float]], first: int, second: int
) -> None:
    past = [(longer(2 * steps), seconds) for steps, seconds in ran]
    odd = sorted({2 * first + 1, 2 * second + 1})  # of no past stage's shape
    expected = list(expected_seconds([longer(steps) for steps in odd], past).values())
    assert all(each >= 0 for each in expected)
    assert expected == sorted(expected)
