"""What `compare --plan` says is needed."""

from __future__ import annotations

import math
import re

import pytest
from scipy import stats

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Request
from gpbench.compare.evidence import Evidence, Sample
from gpbench.compare.needs import needs
from gpbench.compare.words import Correction
from gpbench.stats.power import power_t, power_two_sample, upper_sd
from gpbench.stats.satterthwaite import Term, TTest, t_test
from tests.compare.made import pretrained, study_of, untrained

A, B = (50.0, 51.0, 52.0), (49.0, 50.0, 51.0)


def suite(*samples: Sample, difference: float = 1.0) -> Evidence:
    test = t_test(difference, [sample.term for sample in samples], 0.05)
    return Evidence(difference, "strategy", "", decisive=True, test=test, samples=samples)


def two(a: tuple[float, ...] = A, b: tuple[float, ...] = B, difference: float = 1.0) -> Evidence:
    return suite(Sample("new", a, 1.0), Sample("imagenet", b, -1.0), difference=difference)


def row(gain: float, se: float | None) -> Evidence:
    test = None if se is None else TTest(gain, se, 4, 0.5, (gain - 1, gain + 1))
    return Evidence(gain, "strategy", "", test=test)


def spread_gains(variance: float, mean: float = 1.0) -> list[float]:
    """Return five gains of that mean and variance."""
    return [mean + step * math.sqrt(variance / 2.5) for step in (-2, -1, 0, 1, 2)]


def test_pretrainings_are_those_of_welch_s_test_with_the_upper_limit_of_the_sd() -> None:
    found = needs(two(), [], 0.05, None)
    sd = upper_sd(1, 4)
    assert found.pretrainings is not None
    assert power_two_sample(found.pretrainings, found.pretrainings, 1, sd, sd, 0.05) >= 0.8
    fewer = found.pretrainings - 1
    assert power_two_sample(fewer, fewer, 1, sd, sd, 0.05) < 0.8
    assert found.datasets is None
    assert found.sentence == (
        "80 % power for 1.00 pp (the observed difference) at alpha 0.05: "
        f"{found.pretrainings} pre-trainings per arm (3 now)"
    )


def test_margin_takes_the_place_of_the_difference_and_a_family_asks_for_more() -> None:
    found, small = needs(two(), [], 0.05, 2.0), needs(two(), [], 0.05, None)
    assert found.pretrainings is not None
    assert small.pretrainings is not None
    assert found.pretrainings < small.pretrainings
    assert "2.00 pp (the margin)" in found.sentence
    family = needs(two(), [], 0.05 / 5, 2.0).pretrainings
    assert family is not None
    assert family > found.pretrainings
    assert needs(two(difference=-1.0), [], 0.05, None).pretrainings == small.pretrainings


def test_a_group_counts_by_its_weight() -> None:
    # half of the suite each: as if one sample had half the variance
    halves = suite(
        *(Sample("new", A, 0.5), Sample("new", tuple(x + 9 for x in A), 0.5)),
        *(Sample("imagenet", B, -0.5), Sample("imagenet", tuple(x - 9 for x in B), -0.5)),
    )
    found, whole = needs(halves, [], 0.05, None), needs(two(), [], 0.05, None)
    assert found.pretrainings is not None
    assert whole.pretrainings is not None
    assert found.pretrainings < 0.6 * whole.pretrainings


def test_nobody_knows_how_single_pretrainings_vary() -> None:
    test = two().test
    fixed = Evidence(1.0, "checkpoint", "", test=test, samples=two().samples)
    found = needs(fixed, [], 0.05, None)
    assert found.pretrainings is None
    assert "begin with 3 per arm" in found.sentence
    untested = Evidence(1.0, "strategy", "new has 1 pre-training")
    found = needs(untested, [], 0.05, None)
    assert found.pretrainings is None
    assert "(new has 1 pre-training)" in found.sentence


def test_no_difference_needs_a_margin() -> None:
    nothing = two(difference=0.0)
    found = needs(nothing, [], 0.05, None)
    assert (found.pretrainings, found.datasets) == (None, None)
    assert "--margin" in found.sentence
    assert needs(nothing, [], 0.05, 1.0).pretrainings is not None


def test_seeds_cannot_narrow_what_datasets_differ_by() -> None:
    # the design's example: interaction sd 1 and seed sd 0.5 per arm, 5 datasets x 3 seeds
    within = 2 * 0.25 / 3
    rows = [row(gain, math.sqrt(within)) for gain in spread_gains(2 + within)]
    found = needs(two(), rows, 0.05, None)
    assert "more seeds can narrow by at most 4 %" in found.sentence
    assert "4 more datasets by 38 %" in found.sentence
    assert found.sentence.endswith("with 5 datasets no number of seeds is enough")
    assert found.datasets is not None
    # sd 1.472, upper limit 2.29: a paired t test of 1 pp
    assert found.datasets == pytest.approx((2.8 * 2.293) ** 2 + 2, abs=1.5)


def test_seeds_help_like_datasets_where_only_they_vary() -> None:
    rows = [row(gain, 2.0) for gain in spread_gains(1.0)]
    found = needs(two(), rows, 0.05, None)
    assert found.sentence.endswith(
        f"{found.datasets} datasets for a claim about new ones (5 now): as far as 5 datasets tell, "
        "their gains differ by chance only, and more seeds narrow the interval as more datasets do"
    )


def test_seeds_never_narrow_an_interval_to_nothing() -> None:
    rows = [row(gain, math.sqrt(2)) for gain in spread_gains(2 + 1e-8)]
    assert "their gains differ by chance only" in needs(two(), rows, 0.05, None).sentence
    rows = [row(gain, math.sqrt(2)) for gain in spread_gains(2 + 4e-4)]
    assert "more seeds can narrow by at most 99 %" in needs(two(), rows, 0.05, None).sentence


def test_no_fewer_are_needed_than_a_verdict_needs() -> None:
    # two of either would have the power, and could say nothing
    rows = [row(gain, 0.01) for gain in spread_gains(0.01, mean=90)]
    found = needs(two(difference=90), rows, 0.05, None)
    assert (found.pretrainings, found.datasets) == (3, 3)
    assert ": 3 pre-trainings per arm (3 now); 3 datasets for" in found.sentence


def test_arms_without_pretrainings_need_runs() -> None:
    neither, one = (needs(two(), [], 0.05, None, count) for count in ((0, 0), (3, 0)))
    assert neither.sentence.endswith(f": {neither.pretrainings} runs per arm (3 now)")
    mixed = f"{one.pretrainings} pre-trainings (or runs, where there are none) per arm"
    assert mixed in one.sentence
    untested = Evidence(1.0, "strategy", "new has 1 run")
    found = needs(untested, [], 0.05, None, (0, 0))
    assert found.sentence.endswith(": runs unknown (new has 1 run)")


@pytest.mark.parametrize(("correction", "alpha"), [(None, 0.025), ("none", 0.05)])
def test_the_level_is_that_of_one_of_all_contrasts(
    correction: Correction | None, alpha: float
) -> None:
    runs = [
        *pretrained("imagenet", "town", B),
        *pretrained("new", "town", A),
        *pretrained("newer", "town", A),
    ]
    found = compare(study_of(runs), Request(correction=correction)).contrasts
    expected = needs(two(), [], alpha, None)
    assert [each.needed for each in found] == [expected, expected]
    assert f"at alpha {alpha:g}:" in expected.sentence


def test_untested_rows_leave_the_shares_unknown() -> None:
    rows = [row(gain, None) for gain in spread_gains(2.0)]
    found = needs(two(), rows, 0.05, None)
    assert found.datasets is not None
    assert "narrow" not in found.sentence


def test_two_datasets_are_too_few_and_equal_gains_have_no_spread() -> None:
    assert needs(two(), [row(1, 1), row(2, 1)], 0.05, None).datasets is None
    found = needs(two(), [row(1, 1)] * 3, 0.05, None)
    assert found.datasets is None
    assert "same gain" in found.sentence


def test_arms_without_pretraining_need_runs() -> None:
    study = study_of(
        untrained("scratch", "town", [50, 52, 54]) + untrained("new", "town", [51, 53, 55])
    )
    (contrast,) = compare(study, Request(baselines=("scratch",))).contrasts
    assert contrast.needed
    assert "runs per arm" in contrast.needed.sentence
    assert "pre-training" not in contrast.needed.sentence


def test_half_the_margin_is_reached_by_so_many_pretrainings_and_no_fewer() -> None:
    study = study_of(
        pretrained("imagenet", "town", [50, 52, 54]) + pretrained("new", "town", [51, 53, 55])
    )
    (contrast,) = compare(study, Request(margin=4.0)).contrasts
    assert contrast.needed
    precise = contrast.needed.precise
    assert precise
    sd = upper_sd(2.0, 4)  # of both arms, pooled by Welch's four degrees of freedom

    def half_width(units: int) -> float:
        return float(stats.t.ppf(0.975, 2 * (units - 1)) * sd * math.sqrt(2 / units))

    assert half_width(precise) <= 2.0 < half_width(precise - 1)
    assert f"{precise} for an interval of +-2 pp, half the margin" in contrast.needed.sentence
    (without,) = compare(study, Request()).contrasts
    assert without.needed
    assert without.needed.precise is None


def test_datasets_that_share_pretrainings_need_more_of_those_too() -> None:
    luck = [-1.0, 0.0, 1.0]
    runs = []
    for at, gain in enumerate((1.9, 2.0, 2.1)):
        runs += pretrained("imagenet", f"d{at}", [50 - e for e in luck])
        runs += pretrained("new", f"d{at}", [50 + gain + e for e in luck])
    (contrast,) = compare(study_of(runs), Request(margin=1.0)).contrasts
    needed = contrast.needed
    assert needed
    assert needed.datasets
    told = re.search(r"(\d+) datasets with (\d+) pre-trainings per arm", needed.sentence)
    assert told
    datasets, shared = map(int, told.groups())
    assert datasets == needed.datasets
    assert shared >= (needed.pretrainings or 0) > 3
    # the sd of the pre-trainings at its upper limit, by the four degrees of both arms
    of_one = 2 * upper_sd(1.0, 4) ** 2
    gains = upper_sd(0.1, 2) ** 2
    for count, enough in ((shared, True), (shared // 2, False)):
        test = t_test(
            1.0,
            [Term(gains / datasets, datasets - 1), Term(of_one / count, 2 * (count - 1))],
            0.05,
        )
        assert (power_t(test.se, test.df, 1.0, 0.05) >= 0.8) is enough
